package release

import (
	"strings"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// These are run by TestHeldOpenedAndBack, with its webhook and its guards.

// secondPush in the middle, and GitOps that re-applies each minute: what is applied again changes nothing, and what is new begins at the
// first stage.
func secondPush(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "second", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3, "member3": 1}}
	c := controller()
	const next = "  - {name: next, clusters: {names: [member2]}, gates: {approvals: 1}}\n"
	two := strings.Replace(deploymentRelease, "  - {name: rest}", next+"  - {name: rest}", 1)
	f.start(c, two)
	g.Expect(f.push("v2")).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1 v1"))
	gate := func(stage int, approvals int32) *v1alpha1.Release {
		return f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Stages[stage].Gates.Approvals = approvals })
	}
	second := gate(0, 0)
	g.Expect(images(f)).To(Equal("v2 v2 v1"))
	for range 5 {
		g.Expect(f.push("v2")).To(Succeed())
		again := f.turn(c)
		g.Expect(again.Status.Dispatch).To(Equal(second.Status.Dispatch), "what is applied again is no change")
		g.Expect(again.Status.StageTime).To(Equal(second.Status.StageTime))
	}
	gate(0, 1)
	g.Expect(f.push("v3")).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v3 v2 v1"), "member2 keeps the one in between until its stage opens")
	gate(0, 0)
	third := gate(1, 0)
	g.Expect(images(f)).To(Equal("v3 v3 v3"))
	g.Expect(reason(third, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonComplete))
}

// images of the clusters, without the registry.
func images(f *federation) string {
	var out []string
	for _, cluster := range []string{"member1", "member2", "member3"} {
		if _, ok := f.assigned[cluster]; ok {
			_, tag, _ := strings.Cut(f.image(cluster), ":")
			out = append(out, tag)
		}
	}
	return strings.Join(out, " ")
}

// rebind as the scheduler does when the division changes; the Works of a cluster that is left are deleted.
func (f *federation) rebind(cluster string, replicas int64) {
	f.t.Helper()
	g := NewWithT(f.t)
	if replicas == 0 {
		g.Expect(admin.Delete(f.t.Context(), f.work(cluster))).To(Succeed())
		delete(f.assigned, cluster)
	} else {
		f.assigned[cluster] = replicas
		namespace(f.t, "karmada-es-"+cluster)
	}
	binding := &workv1alpha2.ResourceBinding{}
	key := client.ObjectKey{Namespace: f.namespace, Name: "web-" + strings.ToLower(f.kind)}
	g.Expect(admin.Get(f.t.Context(), key, binding)).To(Succeed())
	binding.Spec.Clusters = nil
	for name, n := range f.assigned {
		binding.Spec.Clusters = append(binding.Spec.Clusters, workv1alpha2.TargetCluster{Name: name, Replicas: int32(n)})
	}
	g.Expect(admin.Update(f.t.Context(), binding)).To(Succeed())
}

// clustersComeAndGo in the middle: one that joins gets the stable revision, one that does not answer is waited for and named, and one that
// is lost is not waited for any more.
func clustersComeAndGo(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "comes", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, strings.Replace(deploymentRelease, "gates: {approvals: 1}", "gates: {}", 1))
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Stages[0].Clusters.Names = []string{"member1", "joined"} })

	joined := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "joined"}}
	joined.Spec.SyncMode = clusterv1alpha1.Push
	g.Expect(admin.Create(t.Context(), joined)).To(Succeed())
	meta.SetStatusCondition(&joined.Status.Conditions, metav1.Condition{
		Type: clusterv1alpha1.ClusterConditionReady, Status: metav1.ConditionFalse, Reason: "ClusterNotReachable",
		Message: "cluster is not reachable",
	})
	g.Expect(admin.Status().Update(t.Context(), joined)).To(Succeed())
	f.rebind("joined", 2)
	g.Expect(f.push("v2")).To(Succeed())
	held := f.turn(c)
	g.Expect(reason(held, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonUpdating))
	g.Expect(meta.FindStatusCondition(held.Status.Conditions, v1alpha1.ConditionProgressing).Message).
		To(ContainSubstring("joined does not answer: cluster is not reachable"))
	g.Expect(images(f)).To(Equal("v2 v1"), "the rest waits for it")

	// Lost: its share is placed elsewhere, and the stage goes on without it.
	f.rebind("joined", 0)
	f.rebind("member3", 2)
	done := f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v2 v2"))
	g.Expect(reason(done, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonComplete), "%+v", done.Status)

	// One that joins while a revision is held gets the stable one, from the history.
	f.edit(c, func(s *v1alpha1.ReleaseSpec) {
		s.Stages[0].Clusters.Names, s.Stages[0].Gates.Approvals = []string{"member1"}, 1
	})
	g.Expect(f.push("v3")).To(Succeed())
	f.turn(c)
	f.rebind("member3", 0)
	f.turn(c)
	f.rebind("member3", 4)
	held = f.turn(c)
	g.Expect(images(f)).To(Equal("v3 v2 v2"))
	g.Expect(reason(held, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))
}

// scaledByOthers: CronHPA scales through the scale subresource, to zero and back; PodScaleIn names pods and lowers replicas in one write;
// both act in held clusters, with the revision they have.
func scaledByOthers(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "scaled", kind: "CloneSet", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, cloneSetRelease)
	g.Expect(f.push("v2")).To(Succeed())
	f.turn(c)
	g.Expect(f.dispatched("member1") + ", " + f.dispatched("member2")).To(Equal("v2 of 3, partition 1, v2 of 3, partition 2"))

	scale := func(n int32) {
		t.Helper()
		object := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: n}}
		g.Expect(admin.SubResource("scale").Update(t.Context(), f.template(), client.WithSubResourceBody(object))).To(Succeed())
		replicas, _, _ := unstructured.NestedInt64(f.template().Object, "spec", "replicas")
		g.Expect(replicas).To(BeEquivalentTo(n))
	}
	before := f.template().GetAnnotations()
	scale(0)
	f.rebind("member1", 0)
	f.rebind("member2", 0)
	night := f.turn(c)
	g.Expect(reason(night, v1alpha1.ConditionStalled)).To(Equal(v1alpha1.ReasonStageEmpty), "stages wait for the morning: %+v", night.Status)
	scale(9)
	f.rebind("member1", 5)
	f.rebind("member2", 4)
	g.Expect(f.sync("member1")).To(Succeed())
	g.Expect(f.sync("member2")).To(Succeed())
	g.Expect(f.dispatched("member1")+", "+f.dispatched("member2")).To(Equal("v1 of 5, partition 0, v1 of 4, partition 0"),
		"Works made anew have the stable revision first")
	g.Expect(f.template().GetAnnotations()).To(HaveKeyWithValue(v1alpha1.AnnotationStable, before[v1alpha1.AnnotationStable]))
	f.turn(c)
	g.Expect(f.dispatched("member1") + ", " + f.dispatched("member2")).To(Equal("v2 of 5, partition 3, v2 of 4, partition 3"))

	// PodScaleIn, in a cluster whose share stays what it is.
	f.edit(c, func(s *v1alpha1.ReleaseSpec) {
		s.Stages[0].Clusters = &v1alpha1.ClusterSelection{Names: []string{"member1"}}
	})
	object := f.template()
	annotations := object.GetAnnotations()
	const request = `{"id":"a","members":{"member2":{"pods":["web-a"],"replicas":3}}}`
	annotations["scalein.argosy.dev/request"] = request
	object.SetAnnotations(annotations)
	g.Expect(admin.Update(t.Context(), object)).To(Succeed())
	f.rebind("member2", 3)
	g.Expect(f.sync("member2")).To(Succeed())
	manifest := f.manifest(f.work("member2"))
	g.Expect(manifest.GetAnnotations()).To(HaveKeyWithValue("scalein.argosy.dev/request", request))
	g.Expect(f.dispatched("member2")).To(HaveSuffix(" of 3, partition 2"), "its share of the release stays, of fewer replicas")
}

// membersOwn: a FedHPA, or a rollout tool in the members, has the last word there. Stages by cluster go on; a number is refused in words.
func membersOwn(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "own", kind: "CloneSet", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, cloneSetRelease)
	owned := func(key, value string) {
		t.Helper()
		object := f.template()
		labels := object.GetLabels()
		delete(labels, "resourcetemplate.karmada.io/retain-replicas")
		labels[key] = value
		object.SetLabels(labels)
		g.Expect(admin.Update(t.Context(), object)).To(Succeed())
	}
	for _, of := range []struct{ key, value, image string }{
		{"resourcetemplate.karmada.io/retain-replicas", "true", "v2"}, {"interpreter.argosy.dev/retain", "rollout", "v3"},
	} {
		owned(of.key, of.value)
		g.Expect(f.push(of.image)).To(Succeed())
		refused := f.turn(c)
		g.Expect(reason(refused, v1alpha1.ConditionAdopted)).To(Equal(v1alpha1.ReasonMembersOwn))
		g.Expect(meta.FindStatusCondition(refused.Status.Conditions, v1alpha1.ConditionProgressing).Message).
			To(ContainSubstring(of.key + "=" + of.value))
		g.Expect(images(f)).To(Equal("v1 v1"), "nothing is opened")
	}
	// By cluster: what the member reports of its own replicas and its own rollout is what is waited for.
	stages := []v1alpha1.Stage{{Name: "first", Clusters: &v1alpha1.ClusterSelection{Names: []string{"member1"}}}, {Name: "rest"}}
	done := f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Stages = stages })
	g.Expect(images(f)).To(Equal("v3 v3"))
	g.Expect(reason(done, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonComplete), "%+v", done.Status)
	// Kruise Rollout holds pods back in member1: the stage is not done, and says so.
	f.held = map[string]int64{"member1": 2}
	g.Expect(f.push("v4")).To(Succeed())
	waits := f.turn(c)
	g.Expect(images(f)).To(Equal("v4 v3"))
	g.Expect(meta.FindStatusCondition(waits.Status.Conditions, v1alpha1.ConditionProgressing).Message).
		To(ContainSubstring("member1 has 1 of 3 replicas updated"))
	f.held = nil
	f.turn(c)
	g.Expect(images(f)).To(Equal("v4 v4"))
}

// migrating: what a Migration imports is stable; cut off nothing is opened; taken over, changes are held again.
func migrating(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "migrates", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, deploymentRelease)
	g.Expect(f.push("v2")).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"))

	migration := &migrationv1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "deployment-web"}}
	migration.Spec.APIVersion, migration.Spec.Kind, migration.Spec.Name = "apps/v1", "Deployment", "web"
	g.Expect(admin.Create(t.Context(), migration)).To(Succeed())
	phase := func(to migrationv1alpha1.Phase) *v1alpha1.Release {
		t.Helper()
		before := migration.DeepCopy()
		migration.Status.Phase = to
		g.Expect(admin.Status().Patch(t.Context(), migration, client.MergeFrom(before))).To(Succeed())
		return f.turn(c)
	}
	// Federated, it is released as any other.
	g.Expect(reason(phase(migrationv1alpha1.PhaseFederated), v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))
	// Cut off in the middle: Karmada dispatches nothing any more, and no cluster is opened.
	suspended := func(yes bool) {
		for _, cluster := range []string{"member1", "member2"} {
			work := f.work(cluster)
			work.Spec.SuspendDispatching = &yes
			g.Expect(admin.Update(t.Context(), work)).To(Succeed())
		}
	}
	suspended(true)
	cut := phase(migrationv1alpha1.PhaseCuttingOff)
	g.Expect(reason(cut, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonMigrating))
	g.Expect(images(f)).To(Equal("v2 v1"), "what is half released is not released by that")
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Stages[0].Gates.Approvals = 0 })
	g.Expect(images(f)).To(Equal("v2 v1"))
	g.Expect(f.push("v9")).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"))
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Stages[0].Gates.Approvals = 1 })
	// What is imported from the members is stable at once, and no plan of a migration has it as a change.
	g.Expect(f.push("v4")).To(Succeed())
	taken := phase(migrationv1alpha1.PhaseOpening)
	g.Expect(taken.Status.Dispatch.Stable).To(Equal(taken.Status.Revision))
	g.Expect(images(f)).To(Equal("v4 v4"))
	suspended(false)
	taken = phase(migrationv1alpha1.PhaseFederated)
	g.Expect(reason(taken, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonComplete), "%+v", taken.Status)
	// Taken over, changes are held again.
	g.Expect(f.push("v5")).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v5 v4"))
}
