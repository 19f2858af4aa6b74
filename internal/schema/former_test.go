package schema

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// formerKinds are the kinds of the version before, as test/integration/install upgrades from them.
func formerKinds(t *testing.T) map[schema.GroupVersionKind]*Schema {
	t.Helper()
	text, err := os.ReadFile("../../test/integration/install/testdata/former-kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[schema.GroupVersionKind]*Schema{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal([]byte(document), &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			s, err := compile(version.Schema.OpenAPIV3Schema)
			if err != nil {
				t.Fatal(err)
			}
			out[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = s
		}
	}
	return out
}

// TestTheWayBack: the version before reads what this one writes (docs/upgrade.md). Of every sample of a kind that it has, what it does not
// know is dropped, as its karmada-apiserver does, and the rest is an object that it accepts; what is not is named in the page.
func TestTheWayBack(t *testing.T) {
	kinds := formerKinds(t)
	read, dropped := map[string]bool{}, 0
	err := filepath.WalkDir(samples, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		objects, err := manifest.Parse(text)
		if err != nil {
			return err
		}
		for _, object := range objects {
			former := kinds[object.GroupVersionKind()]
			if former == nil {
				continue // a kind of others, or one that is new: it stays served
			}
			read[object.GetKind()] = true
			// Whole numbers become what an API server makes of them.
			whole, err := object.MarshalJSON()
			if err != nil {
				return err
			}
			if err := object.UnmarshalJSON(whole); err != nil {
				return err
			}
			pruning.Prune(object.Object, former.structural, true)
			left, err := object.MarshalJSON()
			if err != nil {
				return err
			}
			if string(whole) != string(left) {
				dropped++
			}
			// docs/upgrade.md: what cannot go back.
			want := ""
			switch {
			case object.GetKind() == "PodScaleIn" && strings.Contains(string(whole), `"select"`):
				want = "spec.pods: Required value"
			case object.GetKind() == "Component" && strings.Contains(string(whole), `"type":"luoji-slb"`):
				want = `spec.svc.type: Unsupported value: "luoji-slb"`
			}
			have := former.Admit(t.Context(), object).ToAggregate()
			if have == nil && want != "" || have != nil && (want == "" || !strings.HasPrefix(have.Error(), want)) {
				t.Errorf("%s: %s %s: the version before says %v, want %q", path, object.GetKind(), object.GetName(), have, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		if !read[kind.Kind] {
			t.Errorf("no sample is a %s", kind.Kind)
		}
	}
	if dropped == 0 {
		t.Error("no sample has a field that is new")
	}
}
