package install

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestUpgradeFromTheVersionBefore plays docs/upgrade.md on the kinds and objects of an earlier Argosy: the installation over it loses no
// field that somebody wrote, no status, and refuses nobody what was stored before; and so does the way back.
func TestUpgradeFromTheVersionBefore(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := start(t)
	for _, kind := range former(t, "kinds") {
		g.Expect(p.objects.Create(t.Context(), kind)).To(Succeed())
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	g.Expect(client.IgnoreAlreadyExists(p.objects.Create(t.Context(), namespace))).To(Succeed())
	stored := former(t, "objects")
	for _, object := range stored {
		// A kind is served some moments after it was made.
		g.Eventually(func() error {
			if object.GetNamespace() == "" && object.GetKind() != "MigrationWhitelist" {
				object.SetNamespace("shop")
			}
			return p.objects.Create(t.Context(), object)
		}, machine.Patience, "200ms").Should(Succeed(), object.GetKind())
		if object.GetKind() == "Migration" {
			g.Expect(unstructured.SetNestedMap(object.Object, map[string]any{"phase": "AwaitingApproval", "management": "Static"}, "status")).
				To(Succeed())
			g.Expect(p.objects.Status().Update(t.Context(), object)).To(Succeed())
		}
	}

	would := strings.Join(p.dryRun(t), "\n")
	g.Expect(would).To(ContainSubstring("would change  CustomResourceDefinition fedhpas.autoscaling.argosy.dev"))
	g.Expect(would).To(ContainSubstring("would create  CustomResourceDefinition releases.release.argosy.dev"))
	p.install(t)

	p.unharmed(t, stored)

	tokens := func(line string) bool { return strings.HasSuffix(line, ", with a new token") }
	g.Expect(slices.DeleteFunc(p.dryRun(t), tokens)).To(BeEmpty(), "after the upgrade nothing is left to do")
	p.backAndForth(t, stored)
}

// unharmed: what these objects said is there, and their next write, of something else, is not refused.
func (p *planes) unharmed(t *testing.T, stored []*unstructured.Unstructured) {
	t.Helper()
	g := NewWithT(t)
	for _, before := range stored {
		now := before.DeepCopy()
		g.Expect(p.objects.Get(t.Context(), client.ObjectKeyFromObject(before), now)).To(Succeed(), before.GetKind())
		for _, part := range []string{"spec", "status"} {
			from, _, err := unstructured.NestedMap(before.Object, part)
			g.Expect(err).NotTo(HaveOccurred())
			to, _, err := unstructured.NestedMap(now.Object, part)
			g.Expect(err).NotTo(HaveOccurred())
			for _, difference := range policy.Differences(from, to) {
				// Defaults of new fields may come; nothing may go.
				if difference.From != nil {
					t.Errorf("%s %s: %s%s was %v and is %v", before.GetKind(), before.GetName(), part, difference.Path, difference.From, difference.To)
				}
			}
		}
		now.SetLabels(map[string]string{"touched": "yes"})
		g.Expect(p.objects.Update(t.Context(), now)).To(Succeed(), before.GetKind())
	}
}

// backAndForth is the way back of docs/upgrade.md, as argosy-prepare of the version before goes it: its kinds are applied over the newer.
// What both versions know stays; what the newer alone knows is not shown, is lost with the next write and with nothing else, and kinds that
// are new stay served.
func (p *planes) backAndForth(t *testing.T, stored []*unstructured.Unstructured) {
	t.Helper()
	g := NewWithT(t)
	release := object("release.argosy.dev/v1alpha1", "Release", "web")
	release.Object["spec"] = map[string]any{
		"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
		"stages":    []any{map[string]any{"name": "all"}},
	}
	g.Expect(p.objects.Create(t.Context(), release)).To(Succeed())
	written := object("autoscaling.argosy.dev/v1alpha1", "FedHPA", "web")
	left := object("migration.argosy.dev/v1alpha1", "Migration", "cloneset-cart")
	newer := func(o *unstructured.Unstructured) any {
		g.Expect(p.objects.Get(t.Context(), client.ObjectKeyFromObject(o), o)).To(Succeed())
		spec, _, err := unstructured.NestedMap(o.Object, "spec")
		g.Expect(err).NotTo(HaveOccurred())
		if o.GetKind() == "FedHPA" {
			return spec["suspend"]
		}
		return spec["ttlSecondsAfterLeft"]
	}
	for o, patch := range map[*unstructured.Unstructured]string{
		written: `{"spec":{"suspend":true}}`, left: `{"spec":{"ttlSecondsAfterLeft":600}}`,
	} {
		g.Expect(p.objects.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed(), o.GetKind())
		g.Expect(newer(o)).NotTo(BeNil(), o.GetKind())
	}

	for _, kind := range former(t, "kinds") {
		g.Expect(p.objects.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(kind), client.FieldOwner(install.Manager),
			client.ForceOwnership)).To(Succeed(), kind.GetName())
	}
	// The API server serves a changed kind some moments later.
	for _, o := range []*unstructured.Unstructured{written, left} {
		g.Eventually(func() any { return newer(o) }, machine.Patience, "200ms").Should(BeNil(), o.GetKind())
	}
	others := func(o *unstructured.Unstructured) bool { return o.GetKind() == left.GetKind() }
	p.unharmed(t, slices.DeleteFunc(slices.Clone(stored), others))
	g.Expect(p.objects.Get(t.Context(), client.ObjectKeyFromObject(release), release)).To(Succeed())

	p.install(t)
	g.Eventually(func() any { return newer(left) }, machine.Patience, "200ms").
		Should(BeEquivalentTo(600), "what nobody wrote meanwhile is there again")
	g.Expect(newer(written)).To(BeNil(), "what was written meanwhile has lost the field")
	p.unharmed(t, stored)
}

// object of namespace shop.
func object(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	o.SetNamespace("shop")
	o.SetName(name)
	return o
}

// former are the objects of testdata/former-*.yaml.
func former(t *testing.T, what string) []*unstructured.Unstructured {
	t.Helper()
	stream, err := os.ReadFile(filepath.Join("testdata", "former-"+what+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Parse(stream)
	if err != nil || len(objects) < 9 {
		t.Fatalf("%d objects: %v", len(objects), err)
	}
	return objects
}

// TestFormerObjectsAreOfEveryFormerKind: no kind is forgotten.
func TestFormerObjectsAreOfEveryFormerKind(t *testing.T) {
	kinds := map[string]bool{}
	for _, kind := range former(t, "kinds") {
		name, _, err := unstructured.NestedString(kind.Object, "spec", "names", "kind")
		if err != nil {
			t.Fatal(err)
		}
		kinds[name] = true
	}
	for _, object := range former(t, "objects") {
		delete(kinds, object.GetKind())
	}
	if len(kinds) > 0 {
		t.Errorf("no object of %v", slices.Sorted(maps.Keys(kinds)))
	}
}
