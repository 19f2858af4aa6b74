package vm

import (
	"testing"

	"github.com/onsi/gomega"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/sets"
)

// unlabel a Server: the label of its set is another's, or none.
func (w *world) unlabel(name, to string) {
	w.t.Helper()
	body := `{"metadata":{"labels":{"vm.argosy.dev/set":` + to + `}}}`
	w.Expect(patch(w.ctx, api, w.server(name), body)).To(gomega.Succeed())
}

// TestALostLabel: a Server that lost its set's label is its set's still. No other is made for it, a deleted set waits for it, and the label
// comes back.
func TestALostLabel(t *testing.T) {
	w := newWorld(t)
	set := w.set("web", 2)
	w.create(set)
	with := control.Means{Cache: api, Live: api, Writer: api, Recorder: &record.FakeRecorder{}}
	planner := sets.New(sets.Options{Options: w.every(1), Drivers: []string{httpdriver.Name}}, with)
	for range 3 {
		w.reconcile(planner, "web")
	}
	w.Expect(w.servers()).To(gomega.HaveLen(2))
	// The planner alone: nobody gives the labels back. What the selector asks for is away, too.
	w.Expect(patch(w.ctx, api, w.server("web-1"), `{"metadata":{"labels":{"app":"other"}}}`)).To(gomega.Succeed())
	w.unlabel("web-1", "null")
	w.unlabel("web-2", `"another"`)
	for range 3 {
		w.reconcile(planner, "web")
	}
	w.Expect(w.servers()).To(gomega.HaveLen(2), "others were made")
	w.Expect(api.Delete(w.ctx, set)).To(gomega.Succeed())
	for range 3 {
		w.reconcile(planner, "web")
	}
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
	w.Expect(controllerutil.ContainsFinalizer(set, v1alpha1.FinalizerServers)).To(gomega.BeTrue(), "nobody holds its Servers any more")
	w.Expect(set.Status.PendingApprovals).To(gomega.HaveLen(1))
	w.Expect(set.Status.PendingApprovals[0].Gate).To(gomega.Equal(gatev1alpha1.GateRemoval))

	w.lead()
	w.Eventually(func() []string {
		var out []string
		for _, s := range w.servers() {
			out = append(out, s.Name+" of "+s.Labels[v1alpha1.LabelSet])
		}
		return out
	}).Should(gomega.Equal([]string{"web-1 of web", "web-2 of web"}))
}
