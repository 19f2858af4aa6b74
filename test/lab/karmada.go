package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/process"
)

const (
	// KarmadaPlaneName is the control plane's name among the members'.
	KarmadaPlaneName = "karmada"
	karmadaSystem    = "karmada-system"
)

// karmadaPlane is the federation's control plane.
type karmadaPlane struct {
	*workspace
	server                                      apiServer
	kinds                                       *seed
	aggregated, kcm, webhook                    int
	webhookHealth, managerHealth, schedHealth   int
	webhookMetrics, managerMetrics, schedMetric int
	descheduler                                 bool
	deschedulerHealth                           int
	// estimator is argosy-estimator's port, the same for every member; 0 in a stock lab.
	estimator int
}

func newKarmadaPlane(w *workspace, store etcd, opts Options) (*karmadaPlane, error) {
	if opts.Audit {
		if err := w.writeAuditPolicy(); err != nil {
			return nil, err
		}
	}
	k := &karmadaPlane{workspace: w, descheduler: opts.Descheduler}
	k.server = apiServer{name: KarmadaPlaneName, port: opts.APIServerPort, etcd: store, audit: opts.Audit, args: []string{
		// As in Karmada's own manifests: no pod runs here, so no service account is needed to
		// write one, and templates of volumes must not get a finalizer nobody removes.
		"--disable-admission-plugins=StorageObjectInUseProtection,ServiceAccount",
	}}
	err := w.take(&k.server.port, &k.aggregated, &k.kcm, &k.webhook, &k.webhookHealth, &k.managerHealth,
		&k.schedHealth, &k.webhookMetrics, &k.managerMetrics, &k.schedMetric, &k.deschedulerHealth)
	return k, err
}

// units lists the control plane. joined names the units that join the members.
func (k *karmadaPlane) units() []unit {
	apiserver := k.server.spec(k.workspace)
	units := []unit{
		{Name: "karmada/apiserver", After: []string{"etcd"}, Prepare: k.plant, Process: &apiserver, Finish: k.prepare},
		{
			Name: "karmada/aggregated-apiserver", After: []string{"karmada/apiserver"}, Process: k.aggregatedAPIServer(),
			Finish: k.registerAggregated,
		},
		{Name: "karmada/cluster-api", After: []string{"karmada/aggregated-apiserver"}, Check: k.servesClusters},
		{Name: "karmada/kube-controller-manager", After: []string{"karmada/apiserver"}, Process: k.kubeControllerManager()},
		{Name: "karmada/webhook", After: []string{"karmada/apiserver"}, Process: k.karmadaWebhook(), Finish: k.registerWebhook},
		{Name: "karmada/controller-manager", After: []string{"karmada/cluster-api", "karmada/webhook"}, Process: k.controllerManager()},
		{Name: "karmada/scheduler", After: []string{"karmada/cluster-api"}, Process: k.scheduler()},
	}
	if k.descheduler {
		units = append(units, unit{Name: "karmada/descheduler", After: []string{"karmada/cluster-api"}, Process: k.deschedulerSpec()})
	}
	return units
}

func (k *karmadaPlane) kubeconfig() string { return k.server.kubeconfig(k.workspace) }

// plant prepares the kinds of Karmada, OpenKruise and Argosy.
func (k *karmadaPlane) plant(ctx context.Context) error {
	manifests, err := k.kustomize(ctx, binaries.KarmadaModule, "charts/karmada/_crds")
	if err != nil {
		return err
	}
	crds, err := parseCRDs(bytes.ReplaceAll(manifests, []byte("{{caBundle}}"), []byte(k.ca.PEM64())))
	if err != nil {
		return err
	}
	for _, crd := range crds {
		convertAt(crd, fmt.Sprintf("https://127.0.0.1:%d/convert", k.webhook), k.ca.PEM)
	}
	// OpenKruise itself runs in the members only: its kinds are stored here as they are written.
	more, err := readCRDs(ctx, k.root, KruiseCRDs(), ArgosyCRDs())
	if err != nil {
		return err
	}
	if k.kinds, err = newSeed(k.workspace, k.server, append(crds, more...)); err != nil {
		return err
	}
	return k.kinds.plant(ctx)
}

// prepare installs the kinds, and what else Karmada's own installation applies.
func (k *karmadaPlane) prepare(ctx context.Context) error {
	cfg, err := restConfig(k.kubeconfig())
	if err != nil {
		return err
	}
	if err := k.kinds.install(ctx, cfg); err != nil {
		return err
	}
	objects, err := k.deployed(ctx, "admin-clusterrole-aggregation.yaml", "cluster-proxy-admin-rbac.yaml")
	if err != nil {
		return err
	}
	return apply(ctx, cfg, append(objects, namespace(karmadaSystem))...)
}

// deployed reads manifests that Karmada's own installation applies, with this lab's addresses in them.
func (k *karmadaPlane) deployed(ctx context.Context, files ...string) ([]*unstructured.Unstructured, error) {
	base, err := k.moduleDir(ctx, binaries.KarmadaModule)
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer(
		"{{caBundle}}", k.ca.PEM64(),
		"https://karmada-webhook.karmada-system.svc:443", fmt.Sprintf("https://127.0.0.1:%d", k.webhook),
	)
	var out []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(base, "artifacts/deploy", file))
		if err != nil {
			return nil, fmt.Errorf("reading Karmada's manifests: %w", err)
		}
		objects, err := manifest.Parse([]byte(fill.Replace(string(content))))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, objects...)
	}
	return out, nil
}

// convertAt points a CRD's conversion webhook, if it has one, at a process of the lab.
func convertAt(crd *apiextensionsv1.CustomResourceDefinition, url string, ca []byte) {
	conversion := crd.Spec.Conversion
	if conversion == nil || conversion.Webhook == nil {
		return
	}
	conversion.Webhook.ClientConfig = &apiextensionsv1.WebhookClientConfig{URL: &url, CABundle: ca}
}

func (k *karmadaPlane) aggregatedAPIServer() *process.Spec {
	return k.spec("karmada/aggregated-apiserver", "karmada-aggregated-apiserver", fmt.Sprintf("https://127.0.0.1:%d/readyz", k.aggregated),
		"--kubeconfig="+k.kubeconfig(),
		"--authentication-kubeconfig="+k.kubeconfig(),
		"--authorization-kubeconfig="+k.kubeconfig(),
		"--etcd-servers="+k.server.etcd.url(),
		"--etcd-prefix=/karmada-aggregated",
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", k.aggregated),
		"--tls-cert-file="+k.pki("server.crt"),
		"--tls-private-key-file="+k.pki("server.key"),
	)
}

// registerAggregated makes karmada-apiserver serve clusters.cluster.karmada.io from the aggregated server.
func (k *karmadaPlane) registerAggregated(ctx context.Context) error {
	return k.applyService(ctx, k.kubeconfig(), aggregatedService{
		group: "cluster.karmada.io", version: "v1alpha1",
		namespace: karmadaSystem, service: "karmada-aggregated-apiserver", port: k.aggregated,
	})
}

func (k *karmadaPlane) servesClusters(ctx context.Context) error {
	return servesGroup(ctx, k.kubeconfig(), "cluster.karmada.io/v1alpha1")
}

// kubeControllerManager is what collects garbage on the Karmada plane: without it a deleted
// template leaves its binding and Works behind.
func (k *karmadaPlane) kubeControllerManager() *process.Spec {
	return k.spec("karmada/kube-controller-manager", "kube-controller-manager", fmt.Sprintf("https://127.0.0.1:%d/healthz", k.kcm),
		append(k.controllerManagerArgs(k.kubeconfig(), k.kcm),
			"--cluster-name=karmada",
			"--controllers=namespace,garbagecollector,serviceaccount-token,ttl-after-finished,bootstrapsigner,tokencleaner,csrcleaner,"+
				"csrsigning,clusterrole-aggregation",
		)...)
}

func (k *karmadaPlane) karmadaWebhook() *process.Spec {
	return k.spec("karmada/webhook", "karmada-webhook", fmt.Sprintf("https://127.0.0.1:%d/readyz/", k.webhook),
		"--kubeconfig="+k.kubeconfig(),
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", k.webhook),
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", k.webhookMetrics),
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", k.webhookHealth),
		"--cert-dir="+filepath.Dir(k.pki("serving/tls.crt")),
	)
}

// registerWebhook applies Karmada's own admission configuration, pointed at the local process.
func (k *karmadaPlane) registerWebhook(ctx context.Context) error {
	objects, err := k.deployed(ctx, "webhook-configuration.yaml")
	if err != nil {
		return err
	}
	cfg, err := restConfig(k.kubeconfig())
	if err != nil {
		return err
	}
	return apply(ctx, cfg, objects...)
}

func (k *karmadaPlane) controllerManager() *process.Spec {
	return k.spec("karmada/controller-manager", "karmada-controller-manager", fmt.Sprintf("http://127.0.0.1:%d/healthz", k.managerHealth),
		"--kubeconfig="+k.kubeconfig(),
		"--leader-elect=false",
		// Tests of a lost member should not wait for the production defaults.
		"--cluster-status-update-frequency=5s",
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", k.managerMetrics),
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", k.managerHealth),
		"--v=2",
	)
}

func (k *karmadaPlane) scheduler() *process.Spec {
	spec := k.spec("karmada/scheduler", "karmada-scheduler", fmt.Sprintf("http://127.0.0.1:%d/healthz", k.schedHealth),
		"--kubeconfig="+k.kubeconfig(),
		"--leader-elect=false",
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", k.schedMetric),
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", k.schedHealth),
		"--v=2",
	)
	if k.estimator != 0 {
		spec.Args = append(spec.Args, k.estimatorFlags(k.estimator)...)
	}
	return spec
}

// deschedulerSpec looks every ten seconds for replicas that have stood unschedulable for thirty: a test should not wait for two minutes and
// five.
func (k *karmadaPlane) deschedulerSpec() *process.Spec {
	return k.spec("karmada/descheduler", "karmada-descheduler", fmt.Sprintf("http://127.0.0.1:%d/healthz", k.deschedulerHealth),
		"--kubeconfig="+k.kubeconfig(),
		"--leader-elect=false",
		"--descheduling-interval=10s",
		"--unschedulable-threshold=30s",
		fmt.Sprintf("--scheduler-estimator-port=%d", k.estimator),
		"--scheduler-estimator-ca-file="+k.pki("ca.crt"),
		"--scheduler-estimator-cert-file="+k.pki("server.crt"),
		"--scheduler-estimator-key-file="+k.pki("server.key"),
		"--metrics-bind-address=0",
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", k.deschedulerHealth),
		"--v=2",
	)
}

// estimatorFlags make a karmada-scheduler ask estimators, over TLS that both sides verify.
func (k *karmadaPlane) estimatorFlags(port int) []string {
	return []string{
		"--enable-scheduler-estimator=true",
		fmt.Sprintf("--scheduler-estimator-port=%d", port),
		"--scheduler-estimator-ca-file=" + k.pki("ca.crt"),
		"--scheduler-estimator-cert-file=" + k.pki("server.crt"),
		"--scheduler-estimator-key-file=" + k.pki("server.key"),
	}
}

func namespace(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
}
