package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/drain"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/scrape"
	"github.com/argosy-dev/argosy/interpreter/reach"
)

func newManager(restConfig *rest.Config, cfg *config.Webhook, profiles string, ending *drain.Drain) (manager.Manager, error) {
	scheme, err := program.Scheme()
	if err != nil {
		return nil, err
	}
	host, port, err := split("bindAddress", cfg.BindAddress)
	if err != nil {
		return nil, err
	}
	restConfig.QPS, restConfig.Burst = cfg.Client.QPS, cfg.Client.Burst
	files, err := certwatcher.New(filepath.Join(cfg.CertDir, "tls.crt"), filepath.Join(cfg.CertDir, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of certDir: %w", err)
	}
	certificate := &handover{newest: files.GetCertificate, clock: clock.RealClock{}}
	serving := webhook.Options{
		Host: host, Port: port, CertDir: cfg.CertDir,
		// Karmada and karmada-apiserver speak HTTP/1.1 to webhooks; one connection then carries one request at a time,
		// which is also the shorter way on both sides.
		TLSOpts: []func(*tls.Config){http1Only, func(c *tls.Config) { c.GetCertificate = certificate.get }},
	}
	server := webhook.NewServer(serving)
	options := managerOptions(scheme, cfg, profiles)
	options.WebhookServer = server
	mgr, err := ctrl.NewManager(restConfig, options)
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	certificate.reader = mgr.GetAPIReader()
	for _, runnable := range []manager.Runnable{files, certificate} {
		if err := mgr.Add(runnable); err != nil {
			return nil, fmt.Errorf("adding the certificate's watch: %w", err)
		}
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding health check: %w", err)
	}
	// Ready as soon as it answers over TLS. An unreachable karmada-apiserver does not matter to that: most rules need none, and
	// Karmada, which works from the same one, asks again what could not be divided.
	if err := mgr.AddReadyzCheck("webhook", server.StartedChecker()); err != nil {
		return nil, fmt.Errorf("adding readiness check: %w", err)
	}
	if err := mgr.AddReadyzCheck("staying", func(*http.Request) error { return ending.Ready() }); err != nil {
		return nil, fmt.Errorf("adding readiness check: %w", err)
	}
	if err := serveIsKarmada(mgr, cfg, serving, ending.Handler); err != nil {
		return nil, err
	}
	return mgr, nil
}

// split an address of the configuration.
func split(field, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", field, err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		return "", 0, fmt.Errorf("%s: %w", field, err)
	}
	return host, port, nil
}

func managerOptions(scheme *runtime.Scheme, cfg *config.Webhook, profiles string) ctrl.Options {
	caches := program.Cache()
	strip := caches.DefaultTransform
	// Not by object: that would need karmada-aggregated-apiserver, which serves Clusters, at the start.
	caches.DefaultTransform = func(object any) (any, error) {
		object, err := strip(object)
		if err != nil {
			return nil, err
		}
		return reach.TrimCluster(object)
	}
	return ctrl.Options{
		Scheme:                  scheme,
		Cache:                   caches,
		Metrics:                 scrape.Options(cfg.MetricsBindAddress, cfg.MetricsSecure, cfg.CertDir),
		HealthProbeBindAddress:  cfg.HealthBindAddress,
		PprofBindAddress:        profiles,
		GracefulShutdownTimeout: ptr.To(time.Duration(cfg.ShutdownSeconds) * time.Second),
	}
}

// http1Only serves HTTP/1.1 alone, over TLS 1.2 or newer.
func http1Only(c *tls.Config) {
	c.NextProtos, c.MinVersion = []string{"http/1.1"}, tls.VersionTLS12
}
