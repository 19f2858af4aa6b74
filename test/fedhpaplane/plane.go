package fedhpaplane

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/test/lab"
)

// Plane is the control plane under test.
type Plane struct {
	// Client reads and writes it without a cache.
	Client client.Client
	// Requests counts what the controllers have asked of the API server, watches not counted.
	Requests atomic.Int64

	scheme *runtime.Scheme
	config *rest.Config
	server *lab.APIServer
}

// New starts the API server; the controllers wait for Run.
func New(ctx context.Context) (*Plane, error) {
	server, err := lab.NewAPIServer(ctx, lab.KarmadaPlane())
	if err != nil {
		return nil, fmt.Errorf("starting an API server: %w", err)
	}
	p := &Plane{scheme: runtime.NewScheme(), config: server.Config, server: server}
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, karmadaautoscaling.Install, clusterv1alpha1.Install, configv1alpha1.Install,
		workv1alpha1.Install, workv1alpha2.Install, api.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		if err := add(p.scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	// A federation serves Cluster from Karmada's aggregated API server; here it is stored as it comes.
	if _, err := envtest.InstallCRDs(server.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{clusterCRD()}}); err != nil {
		return nil, fmt.Errorf("installing Cluster: %w", err)
	}
	if p.Client, err = client.New(server.Config, client.Options{Scheme: p.scheme}); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return p, nil
}

// Close ends it.
func (p *Plane) Close() { p.server.Close() }

// Run starts the controllers; the returned function ends them and says how they ended.
func (p *Plane) Run() (stop func() error, err error) {
	cfg := rest.CopyConfig(p.config)
	cfg.QPS = -1
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return counting{next: next, requests: &p.Requests}
	})
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{Scheme: p.scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	section := config.DefaultControllerManager().Controllers.FedHPA
	section.Estimators.Mode = config.Disabled
	ctx, cancel := context.WithCancel(context.Background())
	if err := fedhpa.AddToManager(ctx, mgr, section); err != nil {
		cancel()
		return nil, fmt.Errorf("adding FedHPA: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return func() error {
		cancel()
		return <-done
	}, nil
}

// counting counts requests that are not watches.
type counting struct {
	next     http.RoundTripper
	requests *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") == "" {
		c.requests.Add(1)
	}
	return c.next.RoundTrip(r)
}

func clusterCRD() *apiextensionsv1.CustomResourceDefinition {
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
