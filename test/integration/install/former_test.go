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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestUpgradeFromTheVersionBefore plays docs/upgrade.md on the kinds and objects of an earlier Argosy: the installation over it loses no
// field that somebody wrote, no status, and refuses nobody what was stored before.
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
		// The user's next write, of something else, is not refused for what was valid before.
		now.SetLabels(map[string]string{"touched": "yes"})
		g.Expect(p.objects.Update(t.Context(), now)).To(Succeed(), before.GetKind())
	}

	tokens := func(line string) bool { return strings.HasSuffix(line, ", with a new token") }
	g.Expect(slices.DeleteFunc(p.dryRun(t), tokens)).To(BeEmpty(), "after the upgrade nothing is left to do")
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
