package release

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

const deploymentRelease = `
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {name: web, namespace: NAMESPACE}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  stages:
  - {name: canary, clusters: {names: [member1]}, gates: {approvals: 1}}
  - {name: rest}
`

const cloneSetRelease = `
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {name: web, namespace: NAMESPACE}
spec:
  targetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  stages:
  - {name: three, updated: 3, gates: {approvals: 1}}
  - {name: rest}
`

// TestRules: what the schema refuses, in its words.
func TestRules(t *testing.T) {
	namespace(t, "rules")
	for name, tc := range map[string]struct{ old, new, want string }{
		"as it is":                    {},
		"a number for a Deployment":   {"clusters: {names: [member1]}", "updated: 1", "stages.updated needs a kind with a partition"},
		"the last stage is not whole": {"- {name: rest}", "- {name: rest, clusters: {names: [member2]}}", "the last stage opens everything"},
		"a whole stage in the middle": {"clusters: {names: [member1]}, ", "", "only the last stage may be without clusters and updated"},
		"a Secret with it": {"  stages:", "  with: [{apiVersion: v1, kind: Secret, name: web}]\n  stages:",
			`supported values: "ConfigMap"`},
		"an object twice with it": {"  stages:",
			"  with: [{apiVersion: v1, kind: ConfigMap, name: web}, {apiVersion: v1, kind: ConfigMap, name: web}]\n  stages:", "Duplicate value"},
		"overrides of a third kind": {"  stages:", "  overrides: Ask\n  stages:", `supported values: "Pass", "Hold"`},
		"a name twice":              {"name: rest", "name: canary", "Duplicate value"},
		"a cluster twice":           {"[member1]", "[member1, member1]", "Duplicate value"},
		"no stages": {deploymentRelease[strings.Index(deploymentRelease, "  stages"):], "  stages: []\n",
			"should have at least 1 items"},
		"an unknown field": {"gates: {approvals: 1}", "gates: {approval: 1}", `unknown field "spec.stages[0].gates.approval"`},
		"a query of one's own": {
			"gates: {approvals: 1}", `gates: {prometheus: [{address: "https://metrics.example", query: up}]}`,
			"a query of a Release needs secretName",
		},
		"a query in the clear": {
			"gates: {approvals: 1}", `gates: {prometheus: [{address: "http://metrics.example", query: up, secretName: metrics}]}`,
			"needs an address with https",
		},
		"a check twice":    {"gates: {approvals: 1}", "gates: {checks: [Smoke, Smoke]}", "Duplicate value"},
		"a window of none": {"  stages:", "  freezeWindows: [{name: sale}]\n  stages:", "either start and end, or days"},
		"a window twice": {"  stages:", `  freezeWindows:
  - {name: sale, days: [Friday], from: "18:00", to: "09:00"}
  - {name: sale, days: [Monday], from: "18:00", to: "09:00"}
  stages:`, "Duplicate value"},
		"a deadline of nothing": {"  stages:", "  progressDeadlineSeconds: 0\n  stages:", "should be greater than or equal to 10"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(deploymentRelease, tc.old, tc.new, 1)
			strict := client.WithFieldValidation(admin, metav1.FieldValidationStrict)
			err := strict.Create(t.Context(), parse(t, strings.ReplaceAll(text, "NAMESPACE", "rules")), client.DryRunAll)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	for _, updated := range []string{"0", "0%", "101%", "half"} {
		err := admin.Create(t.Context(), parse(t, strings.NewReplacer("NAMESPACE", "rules", "updated: 3",
			"updated: "+updated).Replace(cloneSetRelease)), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "spec.stages[0].updated") {
			t.Errorf("updated %s: error %v", updated, err)
		}
	}
}

// TestApprovals: only whoever may approve, in their own name, and nothing else with it.
func TestApprovals(t *testing.T) {
	g := NewWithT(t)
	register(t, "https://127.0.0.1:1", []byte("none"), "argosy-release-approvals")
	g.Expect(lab.GrantPeople(t.Context(), plane.Config)).To(Succeed())
	namespace(t, "approvals")
	made := parse(t, strings.ReplaceAll(deploymentRelease, "NAMESPACE", "approvals"))
	g.Expect(admin.Create(t.Context(), made)).To(Succeed())
	as := func(config *rest.Config) client.Client {
		c, err := client.New(config, client.Options{Scheme: admin.Scheme()})
		g.Expect(err).NotTo(HaveOccurred())
		return c
	}
	ann := as(lab.Person(plane.Config, "ann", lab.ReleaseApprover))
	program := as(lab.Person(plane.Config, "system:serviceaccount:ci:ci", lab.ReleaseApprover))
	nobody := as(lab.Person(plane.Config, "eve", "argosy-migration-admin"))
	patch := func(who client.Client, change func(*v1alpha1.Release), options ...client.PatchOption) error {
		release := &v1alpha1.Release{}
		g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: "approvals", Name: "web"}, release)).To(Succeed())
		before := release.DeepCopy()
		change(release)
		return who.Patch(t.Context(), release, client.MergeFrom(before), options...)
	}
	approve := func(user string) func(*v1alpha1.Release) {
		return func(r *v1alpha1.Release) {
			r.Spec.Approvals = append(r.Spec.Approvals, v1alpha1.Approval{Revision: "r", Stage: "canary", User: user})
		}
	}
	// The API server takes a policy up a moment after it is stored.
	g.Eventually(func() error { return patch(ann, approve("bob"), client.DryRunAll) }, machine.Patience, 100*time.Millisecond).
		Should(MatchError(ContainSubstring("an approval bears the name of whoever gives it, which is ann")))
	g.Expect(patch(program,
		approve("system:serviceaccount:ci:ci"))).To(MatchError(ContainSubstring("approved by people, and not by programs")))
	g.Expect(patch(nobody, approve("eve"))).NotTo(Succeed())
	g.Expect(patch(ann, func(r *v1alpha1.Release) { r.Spec.Promoted = "r" })).
		To(MatchError(ContainSubstring("and change nothing else of it")))
	g.Expect(patch(ann, approve("ann"))).To(Succeed())

	// Checks are reported by programs too, in their own name and with the verb report, and nothing else with them.
	const pipeline = "system:serviceaccount:ci:ci"
	reporter := as(lab.Person(plane.Config, pipeline, lab.ReleaseReporter))
	report := func(user string) func(*v1alpha1.Release) {
		return func(r *v1alpha1.Release) {
			check := v1alpha1.Check{Revision: "r", Stage: "canary", Name: "Smoke", Result: v1alpha1.CheckPassed, User: user}
			r.Spec.Checks = append(r.Spec.Checks, check)
		}
	}
	g.Expect(patch(reporter, report("ann"))).
		To(MatchError(ContainSubstring("a check bears the name of whoever reports it, which is " + pipeline)))
	g.Expect(patch(ann, report("ann"))).To(MatchError(ContainSubstring("ann may not report checks of releases")))
	g.Expect(patch(reporter, approve(pipeline))).NotTo(Succeed())
	g.Expect(patch(reporter, func(r *v1alpha1.Release) { r.Spec.RollbackTo = "r" })).
		To(MatchError(ContainSubstring("may approve this Release or report its checks, and change nothing else of it")))
	g.Expect(patch(reporter, report(pipeline))).To(Succeed())
}

// TestHeldOpenedAndBack plays a release on the real API server with the real webhook and the guards: what is held, what opens, a
// marks thief, a Work made anew, and the way back.
func TestHeldOpenedAndBack(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "held", kind: "Deployment", assigned: map[string]int64{"member1": 2, "member2": 2, "member3": 2}}
	namespace(t, f.namespace)
	webhook := plane.StartWebhook(t)
	register(t, "https://"+webhook.Address, webhook.Authority.PEM, "argosy-dispatch")
	register(t, "https://"+webhook.Address, webhook.Authority.PEM, "argosy-release-templates")
	register(t, "https://"+webhook.Address, webhook.Authority.PEM, "argosy-release-works")
	c := controller()

	g.Expect(f.push("v1")).To(Succeed())
	f.bind()
	g.Expect(admin.Create(t.Context(), parse(t, strings.ReplaceAll(deploymentRelease, "NAMESPACE", f.namespace)))).To(Succeed())
	release := f.turn(c)
	g.Expect(meta.IsStatusConditionTrue(release.Status.Conditions, v1alpha1.ConditionComplete)).To(BeTrue(), "%+v", release.Status)
	r1 := release.Status.Revision

	// A push is marked at once, before the controller saw it.
	g.Eventually(func(g Gomega) {
		g.Expect(f.push("v2")).To(Succeed())
		marks := f.template().GetAnnotations()
		g.Expect(marks[v1alpha1.AnnotationStable]).To(Equal(r1))
		g.Expect(marks[v1alpha1.AnnotationRevision]).NotTo(Equal(r1))
		g.Expect(marks[v1alpha1.AnnotationOpen]).To(BeEmpty())
	}, machine.Patience, 200*time.Millisecond).Should(Succeed())
	for _, cluster := range []string{"member1", "member2", "member3"} {
		g.Expect(f.sync(cluster)).To(Succeed())
		g.Expect(f.dispatched(cluster)).To(Equal("v1 of 2, partition 0"), cluster)
	}
	release = f.turn(c)
	r2 := release.Status.Revision
	g.Expect(f.dispatched("member1")).To(Equal("v2 of 2, partition 0"))
	g.Expect(f.dispatched("member2")).To(Equal("v1 of 2, partition 0"))
	g.Expect(meta.IsStatusConditionTrue(release.Status.Conditions, v1alpha1.ConditionAwaitingApproval)).To(BeTrue(), "%+v", release.Status)

	// A thief brings marks that open everything, and takes the label off.
	stolen := f.template()
	stolen.SetLabels(nil)
	stolen.SetAnnotations(map[string]string{v1alpha1.AnnotationRevision: r2, v1alpha1.AnnotationStable: r2, v1alpha1.AnnotationOpen: "*"})
	g.Expect(admin.Update(t.Context(), stolen)).To(Succeed())
	g.Expect(f.template().GetAnnotations()).To(HaveKeyWithValue(v1alpha1.AnnotationOpen, "member1"))
	g.Expect(f.template().GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelStaged, "web"))

	// Scaling goes on in held clusters; a Work that is made anew gets the stable revision from the history, with the overrides of its cluster.
	f.assigned["member2"] = 5
	g.Expect(f.sync("member2")).To(Succeed())
	g.Expect(f.dispatched("member2")).To(Equal("v1 of 5, partition 0"))
	override := parse(t, `
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: mirror, namespace: held}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
  overrideRules:
  - targetCluster: {clusterNames: [member3]}
    overriders: {imageOverrider: [{component: Registry, operator: replace, value: mirror.example}]}
`)
	g.Expect(admin.Create(t.Context(), override)).To(Succeed())
	g.Eventually(func(g Gomega) {
		work := f.work("member3")
		g.Expect(client.IgnoreNotFound(admin.Delete(t.Context(), work))).To(Succeed())
		g.Expect(f.sync("member3")).To(Succeed())
		g.Expect(string(f.work("member3").Spec.Workload.Manifests[0].Raw)).To(ContainSubstring("mirror.example/web:v1"))
	}, machine.Patience, 200*time.Millisecond).Should(Succeed())

	// Rejected: the cluster that had it goes back, and the template stays as it is.
	rejected := release.DeepCopy()
	rejected.Spec.Rejected = []string{r2}
	g.Expect(admin.Patch(t.Context(), rejected, client.MergeFrom(release))).To(Succeed())
	release = f.turn(c)
	g.Expect(f.dispatched("member1")).To(Equal("v1 of 2, partition 0"))
	g.Expect(meta.IsStatusConditionTrue(release.Status.Conditions, v1alpha1.ConditionRolledBack)).To(BeTrue(), "%+v", release.Status)

	// Without the dispatch admission the guard refuses what it would have held.
	dispatching := parse(t,
		"apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {name: argosy-dispatch}\n")
	g.Expect(admin.Delete(t.Context(), dispatching)).To(Succeed())
	g.Eventually(func() error { return f.sync("member2") }, machine.Patience, 200*time.Millisecond).
		Should(MatchError(ContainSubstring("is not open for member2")))
	g.Expect(f.dispatched("member2")).To(Equal("v1 of 5, partition 0"))
	register(t, "https://"+webhook.Address, webhook.Authority.PEM, "argosy-dispatch")
	g.Eventually(func() error { return f.sync("member2") }, machine.Patience, 200*time.Millisecond).Should(Succeed())

	// Deleted while held, it lets go once the template is back.
	g.Expect(admin.Delete(t.Context(), release)).To(Succeed())
	release = f.turn(c)
	g.Expect(meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionProgressing).Reason).To(Equal(v1alpha1.ReasonHeld))
	g.Expect(f.push("v1")).To(Succeed())
	f.turn(c)
	_, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(release)})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.template().GetLabels()).NotTo(HaveKey(v1alpha1.LabelStaged))
	g.Expect(f.template().GetAnnotations()).NotTo(HaveKey(v1alpha1.AnnotationStable))

	// The webhook and the guards are registered for these, too.
	t.Run("back to an older revision", backToAnOlderRevision)
	t.Run("a config goes out with it", configGoesOutWithIt)
	t.Run("overrides are held", overridesAreHeld)
	t.Run("a second push in the middle", secondPush)
	t.Run("clusters come and go", clustersComeAndGo)
	t.Run("scaled by others", scaledByOthers)
	t.Run("a Component", componentInStages)
	t.Run("what members own", membersOwn)
	t.Run("migrating", migrating)
	t.Run("everything restarts", everythingRestarts)
	t.Run("backups restored", backupsRestored)
	t.Run("tags to digests", tagsToDigests)
	t.Run("badly used", badlyUsed)
	t.Run("nobody is registered", nobodyRegistered)
	t.Run("upgraded", upgraded)
	t.Run("nowhere", nowhere)
}

// backToAnOlderRevision that another has replaced everywhere: from the history, without a write of the template, and with what each
// cluster will get shown before. The webhook and the guards are registered.
func backToAnOlderRevision(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "older", kind: "Deployment", assigned: map[string]int64{"member1": 2, "member2": 2}}
	namespace(t, f.namespace)
	c := controller()
	g.Expect(f.push("v1")).To(Succeed())
	f.bind()
	g.Expect(admin.Create(t.Context(), parse(t, strings.ReplaceAll(deploymentRelease, "NAMESPACE", f.namespace)))).To(Succeed())
	r1 := f.turn(c).Status.Revision
	g.Eventually(func(g Gomega) {
		g.Expect(f.push("v2")).To(Succeed())
		g.Expect(f.template().GetAnnotations()).To(HaveKeyWithValue(v1alpha1.AnnotationStable, r1))
	}, machine.Patience, 200*time.Millisecond).Should(Succeed())
	held := f.turn(c)
	previews, err := release.Previews(t.Context(), admin, held)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(previews).To(HaveLen(2))
	g.Expect(previews[0].Now).To(Equal(previews[0].Then), "member1 is open: %+v", held.Status)
	g.Expect(previews[1].Now).NotTo(Equal(previews[1].Then))
	g.Expect(previews[1].Revision).To(Equal(r1))

	edit := func(change func(*v1alpha1.ReleaseSpec)) *v1alpha1.Release {
		before := held.DeepCopy()
		change(&held.Spec)
		g.Expect(admin.Patch(t.Context(), held, client.MergeFrom(before))).To(Succeed())
		return f.turn(c)
	}
	held = edit(func(s *v1alpha1.ReleaseSpec) { s.Promoted = held.Status.Revision })
	r2 := held.Status.Revision
	g.Expect(held.Status.Dispatch.Stable).To(Equal(r2))
	g.Expect(f.dispatched("member2")).To(Equal("v2 of 2, partition 0"))

	held = edit(func(s *v1alpha1.ReleaseSpec) { s.Rejected, s.RollbackTo = []string{r2}, r1 })
	for _, cluster := range []string{"member1", "member2"} {
		g.Expect(f.dispatched(cluster)).To(Equal("v1 of 2, partition 0"), cluster)
	}
	g.Expect(meta.IsStatusConditionTrue(held.Status.Conditions, v1alpha1.ConditionRolledBack)).To(BeTrue(), "%+v", held.Status)
	g.Expect(f.template().GetAnnotations()).To(HaveKeyWithValue(v1alpha1.AnnotationRevision, r2))
	g.Expect(f.push("v2")).To(Succeed(), "GitOps applies it again")
	f.turn(c)
	g.Expect(f.dispatched("member1")).To(Equal("v1 of 2, partition 0"))
	g.Expect(admin.Delete(t.Context(), held)).To(Succeed())
	held = f.turn(c)
	g.Expect(f.push("v1")).To(Succeed())
	f.turn(c)
	_, err = c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(held)})
	g.Expect(err).NotTo(HaveOccurred())
}
