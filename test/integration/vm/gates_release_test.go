package vm

import (
	"fmt"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/call"
)

// TestReleaseGates: a VMDeployment's own gate is asked by webhook before a batch begins. Nonsense opens nothing, and whom notifyRef names
// is told; one clear answer begins the batch, and of the next release a rejection keeps it away.
func TestReleaseGates(t *testing.T) {
	w := newWorld(t)
	o := newOffice(t)
	w.allowed = []string{o.URL}
	says := func(decision string) func(call.Waiting) string {
		return func(q call.Waiting) string {
			return fmt.Sprintf(`{"operationID":%q,"decision":%q,"reason":"%s at %s"}`, q.OperationID, decision, q.Set, q.Stage)
		}
	}
	o.says(says("yes, please"))
	w.create(
		&corev1.Secret{ObjectMeta: w.meta("office"), Data: map[string][]byte{call.CAKey: trust(o.Server)}},
		&corev1.Secret{ObjectMeta: w.meta("told"), Data: map[string][]byte{
			call.URLKey: []byte(o.URL + "/told"), call.TokenKey: []byte("word"), call.CAKey: trust(o.Server),
		}},
		w.set("web", 1),
	)
	deployment := w.deployment(v1alpha1.Release{Version: "1.0", Artifact: "https://store.example/web-1.tar"})
	deployment.Spec.Gates = []gatev1alpha1.Gate{{
		Name: "release", Stage: gatev1alpha1.StageCode, Mode: gatev1alpha1.GateWebhook,
		NotifyRef: &gatev1alpha1.SecretReference{Name: "told"},
		Webhook: &gatev1alpha1.GateWebhookCall{
			URL: o.URL + "/gate", CASecretRef: &gatev1alpha1.SecretReference{Name: "office"}, TimeoutSeconds: 5,
		},
	}}
	w.create(deployment)
	w.lead()
	pending := func() []gatev1alpha1.PendingApproval {
		w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(deployment), deployment)).To(gomega.Succeed())
		return deployment.Status.PendingApprovals
	}
	summary := func() string {
		if p := pending(); len(p) == 1 {
			return p[0].Gate + ": " + p[0].Summary
		}
		return ""
	}
	granted := func() string {
		if r := w.server("web-1").Spec.Release; r != nil {
			return r.Version
		}
		return "none"
	}
	w.Eventually(summary).Should(gomega.And(gomega.HavePrefix("release: release 1.0, batch 1 of 1"),
		gomega.ContainSubstring(`it decided "yes, please"`)))
	w.Eventually(o.heard).Should(gomega.HaveKey(deployment.Status.PendingApprovals[0].OperationID))
	w.Expect(granted()).To(gomega.Equal("none"))

	o.says(says("Approve"))
	w.again("approved")
	w.Eventually(granted).Should(gomega.Equal("1.0"))
	w.Eventually(pending).Should(gomega.BeEmpty())

	o.says(says("Reject"))
	change(w, deployment, func(d *v1alpha1.VMDeployment) {
		d.Spec.Release = v1alpha1.Release{Version: "2.0", Artifact: "https://store.example/web-2.tar"}
	})
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionAwaitingApproval) }).
		Should(gomega.ContainSubstring("the webhook of gate release"))
	w.Expect(granted()).To(gomega.Equal("1.0"))
}
