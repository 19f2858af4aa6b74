package fedhpaplane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/prometheus/client_golang/prometheus"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/test/lab"
)

// Plane is the control plane under test.
type Plane struct {
	// Client reads and writes it without a cache, Config reaches it, both as an administrator.
	Client client.Client
	Config *rest.Config
	// Requests counts what the controllers have asked of the API server, watches not counted.
	Requests atomic.Int64
	// Fuse is which of the controllers' coming writes fails, with all after it; 0 is no fuse.
	Fuse atomic.Int64
	// Cut is set when the fuse blew.
	Cut atomic.Bool

	// Through is the controllers' way to the API server, if not straight: a test puts something in between.
	Through func(*rest.Config) *rest.Config

	scheme *runtime.Scheme
	server *lab.APIServer
}

// New starts the API server, with these members joined; the controllers wait for Run.
func New(ctx context.Context, members ...string) (*Plane, error) {
	server, err := lab.NewAPIServer(ctx, lab.KarmadaPlane())
	if err != nil {
		return nil, fmt.Errorf("starting an API server: %w", err)
	}
	p := &Plane{scheme: runtime.NewScheme(), Config: rest.CopyConfig(server.Config), server: server}
	// What a test plays of Karmada and of the members must not be what is waited for.
	p.Config.QPS = -1
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, karmadaautoscaling.Install, clusterv1alpha1.Install, configv1alpha1.Install,
		workv1alpha1.Install, workv1alpha2.Install, api.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		if err := add(p.scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	// A federation serves Cluster from Karmada's aggregated API server; here it is stored as it comes.
	if _, err := envtest.InstallCRDs(p.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{ClusterCRD()},
		MaxTime: lab.CRDsWithin}); err != nil {
		return nil, fmt.Errorf("installing Cluster: %w", err)
	}
	if p.Client, err = client.New(lab.Patient(p.Config), client.Options{Scheme: p.scheme}); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	for _, name := range members {
		if err := p.Join(ctx, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Close ends it.
func (p *Plane) Close() { p.server.Close() }

// Run starts FedHPA's controllers; the returned function ends them and says how they ended.
func (p *Plane) Run() (stop func() error, err error) {
	section := config.DefaultControllerManager().Controllers.FedHPA
	section.Estimators.Mode = config.Disabled
	return p.RunControllers(func(ctx context.Context, mgr ctrl.Manager) error {
		if err := autoscalers.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
			return err
		}
		return fedhpa.AddToManager(ctx, mgr, section, prometheus.NewRegistry())
	})
}

// RunControllers starts whatever add adds, and counts its requests.
func (p *Plane) RunControllers(add func(context.Context, ctrl.Manager) error) (stop func() error, err error) {
	cfg := rest.CopyConfig(p.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return wire{next: next, plane: p}
	})
	if p.Through != nil {
		cfg = p.Through(cfg)
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: p.scheme, Metrics: metricsserver.Options{BindAddress: "0"}, GracefulShutdownTimeout: ptr.To(fixture.EndsWithin),
		// A test may start the same controllers again, as a new process would.
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := add(ctx, mgr); err != nil {
		cancel()
		return nil, fmt.Errorf("adding controllers: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return func() error {
		cancel()
		return <-done
	}, nil
}

// wire is what controllers' requests pass: it counts those that are not watches, and ends in the middle of things where a fuse is set.
type wire struct {
	next  http.RoundTripper
	plane *Plane
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && w.plane.Fuse.Load() > 0 && w.plane.Fuse.Add(-1) <= 0 {
		w.plane.Fuse.Store(1) // and nothing after it
		w.plane.Cut.Store(true)
		return nil, errors.New("the power is cut")
	}
	if r.URL.Query().Get("watch") == "" {
		w.plane.Requests.Add(1)
	}
	return w.next.RoundTrip(r)
}

// ClusterCRD is the Cluster of an API server that has no aggregated one beside it.
func ClusterCRD() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "clusters.cluster.karmada.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "cluster.karmada.io", Scope: apiextensionsv1.ClusterScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "clusters", Singular: "cluster", Kind: "Cluster", ListKind: "ClusterList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1alpha1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: ptr.To(true),
				}},
			}},
		},
	}
}
