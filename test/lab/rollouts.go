package lab

import (
	"context"
	"fmt"
	"strings"

	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// Kruise Rollout's controller: its program, its module and its namespace.
const (
	kruiseRollouts = "kruise-rollouts"
	rolloutsModule = "github.com/openkruise/rollouts"
	rolloutsSystem = "kruise-rollout"
)

// prepareRollouts installs Kruise Rollout's kinds and its admission configuration, into which the controller fills its own address.
func (m *member) prepareRollouts(ctx context.Context) error {
	cfg, err := m.config()
	if err != nil {
		return err
	}
	crds, err := readCRDs(ctx, m.root, RolloutsCRDs())
	if err != nil {
		return err
	}
	if err := installCRDs(cfg, crds); err != nil {
		return fmt.Errorf("of Kruise Rollout: %w", err)
	}
	manifests, err := m.kustomize(ctx, rolloutsModule, "config/webhook")
	if err != nil {
		return err
	}
	objects, err := manifest.Parse(manifests)
	if err != nil {
		return fmt.Errorf("reading Kruise Rollout's webhooks: %w", err)
	}
	if err := apply(ctx, cfg, namespace(rolloutsSystem)); err != nil {
		return err
	}
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			continue
		}
		object.SetName("kruise-rollout-" + object.GetName())
		if err := apply(ctx, cfg, object); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) rollouts() *process.Spec {
	spec := m.spec(m.name+"/"+kruiseRollouts, kruiseRollouts, fmt.Sprintf("http://127.0.0.1:%d/readyz", m.rolloutsHealth),
		"--kubeconfig="+m.kubeconfig(),
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", m.rolloutsStats),
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", m.rolloutsHealth),
	)
	spec.Env = []string{
		"WEBHOOK_HOST=127.0.0.1",
		fmt.Sprintf("WEBHOOK_PORT=%d", m.rolloutsWebhook),
		"WEBHOOK_CERT_DIR=" + m.data(m.name+"/rollouts-certs"),
		"POD_NAMESPACE=" + rolloutsSystem,
	}
	return spec
}
