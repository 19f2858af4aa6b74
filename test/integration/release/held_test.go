package release

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// These are run by TestHeldOpenedAndBack, with its webhook and its guards.

// heldClusters of the restart.
var heldClusters = flag.Int("held", 4, "clusters held while everything is started again; 1000 measures what that costs")

// requests that a controller makes, by whether they write.
type requests struct {
	mu            sync.Mutex
	reads, writes int
}

func (r *requests) count(write bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if write {
		r.writes++
	} else {
		r.reads++
	}
}

// counted is a client whose requests are.
func (r *requests) counted(t *testing.T) client.Client {
	t.Helper()
	inner, err := client.NewWithWatch(lab.Patient(plane.Config), client.Options{Scheme: admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return interceptor.NewClient(inner, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			r.count(false)
			return c.Get(ctx, key, o, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			r.count(false)
			return c.List(ctx, list, options...)
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			r.count(true)
			return c.Create(ctx, o, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			r.count(true)
			return c.Update(ctx, o, options...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			r.count(true)
			return c.Patch(ctx, o, patch, options...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, patch client.Patch,
			options ...client.SubResourcePatchOption) error {
			r.count(true)
			return c.SubResource(sub).Patch(ctx, o, patch, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			r.count(true)
			return c.Delete(ctx, o, options...)
		},
	})
}

// holds v2 in every cluster but member1, each Work written twice and no more: a thousand of them take their time.
func (f *federation) holds(c *release.Controller) *v1alpha1.Release {
	f.t.Helper()
	g := NewWithT(f.t)
	namespace(f.t, f.namespace)
	g.Expect(f.push("v1")).To(Succeed())
	f.bind()
	g.Expect(admin.Create(f.t.Context(), parse(f.t, strings.ReplaceAll(deploymentRelease, "NAMESPACE", f.namespace)))).To(Succeed())
	out := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "web"}}
	look := func(until string) func(Gomega) {
		return func(g Gomega) {
			_, err := c.Reconcile(f.t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(out)})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(admin.Get(f.t.Context(), client.ObjectKeyFromObject(out), out)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(out.Status.Conditions, until)).To(BeTrue(), "%+v", out.Status.Conditions)
		}
	}
	g.Eventually(look(v1alpha1.ConditionAdopted), machine.Patience, "10ms").Should(Succeed())
	for cluster := range f.assigned {
		g.Expect(f.sync(cluster)).To(Succeed())
	}
	g.Eventually(look(v1alpha1.ConditionComplete), machine.Patience, "10ms").Should(Succeed())
	g.Expect(f.push("v2")).To(Succeed())
	look(v1alpha1.ConditionProgressing)(g)
	for cluster := range f.assigned {
		g.Expect(f.sync(cluster)).To(Succeed())
	}
	g.Eventually(look(v1alpha1.ConditionAwaitingApproval), machine.Patience, "10ms").Should(Succeed())
	look(v1alpha1.ConditionAwaitingApproval)(g)
	return out
}

// everythingRestarts while many clusters are held: our controller, started again, writes nothing; Karmada writes each Work again, for they
// are not what it renders, and not one of these writes changes anything.
func everythingRestarts(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "restart", kind: "Deployment", assigned: map[string]int64{"member1": 2}}
	for i := range *heldClusters {
		f.assigned[fmt.Sprintf("held%d", i)] = 2
	}
	before := f.holds(controller())
	g.Expect(reason(before, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval), "%+v", before.Status)

	ours := &requests{}
	again := controller()
	again.Client = ours.counted(t)
	again.Reader = again.Client
	began := clock.RealClock{}.Now()
	_, err := again.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(before)})
	g.Expect(err).NotTo(HaveOccurred())
	looked := clock.RealClock{}.Since(began)
	g.Expect(ours.writes).To(BeZero(), "a restart of our controller writes nothing")
	after := &v1alpha1.Release{}
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(before), after)).To(Succeed())
	g.Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))

	g.Expect(ours.reads).To(BeNumerically("<=", 10+release.ByName), "however many clusters there are")
	began = clock.RealClock{}.Now()
	written := 0
	for cluster := range f.assigned {
		was := contentOf(f.work(cluster))
		object := f.rendered(cluster)
		g.Expect(f.dispatch(cluster, object, f.namespace)).To(Succeed())
		if diff := cmp.Diff(was, contentOf(f.work(cluster))); diff != "" {
			written++
			t.Logf("%s changed (-was +is):\n%s", cluster, diff)
		}
		want := "v1 of 2, partition 0"
		if cluster == "member1" {
			want = "v2 of 2, partition 0"
		}
		g.Expect(f.dispatched(cluster)).To(Equal(want), cluster)
	}
	g.Expect(written).To(BeZero(), "Karmada's writes of Works that are as they are to be change nothing")
	t.Logf("%d held Works: our controller started again asked %d times in %.2f s and wrote %d times; Karmada wrote %d Works again, "+
		"of which %d changed, one after the other, in %.1f s with five further requests each",
		*heldClusters, ours.reads, looked.Seconds(), ours.writes, len(f.assigned), written, clock.RealClock{}.Since(began).Seconds())
}

// backupsRestored: objects of last month come back with the marks they had then. What they say is open is not believed; the old template is
// a push like any other, and goes out in stages.
func backupsRestored(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "backup", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	r1 := f.start(c, deploymentRelease).Status.Revision
	backup := f.template()
	g.Expect(backup.GetAnnotations()).To(HaveKeyWithValue(v1alpha1.AnnotationOpen, v1alpha1.OpenAll))
	backupOfWork := f.work("member2")
	g.Expect(f.push("v2")).To(Succeed())
	r2 := f.turn(c).Status.Revision
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Promoted = r2 })
	g.Expect(images(f)).To(Equal("v2 v2"))

	restore := func() {
		t.Helper()
		object := backup.DeepCopy()
		object.SetResourceVersion("")
		object.SetUID("")
		g.Expect(admin.Update(t.Context(), object)).To(Succeed())
	}
	restore()
	marks := f.template().GetAnnotations()
	g.Expect(marks).To(HaveKeyWithValue(v1alpha1.AnnotationRevision, r1))
	g.Expect(marks).To(HaveKeyWithValue(v1alpha1.AnnotationStable, r2), "what is stable is said by the Release")
	g.Expect(marks).To(HaveKeyWithValue(v1alpha1.AnnotationOpen, ""), "and what is open")
	held := f.turn(c)
	g.Expect(images(f)).To(Equal("v1 v2"), "it goes out in stages")
	g.Expect(reason(held, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))

	// A Work of the backup, whose marks say that all is open: no more than the old revision comes of it, and the status says so.
	old := f.work("member2")
	old.Spec = backupOfWork.Spec
	g.Expect(admin.Update(t.Context(), old)).To(Succeed())
	held = f.turn(c)
	states := map[string]string{}
	for _, cluster := range held.Status.Clusters {
		states[cluster.Name] = string(cluster.State) + " " + cluster.Revision
	}
	g.Expect(states).To(Equal(map[string]string{"member1": "Open " + r1, "member2": "Held " + r1}))

	// Deleted and made anew from the backup, with its label and its marks, it is what the Release says.
	g.Expect(f.push("v3")).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v3 v1"))
	g.Expect(admin.Delete(t.Context(), f.template())).To(Succeed())
	created := backup.DeepCopy()
	created.SetResourceVersion("")
	created.SetUID("")
	g.Expect(admin.Create(t.Context(), created)).To(Succeed())
	g.Expect(f.template().GetAnnotations()).To(And(HaveKeyWithValue(v1alpha1.AnnotationStable, r2),
		HaveKeyWithValue(v1alpha1.AnnotationOpen, "")))
	last := f.turn(c)
	g.Expect(meta.IsStatusConditionTrue(last.Status.Conditions, v1alpha1.ConditionAdopted)).To(BeTrue())
	g.Expect(last.Status.Dispatch.Stable).To(Equal(r2))
	g.Expect(images(f)).To(HavePrefix("v1 "))
}

// contentOf a Work. Its resourceVersion is none: where two managers wrote it within one second, the next write turns their order in
// managedFields, and that alone is stored.
func contentOf(work *workv1alpha1.Work) []string {
	return []string{fmt.Sprint(work.Labels), fmt.Sprint(work.Annotations), fmt.Sprint(work.Generation),
		string(work.Spec.Workload.Manifests[0].Raw)}
}
