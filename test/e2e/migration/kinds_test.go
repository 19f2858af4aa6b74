package migration

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// Stateful and per-node workloads, with claims bound to volumes of their cluster, Ingresses whose hosts differ and
// disruption budgets: in, cut off, and gone from the control plane, and nobody notices.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	both := map[string]int64{"member1": 2, "member2": 1}
	nodes := map[string]int64{"member1": 3, "member2": 3}
	apps := []static.App{
		{Namespace: "kinds", Name: "db", Kind: "StatefulSet", Image: "db:1", Replicas: both, Volume: true},
		{Namespace: "kinds", Name: "store", Kind: "StatefulSet", API: "apps.kruise.io/v1beta1", Image: "store:1", Replicas: both},
		{Namespace: "kinds", Name: "agent", Kind: "DaemonSet", Image: "agent:1", Replicas: nodes},
		{Namespace: "kinds", Name: "front", Kind: "Deployment", Image: "front:1", Replicas: both, Front: true},
	}
	// Advanced StatefulSet and StatefulSet of one name would share a Migration; of different names they do not.
	s := newStory(t, apps...)
	s.list(0)
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) {
		spec.Strategy.BatchWeights = []int32{1}
		for _, app := range apps {
			spec.Entries = append(spec.Entries, entryOf(app))
		}
	})
	for _, app := range apps {
		s.reach(app, v1alpha1.PhaseFederated)
	}
	s.unchanged()
	for _, name := range apps[0].Members() {
		member := world.members[name]
		claim, ingress := &corev1.PersistentVolumeClaim{}, &networkingv1.Ingress{}
		s.Expect(member.Get(t.Context(), client.ObjectKey{Namespace: "kinds", Name: "db"}, claim)).To(Succeed())
		s.Expect(member.Get(t.Context(), client.ObjectKey{Namespace: "kinds", Name: "front"}, ingress)).To(Succeed())
		if claim.Spec.VolumeName != "db-"+name || claim.Status.Phase != corev1.ClaimBound || claim.Labels["karmada.io/managed"] != "true" {
			t.Errorf("claim of %s: volume %q, %s, labels %v", name, claim.Spec.VolumeName, claim.Status.Phase, claim.Labels)
		}
		if ingress.Spec.Rules[0].Host != name+".example" || ingress.Labels["karmada.io/managed"] != "true" {
			t.Errorf("Ingress of %s: host %q, labels %v", name, ingress.Spec.Rules[0].Host, ingress.Labels)
		}
	}

	// Unjoining a cluster now would delete all that: the namespace in which it ends is kept. The refusal names five applications; which,
	// depends on those of the other stories in this federation.
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "karmada-es-member2"}}
	if err := world.karmada.Delete(t.Context(), space); err == nil || !strings.Contains(err.Error(), "these applications have there: ") {
		t.Errorf("deletion of member2's execution namespace: %v, want a refusal that names applications", err)
	}

	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = nil })
	for _, app := range apps {
		migration := s.reach(app, v1alpha1.PhaseCutOff)
		before := migration.DeepCopy()
		migration.Spec.AfterCutOff = v1alpha1.AfterCutOffLeave
		s.Expect(world.karmada.Patch(t.Context(), migration, client.MergeFrom(before))).To(Succeed())
	}
	for _, app := range apps {
		s.reach(app, v1alpha1.PhaseLeft)
	}
	s.unchanged()
}

// The control plane's CRD is older than the members' and lacks a field that is in use: the write would take the field
// away from every member. It is seen and said, and nothing is opened.
func TestControlPlaneOlderThanItsMembers(t *testing.T) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := world.karmada.Get(t.Context(), client.ObjectKey{Name: "clonesets.apps.kruise.io"}, crd); err != nil {
		t.Fatal(err)
	}
	old := crd.DeepCopy()
	for i := range old.Spec.Versions {
		delete(old.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"].Properties, "minReadySeconds")
	}
	if err := world.karmada.Patch(t.Context(), old, client.MergeFrom(crd)); err != nil {
		t.Fatal(err)
	}
	// The API server goes by the former schema for a moment.
	NewWithT(t).Eventually(func() (bool, error) {
		probe := workload(static.App{Namespace: metav1.NamespaceDefault, Name: "older", Kind: "CloneSet"})
		probe.Object["spec"] = map[string]any{"minReadySeconds": int64(1), "selector": map[string]any{}, "template": map[string]any{}}
		err := world.karmada.Create(t.Context(), probe, client.DryRunAll)
		_, kept, _ := unstructured.NestedFieldNoCopy(probe.Object, "spec", "minReadySeconds")
		return kept, err
	}, machine.Patience, look).Should(BeFalse(), "the field is kept")
	app := static.App{Namespace: "older", Name: "older", Kind: "CloneSet", Image: "older:1",
		Replicas: map[string]int64{"member1": 1, "member2": 1},
		Extra:    map[string]any{"minReadySeconds": int64(1)}}
	s := newStory(t, app)
	s.list(0, app)
	s.Eventually(func() string { return describe(s.migration(app)) }, machine.Patience, look).
		Should(ContainSubstring("differs from the members at spec.minReadySeconds"))
	if migration := s.migration(app); migration.Status.Blocked != v1alpha1.ReasonTemplateNotKept ||
		migration.Status.Management != v1alpha1.ManagementStatic {
		t.Errorf("blocked by %q, managed: %s", migration.Status.Blocked, migration.Status.Management)
	}
	s.unchanged()
	upgraded := old.DeepCopy()
	upgraded.Spec = crd.Spec
	if err := world.karmada.Patch(t.Context(), upgraded, client.MergeFrom(old)); err != nil {
		t.Fatal(err)
	}
	// A watch of Karmada's that the old schema still served saw the template written anew without the field, and no event comes after it:
	// the controller touches the template.
	s.reach(app, v1alpha1.PhaseFederated)
	s.unchanged()
}

// A member's autoscaler scales out while the application soaks: that is its right, and no reason to roll back.
func TestAutoscalerScalesMeanwhile(t *testing.T) {
	app := static.App{
		Namespace: "scales", Name: "scales", Kind: "CloneSet", Image: "scales:1", Replicas: map[string]int64{"member1": 2, "member2": 2},
		Autoscaled: true,
	}
	s := newStory(t, app)
	s.listSoaking(endless, 0, app)
	s.reach(app, v1alpha1.PhaseSoaking)
	// Its floor is raised in the member by hand, while nobody of Karmada's looks. The autoscaler scales; then Karmada
	// puts the floor back and leaves the replicas to the autoscaler, which has no reason to take them away again.
	const karmada = "karmada/controller-manager"
	s.Expect(world.lab.Stop(t.Context(), karmada)).To(Succeed())
	raise := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"minReplicas":4}}`))
	hpa := named(app, "autoscaling/v2", "HorizontalPodAutoscaler")
	s.Expect(world.members["member1"].Patch(t.Context(), hpa, raise)).To(Succeed())
	s.Eventually(func() any {
		spec, _, err := app.Spec(t.Context(), world.members["member1"])
		if err != nil {
			return err
		}
		return spec["replicas"]
	}, machine.Patience, look).Should(Equal(int64(4)))
	s.Expect(world.lab.Start(t.Context(), karmada)).To(Succeed())
	before := s.before[app.Name]
	// It is watched with its new pods for as long again as it takes to look at them several times.
	s.soak(int32(time.Since(s.migration(app).Status.SoakStartTime.Time)/time.Second) + 20)
	s.reach(app, v1alpha1.PhaseFederated)
	app.Replicas = map[string]int64{"member1": 4, "member2": 2}
	s.apps = []static.App{app}
	s.remember()
	for name, pod := range before {
		if s.before[app.Name][name] != pod {
			t.Errorf("pod %s was %+v and is %+v", name, pod, s.before[app.Name][name])
		}
	}
	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.unchanged()
}
