package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	karmada "github.com/karmada-io/karmada/pkg/generated/clientset/versioned"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/utils/clock"
	controllermetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/argosy-dev/argosy/estimator/fleet"
	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/register"
	"github.com/argosy-dev/argosy/estimator/server"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
	"github.com/argosy-dev/argosy/internal/access"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/drain"
	"github.com/argosy-dev/argosy/internal/program"
)

// flagOptions carry karmada-scheduler-estimator's names and defaults, so that its manifests need a new image and little else.
type flagOptions struct {
	kubeconfig, certFile, keyFile, clientCA, metricsAddress, healthAddress, profiles string
	port                                                                             int
	skipClientVerify                                                                 bool
}

func addFlags(flags *flag.FlagSet) *flagOptions {
	o := &flagOptions{}
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of karmada-apiserver; empty means the pod's own account")
	flags.IntVar(&o.port, "server-port", 10352, "port of the gRPC service")
	flags.StringVar(&o.certFile, "grpc-auth-cert-file", "", "certificate of the gRPC service; without it there is no TLS")
	flags.StringVar(&o.keyFile, "grpc-auth-key-file", "", "key of the certificate")
	flags.StringVar(&o.clientCA, "grpc-client-ca-file", "", "authority that signs karmada-scheduler's certificate")
	flags.BoolVar(&o.skipClientVerify, "insecure-skip-grpc-client-verify", false, "accept clients without a certificate")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", "", `address of /metrics, or "0" for none; empty means the configuration's`)
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", "",
		`address of /healthz and /readyz, or "0" for none; empty means the configuration's`)
	program.ProfilesFlag(flags, &o.profiles)
	return o
}

// process is everything that runs.
type process struct {
	options *flagOptions
	fleet   *fleet.Fleet
	watcher *fleet.Watcher
	grpc    *grpc.Server
	metrics *prometheus.Registry
	health  *health.Server
	// guarded stands before the metrics where they are served securely; nil where they are served in the clear.
	guarded func(logr.Logger, http.Handler) http.Handler
	ending  *drain.Drain
	// events of workloads whose templates could not be read; written while the process runs.
	events record.EventBroadcaster
}

func build(cfg *config.Estimator, options *flagOptions, plugins oracle.Plugins) (*process, error) {
	options.metricsAddress = cmp.Or(options.metricsAddress, cfg.MetricsBindAddress)
	options.healthAddress = cmp.Or(options.healthAddress, cfg.HealthBindAddress)
	p := &process{options: options, metrics: prometheus.NewRegistry(), health: health.NewServer(), events: record.NewBroadcaster()}
	clk := clock.RealClock{}
	p.ending = &drain.Drain{Clock: clk, Period: time.Duration(cfg.DrainSeconds) * time.Second}
	configure, err := mirrorConfigs(cfg, plugins)
	if err != nil {
		return nil, err
	}
	p.fleet = fleet.New(configure)
	p.fleet.PodBudget = int(cfg.PodBudget)
	promises := inflight.NewLedger()
	p.watcher = &fleet.Watcher{Fleet: p.fleet, Promises: promises, Fixed: map[string]fleet.Connection{},
		FollowClusters: cfg.FollowClusters == config.Enabled, Clock: clk}
	if p.watcher.Selector, err = labels.Parse(cfg.ClusterSelector); err != nil {
		return nil, fmt.Errorf("clusterSelector: %w", err)
	}
	for _, member := range cfg.Members {
		if member.Kubeconfig == "" {
			continue
		}
		connection, err := clientcmd.BuildConfigFromFlags("", member.Kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("member %s: reading kubeconfig: %w", member.Name, err)
		}
		p.watcher.Fixed[member.Name] = fleet.Connection{Rest: connection}
	}
	control, err := program.Reach("karmada-apiserver", "--kubeconfig", options.kubeconfig)
	if err != nil {
		return nil, err
	}
	templates, err := p.controlPlane(control, clk)
	if err != nil {
		return nil, err
	}
	if cfg.MetricsSecure {
		if p.guarded, err = guard(control); err != nil {
			return nil, err
		}
	}
	if to := cfg.Registration; to.Mode == config.Enabled {
		p.watcher.Expected = to.Expected
		p.watcher.Register = (&register.Registrar{
			Services: p.watcher.Secrets.CoreV1().Services(to.ServiceNamespace),
			Target:   register.Target{Prefix: to.ServicePrefix, Host: to.Host, Port: to.Port, Shared: cfg.ClusterSelector != ""},
		}).Sync
	}
	p.metrics.MustRegister(fleet.NewCollector(p.fleet))
	creds, err := options.credentials()
	if err != nil {
		return nil, err
	}
	p.grpc = grpc.NewServer(grpc.Creds(creds), wire.ServerOption())
	wire.Register(p.grpc, server.New(server.Options{
		Members: p.fleet, Templates: templates, Kinds: template.KindsOf(cfg.WorkloadKinds), Promises: promises,
		Clock: clk, Metrics: server.NewMetrics(p.metrics),
		Events: p.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "argosy-estimator"}),
	}))
	healthpb.RegisterHealthServer(p.grpc, p.health)
	return p, nil
}

// guard asks karmada-apiserver who asks for metrics.
func guard(control *rest.Config) (func(logr.Logger, http.Handler) http.Handler, error) {
	asking, err := rest.HTTPClientFor(control)
	if err != nil {
		return nil, fmt.Errorf("building a client of karmada-apiserver: %w", err)
	}
	guarded, err := access.Guard(control, asking)
	if err != nil {
		return nil, fmt.Errorf("building the check of who asks for metrics: %w", err)
	}
	return guarded, nil
}

// controlPlane makes the clients of karmada-apiserver, without a limit of requests of their own: the server has one.
func (p *process) controlPlane(config *rest.Config, clk clock.PassiveClock) (*template.Resolver, error) {
	config.QPS, config.UserAgent, config.Timeout = -1, "argosy-estimator", 0
	var err error
	if p.watcher.Karmada, err = karmada.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("building a Karmada client: %w", err)
	}
	if p.watcher.Secrets, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("building a Kubernetes client: %w", err)
	}
	short := rest.CopyConfig(config)
	short.Timeout = 2 * time.Second
	reader, err := dynamic.NewForConfig(short)
	if err != nil {
		return nil, fmt.Errorf("building a dynamic client: %w", err)
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(short)
	if err != nil {
		return nil, fmt.Errorf("building a discovery client: %w", err)
	}
	return template.NewResolver(reader, kinds, clk), nil
}

// mirrorConfigs reads every scheduler configuration at the start. A wrong common one stops the process; a wrong one of a single member
// leaves out that member alone.
func mirrorConfigs(cfg *config.Estimator, plugins oracle.Plugins) (func(string) (mirror.Config, error), error) {
	fallback, err := oracle.LoadConfiguration(cfg.SchedulerConfiguration, plugins)
	if err != nil {
		return nil, err
	}
	own, wrong := map[string]*schedulerconfig.KubeSchedulerConfiguration{}, map[string]error{}
	for _, member := range cfg.Members {
		if member.SchedulerConfiguration == "" {
			continue
		}
		own[member.Name], wrong[member.Name] = oracle.LoadConfiguration(member.SchedulerConfiguration, plugins)
	}
	seconds := func(n int32) time.Duration { return time.Duration(n) * time.Second }
	return func(name string) (mirror.Config, error) {
		if err := wrong[name]; err != nil {
			return mirror.Config{}, err
		}
		configuration := fallback
		if mine, ok := own[name]; ok {
			configuration = mine
		}
		return mirror.Config{Configuration: configuration, Plugins: plugins, Clock: clock.RealClock{},
			ProbeEvery: seconds(cfg.Staleness.ProbeSeconds), ProbeTimeout: seconds(cfg.Staleness.ProbeTimeoutSeconds),
			FreshFor: seconds(cfg.Staleness.FreshSeconds), KeepFor: seconds(cfg.Staleness.KeepSeconds)}, nil
	}, nil
}

func (p *process) run(ctx context.Context) error {
	logger := klog.FromContext(ctx)
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", p.options.port))
	if err != nil {
		return fmt.Errorf("listening for gRPC (--server-port): %w", err)
	}
	p.events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: p.watcher.Secrets.CoreV1().Events("")})
	defer p.events.Shutdown()
	// Told to stop, it answers on while Services hear of it; what fails ends the process at once.
	group, ctx := errgroup.WithContext(p.ending.Until(ctx))
	group.Go(func() error { return p.watcher.Run(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		p.health.Shutdown()
		p.grpc.GracefulStop()
		return nil
	})
	group.Go(func() error {
		logger.Info("Serving the scheduler estimator", "address", listener.Addr().String(), "tls", p.options.certFile != "")
		return p.grpc.Serve(listener)
	})
	pages, err := p.pages(logger)
	if err != nil {
		return err
	}
	for _, page := range pages {
		page.serve(ctx, group)
	}
	return group.Wait()
}

// page is what is served over HTTP at an address; "0" is none.
type page struct {
	address string
	handler http.Handler
	// tls is nil where it is served in the clear.
	tls *tls.Config
}

func (p *process) pages(log logr.Logger) ([]page, error) {
	metrics := http.NewServeMux()
	// The second is what controller-runtime's packages register for every program that links them: of the process, and of its requests to
	// API servers.
	metrics.Handle("/metrics", promhttp.HandlerFor(prometheus.Gatherers{p.metrics, controllermetrics.Registry}, promhttp.HandlerOpts{}))
	scraped := page{address: p.options.metricsAddress, handler: metrics}
	if p.guarded != nil {
		secure, err := p.options.metricsTLS()
		if err != nil {
			return nil, err
		}
		scraped.handler, scraped.tls = p.guarded(log, metrics), secure
	}
	pages := []page{
		scraped, {address: p.options.healthAddress, handler: fleet.HealthHandler(p.fleet, p.ending.Ready, p.watcher.Ready)},
	}
	if p.options.profiles != "" {
		pages = append(pages, page{address: p.options.profiles, handler: program.Profiles()})
	}
	return pages, nil
}

func (p page) serve(ctx context.Context, group *errgroup.Group) {
	if p.address == "0" {
		return
	}
	httpServer := &http.Server{Addr: p.address, Handler: p.handler, TLSConfig: p.tls, ReadHeaderTimeout: 10 * time.Second}
	listen := httpServer.ListenAndServe
	if p.tls != nil {
		listen = func() error { return httpServer.ListenAndServeTLS("", "") }
	}
	group.Go(func() error {
		if err := listen(); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving %s: %w", p.address, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return httpServer.Close()
	})
}
