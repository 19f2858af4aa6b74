package schema

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/manifest"
)

const samples = "../../deploy/samples"

// TestSamplesAreAdmitted: whoever copies a sample gets no complaint, of the small ones and of the big ones.
func TestSamplesAreAdmitted(t *testing.T) {
	files, err := filepath.Glob(samples + "/*.yaml")
	small, errOfSmall := filepath.Glob(samples + "/small/*.yaml")
	if err != nil || errOfSmall != nil || len(files) < 12 || len(small) < 6 {
		t.Fatal(files, small, err, errOfSmall)
	}
	for _, file := range append(files, small...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := manifest.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, object := range objects {
			group := object.GroupVersionKind().Group
			if group == "config.argosy.dev" || !strings.HasSuffix(group, ".argosy.dev") && group != "component.luojilab.com" {
				continue // a program's file, and Karmada's and Kubernetes' own kinds
			}
			// Whole numbers become what an API server makes of them.
			raw, err := object.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if err := object.UnmarshalJSON(raw); err != nil {
				t.Fatal(err)
			}
			kind, err := Of(object.GroupVersionKind())
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if errs := kind.Admit(t.Context(), object); len(errs) > 0 {
				t.Errorf("%s: %v", file, errs.ToAggregate())
			}
		}
	}
}

// TestSmallSamplesAreSmall: five lines and one that says what they do, with the big one beside them.
func TestSmallSamplesAreSmall(t *testing.T) {
	small, err := filepath.Glob(samples + "/small/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range small {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		if len(lines) > 6 || !bytes.HasPrefix(lines[0], []byte("# ")) || bytes.HasPrefix(lines[1], []byte("#")) {
			t.Errorf("%s: %d lines, want one that says what it does and five", file, len(lines))
		}
		if !bytes.Contains(lines[0], []byte("../"+filepath.Base(file))) {
			t.Errorf("%s does not name the whole one", file)
		}
		if _, err := os.Stat(filepath.Join(samples, filepath.Base(file))); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryKindHasASmallSample: of what people write. Migrations and Servers are made by controllers.
func TestEveryKindHasASmallSample(t *testing.T) {
	files, err := filepath.Glob(samples + "/small/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{"Migration": true, "Server": true}
	for _, object := range parsed(t, files) {
		shown[object.GetKind()] = true
	}
	files, err = filepath.Glob("../../deploy/crds/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no kinds were found: %v", err)
	}
	for _, crd := range parsed(t, files) {
		kind, _, err := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		if err != nil || !shown[kind] {
			t.Errorf("deploy/samples/small has no %q (%v)", kind, err)
		}
	}
}

func parsed(t *testing.T, files []string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := manifest.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, objects...)
	}
	return all
}
