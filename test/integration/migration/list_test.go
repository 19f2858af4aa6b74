package migration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// listsAreKubectls: each group of commands lists its objects with kubectl's outputs, wide ones and names too.
func (p *program) listsAreKubectls(t *testing.T) {
	for group, tc := range map[string]struct{ sample, named string }{
		"release":   {"release.yaml", "release.release.argosy.dev/web\n"},
		"cron":      {"cronhpa.yaml", "cronhpa.autoscaling.argosy.dev/web\n"},
		"fedhpa":    {"fedhpa.yaml", "fedhpa.autoscaling.argosy.dev/web\n"},
		"component": {"component.yaml", "component.component.luojilab.com/web\n"},
	} {
		raw, err := os.ReadFile(filepath.Join("../../../deploy/samples/small", tc.sample))
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(raw, object); err != nil {
			t.Fatal(err)
		}
		object.SetNamespace("shop")
		if err := p.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if out, complaint, code := p.run(t, "author", group, "list", "-o", "name"); code != 0 || out != tc.named {
			t.Errorf("%s list -o name ended with %d, printed %q; %s", group, code, out, complaint)
		}
		wide, complaint, code := p.run(t, "author", group, "list", "-A", "-o", "wide")
		narrow, _, _ := p.run(t, "author", group, "list", "-A")
		head, _, _ := strings.Cut(wide, "\n")
		narrowHead, _, _ := strings.Cut(narrow, "\n")
		if code != 0 || !strings.HasPrefix(head, "NAMESPACE") || len(strings.Fields(head)) < len(strings.Fields(narrowHead)) {
			t.Errorf("%s list -o wide ended with %d, printed\n%s%s\nand without\n%s", group, code, wide, complaint, narrow)
		}
	}
	_, complaint, code := p.run(t, "author", "vm", "list")
	if code != 0 || !strings.Contains(complaint, "No resources found in shop namespace") {
		t.Errorf("vm list ended with %d: %s", code, complaint)
	}
}
