package lab

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"

	"github.com/argosy-dev/argosy/test/lab"
)

// TestNamesOfOurKindsAreOursAlone: kubectl takes whichever kind comes first for a name that two have, and warns each time.
func TestNamesOfOurKindsAreOursAlone(t *testing.T) {
	s := lab.StartAPIServer(t, lab.KarmadaPlane())
	client, err := discovery.NewDiscoveryClientForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := client.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]sets.Set[string]{}
	ours := sets.New[string]()
	for _, list := range lists {
		group, _, _ := strings.Cut(list.GroupVersion, "/")
		for _, r := range list.APIResources {
			for _, name := range append([]string{r.Name, r.SingularName, strings.ToLower(r.Kind)}, r.ShortNames...) {
				if kinds[name] == nil {
					kinds[name] = sets.New[string]()
				}
				kinds[name].Insert(r.Name + "." + group)
				if strings.HasSuffix(group, ".argosy.dev") || group == "component.luojilab.com" {
					ours.Insert(name)
				}
			}
		}
	}
	if len(ours) < 20 {
		t.Fatalf("only %d names of ours are served: %v", len(ours), sets.List(ours))
	}
	for name := range ours {
		if have := sets.List(kinds[name]); len(have) > 1 {
			t.Errorf("%s is the name of %v", name, have)
		}
	}
}
