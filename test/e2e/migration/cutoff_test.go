package migration

import (
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// Cut off, released statically, its template's deletion refused, adopted again with what it became, cut off
// again, and gone from the control plane for good: the members' objects are the same throughout.
func TestOutAndBackAndAway(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"Deployment", "CloneSet"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			outAndBackAndAway(t, kind)
		})
	}
}

func outAndBackAndAway(t *testing.T, kind string) {
	app := static.App{
		Namespace: "books-" + strings.ToLower(kind), Name: "books", Kind: kind, Image: "books:1",
		Replicas: map[string]int64{"member1": 3, "member2": 2},
	}
	s := newStory(t, app)
	s.list(0, app)
	s.reach(app, v1alpha1.PhaseFederated)
	s.unchanged()

	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.unchanged()

	// Static management is open again: a new image and other replicas.
	app.Image, app.Replicas = "books:2", map[string]int64{"member1": 5, "member2": 4}
	s.apps = []static.App{app}
	if err := app.Release(t.Context(), world.members); err != nil {
		t.Fatal(err)
	}
	s.Eventually(func() []string {
		var images []string
		for _, member := range app.Members() {
			spec, _, err := app.Spec(t.Context(), world.members[member])
			if err != nil {
				return []string{err.Error()}
			}
			containers, _, _ := unstructured.NestedSlice(spec, "template", "spec", "containers")
			images = append(images, containers[0].(map[string]any)["image"].(string))
		}
		return images
	}, machine.Patience, look).Should(Equal([]string{"books:2", "books:2"}))
	s.remember()

	s.refused(app)
	s.unchanged()

	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = []v1alpha1.WhitelistEntry{entryOf(app)} })
	s.reach(app, v1alpha1.PhaseFederated)
	s.unchanged()

	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.leave(app)
	s.unchanged()
	var policies policyv1alpha1.PropagationPolicyList
	if err := world.karmada.List(t.Context(), &policies, client.InNamespace(app.Namespace)); err != nil {
		t.Fatal(err)
	}
	for i := range policies.Items {
		if policies.Items[i].DeletionTimestamp.IsZero() {
			t.Errorf("policy %s is left", policies.Items[i].Name)
		}
	}
	for _, member := range app.Members() {
		for _, live := range []*unstructured.Unstructured{
			workload(app), named(app, "v1", "ConfigMap"), named(app, "v1", "Secret"), named(app, "v1", "Service"),
		} {
			if err := world.members[member].Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
				t.Fatal(err)
			}
			for _, marks := range []map[string]string{live.GetLabels(), live.GetAnnotations()} {
				for key := range marks {
					// (work.karmada.io/conflict-resolution stays: Karmada does not take its own policy's word off, and it means nothing there.)
					if strings.HasPrefix(key, "migration.argosy.dev/") || key == "resourcetemplate.karmada.io/deletion-protected" ||
						key == "karmada.io/managed" {
						t.Errorf("%s %s in %s bears %s after it left", live.GetKind(), live.GetName(), member, key)
					}
				}
			}
		}
	}
	home := &corev1.Namespace{}
	if err := world.karmada.Get(t.Context(), client.ObjectKey{Name: app.Namespace}, home); err != nil {
		t.Fatal(err)
	}
	if home.Annotations[v1alpha1.AnnotationProtected] != "" {
		t.Errorf("the namespace is protected after the last application left: %v", home.Annotations)
	}
	// Deleted at once, the record leaves nothing behind.
	if err := world.karmada.Delete(t.Context(), s.migration(app)); err != nil {
		t.Errorf("deleting the record: %v", err)
	}
}

// refused tries to delete what is cut off: template, policy, and the Migration itself.
func (s *story) refused(app static.App) {
	s.Helper()
	pp := &policyv1alpha1.PropagationPolicy{}
	pp.Namespace, pp.Name = app.Namespace, policy.Name(app.Kind, app.Name)
	template := workload(app)
	for _, object := range []client.Object{template, pp} {
		// Without the protection Karmada has of its own.
		patch := client.RawPatch("application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"resourcetemplate.karmada.io/deletion-protected":null}}}`))
		if err := world.karmada.Patch(s.Context(), object, patch); err != nil {
			s.Fatal(err)
		}
		err := world.karmada.Delete(s.Context(), object)
		if err == nil || !strings.Contains(err.Error(), "argosyctl migration leave") {
			s.Errorf("deletion of %s: %v, want a refusal that names the remedy", object.GetName(), err)
		}
	}
	if err := world.karmada.Delete(s.Context(), s.migration(app)); err == nil {
		s.Error("the record of an application that is cut off was deleted")
	}
}

func workload(app static.App) *unstructured.Unstructured {
	return named(app, app.APIVersion(), app.Kind)
}

// named like the application.
func named(app static.App, apiVersion, kind string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	object.SetNamespace(app.Namespace)
	object.SetName(app.Name)
	return object
}

// Deleting a policy by hand while the application is cut off or federated never reaches a member.
func TestPolicyDeletedByHand(t *testing.T) {
	t.Parallel()
	app := static.App{
		Namespace: "lost", Name: "lost", Kind: "Deployment", Image: "lost:1", Replicas: map[string]int64{"member1": 2, "member2": 1},
	}
	s := newStory(t, app)
	s.list(0, app)
	s.reach(app, v1alpha1.PhaseFederated)
	pp := &policyv1alpha1.PropagationPolicy{}
	pp.Namespace, pp.Name = app.Namespace, policy.Name(app.Kind, app.Name)
	patch := client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"labels":{"resourcetemplate.karmada.io/deletion-protected":null}}}`))
	if err := world.karmada.Patch(t.Context(), pp, patch); err != nil {
		t.Fatal(err)
	}
	if err := world.karmada.Delete(t.Context(), pp); err != nil {
		t.Fatal(err)
	}
	s.Eventually(func() string { return s.migration(app).Status.Blocked }, machine.Patience, look).Should(Equal(v1alpha1.ReasonPolicyLost))
	s.unchanged()
	// A rollback makes it again, suspended, and gets to its end.
	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.unchanged()
	if err := world.karmada.Get(t.Context(), client.ObjectKeyFromObject(pp), pp); err != nil {
		t.Errorf("the policy was not made again: %v", err)
	}
}
