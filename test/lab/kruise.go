package lab

import (
	"context"
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// kruiseKinds are OpenKruise's, as it installs them.
func (m *member) kruiseKinds(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	manifests, err := m.kustomize(ctx, kruiseModule, "config/crd")
	if err != nil {
		return nil, err
	}
	return parseCRDs(manifests)
}

// prepareKruise installs OpenKruise's admission configuration, which must exist before the manager starts: the manager fills in its own
// address and certificate.
func (m *member) prepareKruise(ctx context.Context) error {
	cfg, err := m.config()
	if err != nil {
		return err
	}
	manifests, err := m.kustomize(ctx, kruiseModule, "config/webhook")
	if err != nil {
		return err
	}
	objects, err := manifest.Parse(manifests)
	if err != nil {
		return fmt.Errorf("reading OpenKruise's webhooks: %w", err)
	}
	hooks := []*unstructured.Unstructured{namespace(kruiseSystem)}
	for _, object := range objects {
		if strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			object.SetName("kruise-" + object.GetName())
			hooks = append(hooks, object)
		}
	}
	return apply(ctx, cfg, hooks...)
}

func (m *member) kruiseManager() *process.Spec {
	spec := m.spec(m.name+"/kruise-manager", "kruise-manager", fmt.Sprintf("http://127.0.0.1:%d/readyz", m.kruiseHealth),
		"--kubeconfig="+m.kubeconfig(),
		"--enable-leader-election=false",
		"--enable-pprof=false",
		fmt.Sprintf("--metrics-addr=127.0.0.1:%d", m.kruiseStats),
		fmt.Sprintf("--health-probe-addr=127.0.0.1:%d", m.kruiseHealth),
	)
	spec.Env = []string{
		"WEBHOOK_HOST=127.0.0.1",
		fmt.Sprintf("WEBHOOK_PORT=%d", m.kruiseWebhook),
		"WEBHOOK_CERT_DIR=" + m.data(m.name+"/kruise-certs"),
		"POD_NAMESPACE=" + kruiseSystem,
		"SECRET_NAME=kruise-webhook-certs",
		"SERVICE_NAME=kruise-webhook-service",
	}
	return spec
}
