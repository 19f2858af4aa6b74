package migration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// Traps in which a live Karmada is the judge: what the planner is built around is seen to be so. ../../../migration/traps_test.go
// lists all of them, each with its test.

const trapped = "traps"

// plain puts a Deployment that uses a ConfigMap into the control plane, without any migration.
func plain(t *testing.T, name string, replicas int32) *appsv1.Deployment {
	t.Helper()
	labels := map[string]string{"app": name}
	meta := metav1.ObjectMeta{Namespace: trapped, Name: name}
	app := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To(replicas), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "app:1", EnvFrom: []corev1.EnvFromSource{
				{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}},
			},
		}}}},
	}}
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: trapped}}
	for _, object := range []client.Object{home, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": "b"}}, app} {
		if err := world.karmada.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	return app
}

// selecting is a policy of one Deployment, to both members.
func selecting(name string) *policyv1alpha1.PropagationPolicy {
	out := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: trapped, Name: name}}
	out.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: "apps/v1", Kind: "Deployment", Name: name}}
	out.Spec.Placement.ClusterAffinity = &policyv1alpha1.ClusterAffinity{ClusterNames: []string{"member1", "member2"}}
	return out
}

func patch(t *testing.T, object client.Object, text string) {
	t.Helper()
	if err := world.karmada.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(text))); err != nil {
		t.Fatal(err)
	}
}

func bindingOf(t *testing.T, kind, name string) *workv1alpha2.ResourceBinding {
	t.Helper()
	out := &workv1alpha2.ResourceBinding{}
	out.Namespace, out.Name = trapped, names.GenerateBindingName(kind, name)
	if err := client.IgnoreNotFound(world.karmada.Get(t.Context(), client.ObjectKeyFromObject(out), out)); err != nil {
		t.Fatal(err)
	}
	return out
}

// workOf an object for a member; empty while there is none.
func workOf(t *testing.T, member, kind, namespace, name string) *workv1alpha1.Work {
	t.Helper()
	out := &workv1alpha1.Work{}
	key := client.ObjectKey{Namespace: names.GenerateExecutionSpaceName(member), Name: names.GenerateWorkName(kind, name, namespace)}
	if err := client.IgnoreNotFound(world.karmada.Get(t.Context(), key, out)); err != nil {
		t.Fatal(err)
	}
	return out
}

// Trap 1. A suspension.dispatching written on a binding is the detector's to overwrite from the policy, so it is set
// there; suspension.scheduling is the binding's own and is kept. A binding attached by propagateDeps has no policy and keeps
// both: so nothing of a migration is carried by propagateDeps.
func TestSuspensionSetOnABindingIsOverwritten(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	const name = "by-hand"
	app := plain(t, name, 2)
	selected := selecting(name)
	selected.Spec.PropagateDeps = true
	g.Expect(world.karmada.Create(t.Context(), selected)).To(Succeed())
	for kind := range map[string]bool{"Deployment": true, "ConfigMap": true} {
		g.Eventually(func() int { return len(workOf(t, "member1", kind, trapped, name).Spec.Workload.Manifests) }, machine.Patience, look).
			Should(Equal(1), kind)
		patch(t, bindingOf(t, kind, name), `{"spec":{"suspension":{"dispatching":true,"scheduling":true}}}`)
	}
	// The detector looks at its template again.
	patch(t, app, `{"metadata":{"annotations":{"seen":"again"}}}`)
	g.Eventually(func() *workv1alpha2.Suspension { return bindingOf(t, "Deployment", name).Spec.Suspension }, machine.Patience, look).
		Should(Equal(&workv1alpha2.Suspension{Scheduling: ptr.To(true)}))
	// And the distributor of dependencies at all of them: a second one shows that it did.
	more := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: trapped, Name: "second"}}
	g.Expect(world.karmada.Create(t.Context(), more)).To(Succeed())
	patch(t, app, `{"spec":{"template":{"spec":{"volumes":[{"name":"second","configMap":{"name":"second"}}]}}}}`)
	g.Eventually(func() string { return bindingOf(t, "ConfigMap", "second").Spec.Resource.Name }, machine.Patience, look).
		Should(Equal("second"))
	if attached := bindingOf(t, "ConfigMap", name).Spec.Suspension; attached == nil || !ptr.Deref(attached.Dispatching, false) ||
		!ptr.Deref(attached.Scheduling, false) {
		t.Errorf("the attached binding has %+v", attached)
	}
	// Set through the policy it stays, whatever happens to the template; what is attached does not inherit it.
	patch(t, selected, `{"spec":{"suspension":{"dispatching":true}}}`)
	suspended := func() bool {
		return ptr.Deref(workOf(t, "member1", "Deployment", trapped, name).Spec.SuspendDispatching, false)
	}
	g.Eventually(suspended, machine.Patience, look).Should(BeTrue())
	patch(t, app, `{"metadata":{"annotations":{"seen":"once more"}}}`)
	g.Eventually(func() string {
		return strings.Join(annotationsOf(t, workOf(t, "member1", "Deployment", trapped, name), "seen"), " ")
	}, machine.Patience, look).Should(Equal("once more"))
	if !suspended() || ptr.Deref(workOf(t, "member1", "ConfigMap", trapped, "second").Spec.SuspendDispatching, false) {
		t.Error("the Deployment's Work is open, or that of its dependency is suspended")
	}
	g.Expect(world.karmada.Delete(t.Context(), selected)).To(Succeed())
}

// annotationsOf a Work's manifest.
func annotationsOf(t *testing.T, work *workv1alpha1.Work, key string) []string {
	t.Helper()
	var out []string
	for _, manifest := range work.Spec.Workload.Manifests {
		object := metav1.PartialObjectMetadata{}
		if err := json.Unmarshal(manifest.Raw, &object); err != nil {
			t.Fatal(err)
		}
		out = append(out, object.Annotations[key])
	}
	return out
}

// Trap 3. Clusters preset in a frozen binding without replicas are written as 0 into their Works; with replicas they are kept.
func TestPresetClustersWithoutReplicas(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	const name = "preset"
	plain(t, name, 4)
	selected := selecting(name)
	selected.Spec.Suspension = &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}
	selected.Spec.Placement.ReplicaScheduling = &policyv1alpha1.ReplicaSchedulingStrategy{
		ReplicaSchedulingType:     policyv1alpha1.ReplicaSchedulingTypeDivided,
		ReplicaDivisionPreference: policyv1alpha1.ReplicaDivisionPreferenceWeighted}
	g.Expect(world.karmada.Create(t.Context(), selected)).To(Succeed())
	replicas := func() []int32 {
		var out []int32
		for _, member := range []string{"member1", "member2"} {
			for _, manifest := range workOf(t, member, "Deployment", trapped, name).Spec.Workload.Manifests {
				object := appsv1.Deployment{}
				if err := json.Unmarshal(manifest.Raw, &object); err != nil {
					t.Fatal(err)
				}
				out = append(out, ptr.Deref(object.Spec.Replicas, -1))
			}
		}
		return out
	}
	g.Eventually(replicas, machine.Patience, look).Should(Equal([]int32{2, 2}))
	patch(t, bindingOf(t, "Deployment", name),
		`{"spec":{"suspension":{"scheduling":true},"clusters":[{"name":"member1"},{"name":"member2"}]}}`)
	g.Eventually(replicas, machine.Patience, look).Should(Equal([]int32{0, 0}))
	patch(t, bindingOf(t, "Deployment", name), `{"spec":{"clusters":[{"name":"member1","replicas":3},{"name":"member2","replicas":1}]}}`)
	g.Eventually(replicas, machine.Patience, look).Should(Equal([]int32{3, 1}))
	g.Expect(world.karmada.Delete(t.Context(), selected)).To(Succeed())
}

// Trap 14. One edit of an OverridePolicy is in every cluster of its object at once, no cluster before the other. Since ours
// name one object each it reaches no other, and while the application is cut off it reaches no member.
func (s *story) overrideReachesEveryCluster(app, other static.App) {
	s.Helper()
	generations := func() []int64 {
		var out []int64
		for _, member := range other.Members() {
			for _, kind := range []string{other.Kind, "ConfigMap"} {
				out = append(out, workOf(s.T, member, kind, other.Namespace, other.Name).Generation)
			}
		}
		return out
	}
	// Karmada may still be writing what came with the take-over, when the machine is slow: the edit that has others written does so each time.
	level := "debug"
	for tries := 1; ; tries++ {
		var before []int64
		s.Eventually(func() bool {
			last := before
			before = generations()
			return slices.Equal(last, before)
		}, machine.Patience, 5*time.Second).Should(BeTrue())
		s.level(app, level)
		s.Eventually(func() []string { return s.levels(app) }, machine.Patience, look).Should(Equal([]string{level, level}))
		after := generations()
		if slices.Equal(before, after) {
			break
		}
		if tries == machine.Tries {
			s.Fatalf("the Works of another application are written with each edit: their generations were %v and are %v", before, after)
		}
		level += "-again"
	}

	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.level(app, "trace")
	s.Eventually(func() bool {
		for _, member := range app.Members() {
			manifests := workOf(s.T, member, "ConfigMap", app.Namespace, app.Name).Spec.Workload.Manifests
			if len(manifests) != 1 || !strings.Contains(string(manifests[0].Raw), "trace") {
				return false
			}
		}
		return true
	}, machine.Patience, look).Should(BeTrue(), "Karmada has not rendered the edit")
	s.Expect(s.levels(app)).To(Equal([]string{level, level}))
}

// level sets the ConfigMap's level in every cluster, by one edit of its OverridePolicy.
func (s *story) level(app static.App, value string) {
	s.Helper()
	over := &policyv1alpha1.OverridePolicy{}
	key := client.ObjectKey{Namespace: app.Namespace, Name: policy.Name("ConfigMap", app.Name)}
	if err := world.karmada.Get(s.Context(), key, over); err != nil {
		s.Fatal(err)
	}
	before := over.DeepCopy()
	over.Spec.OverrideRules = append(over.Spec.OverrideRules, policyv1alpha1.RuleWithCluster{Overriders: policyv1alpha1.Overriders{
		Plaintext: []policyv1alpha1.PlaintextOverrider{
			{Path: "/data/level", Operator: policyv1alpha1.OverriderOpReplace, Value: apiextensionsv1.JSON{Raw: []byte(`"` + value + `"`)}},
		},
	}})
	if err := world.karmada.Patch(s.Context(), over, client.MergeFrom(before)); err != nil {
		s.Fatal(err)
	}
}

func (s *story) levels(app static.App) []string {
	s.Helper()
	var out []string
	for _, member := range app.Members() {
		config := &corev1.ConfigMap{}
		if err := world.members[member].Get(s.Context(), client.ObjectKey{Namespace: app.Namespace, Name: app.Name}, config); err != nil {
			s.Fatal(err)
		}
		out = append(out, config.Data["level"])
	}
	return out
}

// Trap 8. A namespace that the members have would be propagated by Karmada for ever in vain; the one made for an application
// is kept out of that.
func (s *story) namespaceIsNotPropagated(app static.App) {
	s.Helper()
	for _, member := range app.Members() {
		if work := workOf(s.T, member, "Namespace", "", app.Namespace); work.Name != "" {
			s.Errorf("Karmada has a Work of namespace %s for %s", app.Namespace, member)
		}
	}
}
