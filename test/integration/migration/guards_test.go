package migration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// guard the shared API server as an installation does, with no program of ours behind it; without the policy of approvals, which compares
// what a webhook stamps.
func guard(t *testing.T) {
	t.Helper()
	guardPlane(t, plane, "argosy-migration-approvals")
}

func guardPlane(t *testing.T, plane client.Client, but string) {
	t.Helper()
	objects, err := install.Registrations("https://127.0.0.1:1", []byte("none"))
	if err != nil {
		t.Fatal(err)
	}
	guards := 0
	for _, object := range objects {
		switch object.GetKind() {
		case "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
			if !strings.HasPrefix(object.GetName(), "argosy-migration-") {
				continue
			}
			guards++
			if object.GetName() == but {
				continue
			}
			if err := plane.Create(t.Context(), object); client.IgnoreAlreadyExists(err) != nil {
				t.Fatal(err)
			}
		}
	}
	if guards != 8 {
		t.Fatalf("%d guards are registered, want 4 policies and their bindings", guards)
	}
}

// refusedSoon is for the first thing a new policy refuses: the API server takes policies up within seconds.
func refusedSoon(t *testing.T, words string, try func() error) {
	t.Helper()
	NewWithT(t).Eventually(func() string {
		if err := try(); err != nil {
			return err.Error()
		}
		return ""
	}, machine.Patience, 100*time.Millisecond).Should(ContainSubstring(words))
}

func makeNamespace(t *testing.T, name string, annotations map[string]string) *corev1.Namespace {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
	if err := plane.Create(t.Context(), namespace); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return namespace
}

// No program of ours runs, and a cluster stays in a held binding: what takes it out is refused, as Karmada's taint manager does it, by an
// update.
func TestAHeldBindingKeepsItsClusters(t *testing.T) {
	guard(t)
	makeNamespace(t, "guarded", nil)
	binding := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{
		Namespace: "guarded", Name: "web-deployment", Annotations: map[string]string{v1alpha1.AnnotationHeld: "member1,member2"},
	}}
	binding.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "guarded", Name: "web"}
	binding.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 6}, {Name: "member2", Replicas: 4}}
	binding.Spec.Suspension = &workv1alpha2.Suspension{
		Suspension: policyv1alpha1.Suspension{Dispatching: ptr.To(true)}, Scheduling: ptr.To(true),
	}
	if err := plane.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	refusedSoon(t, "Clusters taken out: member2", func() error {
		if err := plane.Get(t.Context(), client.ObjectKeyFromObject(binding), binding); err != nil {
			return err
		}
		binding.Spec.GracefulEvictCluster("member2", workv1alpha2.NewTaskOptions(
			workv1alpha2.WithPurgeMode(policyv1alpha1.PurgeModeDirectly), workv1alpha2.WithProducer(workv1alpha2.EvictionProducerTaintManager),
			workv1alpha2.WithReason(workv1alpha2.EvictionReasonTaintUntolerated)))
		return plane.Update(t.Context(), binding, client.DryRunAll)
	})
	for what, change := range map[string]func(*workv1alpha2.ResourceBinding){
		"other replicas": func(b *workv1alpha2.ResourceBinding) { b.Spec.Clusters[0].Replicas = 5 },
		"a further cluster": func(b *workv1alpha2.ResourceBinding) {
			b.Spec.Clusters = append(b.Spec.Clusters, workv1alpha2.TargetCluster{Name: "member3"})
		},
		"dropped, and off the mark": func(b *workv1alpha2.ResourceBinding) {
			b.Annotations[v1alpha1.AnnotationHeld], b.Spec.Clusters = "member1", b.Spec.Clusters[:1]
		},
		"let go of": func(b *workv1alpha2.ResourceBinding) { b.Annotations, b.Spec.Clusters = nil, b.Spec.Clusters[:1] },
	} {
		if err := plane.Get(t.Context(), client.ObjectKeyFromObject(binding), binding); err != nil {
			t.Fatal(err)
		}
		change(binding)
		if err := plane.Update(t.Context(), binding, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The Works of what is cut off are neither opened nor deleted, by whomever; once the mark is gone they are Karmada's again.
func TestAClosedWorkIsNeitherOpenedNorDeleted(t *testing.T) {
	guard(t)
	makeNamespace(t, "karmada-es-guarded", nil)
	manifest := func(mark string) []workv1alpha1.Manifest {
		return []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: []byte(
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"guarded","name":"web","annotations":{"` + mark +
				`":"deployment-web"}}}`)}}}
	}
	work := &workv1alpha1.Work{ObjectMeta: metav1.ObjectMeta{Namespace: "karmada-es-guarded", Name: "web"}}
	work.Spec.SuspendDispatching, work.Spec.PreserveResourcesOnDeletion = ptr.To(true), ptr.To(true)
	work.Spec.Workload.Manifests = manifest(v1alpha1.AnnotationClosed)
	if err := plane.Create(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	refusedSoon(t, "argosyctl migration leave", func() error { return plane.Delete(t.Context(), work, client.DryRunAll) })
	for what, change := range map[string]func(*workv1alpha1.Work){
		"opened":         func(w *workv1alpha1.Work) { w.Spec.SuspendDispatching = nil },
		"not preserving": func(w *workv1alpha1.Work) { w.Spec.PreserveResourcesOnDeletion = ptr.To(false) },
	} {
		next := work.DeepCopy()
		change(next)
		if err := plane.Update(t.Context(), next, client.DryRunAll); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	work.Finalizers = []string{"karmada.io/execution-controller"}
	if err := plane.Update(t.Context(), work, client.DryRunAll); err != nil {
		t.Errorf("a finalizer: %v", err)
	}
	work.Finalizers, work.Spec.Workload.Manifests = nil, manifest(v1alpha1.AnnotationLeaving)
	if err := plane.Update(t.Context(), work); err != nil {
		t.Fatalf("leaving: %v", err)
	}
	if err := plane.Delete(t.Context(), work); err != nil {
		t.Errorf("deletion of what leaves: %v", err)
	}
}

// The namespace of a migration's applications stays, its protection by Karmada's label taken off or not.
func TestANamespaceOfAMigrationStays(t *testing.T) {
	guard(t)
	home := makeNamespace(t, "guarded-home", map[string]string{v1alpha1.AnnotationProtected: "true"})
	refusedSoon(t, "argosyctl migration leave", func() error { return plane.Delete(t.Context(), home, client.DryRunAll) })
	other := makeNamespace(t, "guarded-other", nil)
	if err := plane.Delete(t.Context(), other, client.DryRunAll); err != nil {
		t.Errorf("deletion of another namespace: %v", err)
	}
}

// Whoever may update Migrations approves nothing by that: the verb is asked of whoever adds an approval.
func TestAnApprovalNeedsItsVerb(t *testing.T) {
	g := newGuarded(t)
	bindRoles(t, g.config, g)
	guardPlane(t, g.Client, "")
	migration := g.application(t, v1alpha1.PhaseAwaitingApproval)
	as := func(role string) client.Client {
		t.Helper()
		out, err := client.New(lab.Person(g.config, role, role), client.Options{Scheme: kinds, Mapper: g.RESTMapper()})
		if err != nil {
			t.Fatal(err)
		}
		NewWithT(t).Eventually(func() error { return out.List(t.Context(), &v1alpha1.MigrationList{}) }, machine.Patience).Should(Succeed())
		return out
	}
	admin, approver := as("argosy-migration-admin"), as("argosy-migration-approver")
	next := migration.DeepCopy()
	approved(next)
	refusedSoon(t, "argosy-migration-admin may not approve plans", func() error {
		return admin.Patch(t.Context(), next.DeepCopy(), client.MergeFrom(migration), client.DryRunAll)
	})
	rejected := migration.DeepCopy()
	rejected.Spec.Approvals = append(rejected.Spec.Approvals,
		v1alpha1.Approval{PlanHash: firstPlan, Decision: v1alpha1.DecisionReject, Reason: "not now"})
	refusal(t, "an admin's rejection", admin.Patch(t.Context(), rejected.DeepCopy(), client.MergeFrom(migration), client.DryRunAll),
		"argosy-migration-admin may not approve plans")
	refusal(t, "an approver's rejection", approver.Patch(t.Context(), rejected.DeepCopy(), client.MergeFrom(migration), client.DryRunAll), "")
	refusal(t, "an approver's approval", approver.Patch(t.Context(), next.DeepCopy(), client.MergeFrom(migration), client.DryRunAll), "")
	wish := migration.DeepCopy()
	leaves(wish)
	refusal(t, "an admin's wish", admin.Patch(t.Context(), wish, client.MergeFrom(migration), client.DryRunAll), "")
}

// A person's rollback needs no webhook of ours: entries are taken off a list of the greatest length while it is down, and nothing else is
// done.
func TestARollbackNeedsNoWebhook(t *testing.T) {
	g := newGuarded(t)
	list := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "long"}}
	for i := range 500 {
		one := entry(fmt.Sprintf("application-%d", i))
		one.Clusters = []string{"member1", "member2", "member3"}
		list.Spec.Entries = append(list.Spec.Entries, one)
	}
	NewWithT(t).Eventually(func() error { return g.Create(t.Context(), list) }, machine.Patience).Should(Succeed())
	shorter := list.DeepCopy()
	shorter.Spec.Entries = shorter.Spec.Entries[:499]
	if err := g.Update(t.Context(), shorter.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("taking one off: %v", err)
	}
	if said := strings.Join(g.warned.said, " "); !strings.Contains(said, "application-499 is taken off") {
		t.Errorf("warned of %q", said)
	}
	g.server.StopsOnPurpose("whitelists.migration.argosy.dev", "removals.migration.argosy.dev")
	g.hooks.Close()
	if err := g.Update(t.Context(), shorter.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("taking one off, the webhook down: %v", err)
	}
	calmer := list.DeepCopy()
	calmer.Spec.Strategy.RequiredApprovals = ptr.To[int32](0)
	refusal(t, "fewer approvals, the webhook down", g.Update(t.Context(), calmer, client.DryRunAll), "whitelists.migration.argosy.dev")
}
