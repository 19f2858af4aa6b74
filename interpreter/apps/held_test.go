package apps

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/kubectl/pkg/polymorphichelpers"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// TestRolloutStatusWhileHeld: what a Release holds in a cluster bears the template's generation it came from, so that kubectl rollout
// status on the template waits until the last cluster is opened, and says what it waits for.
func TestRolloutStatusWhileHeld(t *testing.T) {
	families := map[string]*family.Family{"Deployment": Deployment(), "StatefulSet": StatefulSet(), "DaemonSet": DaemonSet()}
	for kind, of := range families {
		for name, tc := range map[string]struct {
			generations [2]int64
			wantDone    bool
			wantWords   string
		}{
			"held in member2": {[2]int64{4, 3}, false, "spec update to be observed"},
			"open everywhere": {[2]int64{4, 4}, true, ""},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				template := fixture.Parse(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: web, namespace: shop, generation: 4}
spec: {replicas: 6, selector: {matchLabels: {app: web}}, updateStrategy: {type: RollingUpdate}}
status: {observedGeneration: 3}
`, kind)).Unstructured()
				var members []family.Member
				for i, generation := range tc.generations {
					members = append(members, family.Member{Cluster: fmt.Sprint("member", i+1), Status: map[string]any{
						"generation": int64(9), "observedGeneration": int64(9), "resourceTemplateGeneration": generation, "replicas": int64(3),
						"updatedReplicas": int64(3), "readyReplicas": int64(3), "availableReplicas": int64(3),
						"desiredNumberScheduled": int64(3), "currentNumberScheduled": int64(3), "updatedNumberScheduled": int64(3),
						"numberReady": int64(3), "numberAvailable": int64(3),
					}})
				}
				edits, err := of.AggregateStatus(template, members)
				if err != nil {
					t.Fatal(err)
				}
				seen := &unstructured.Unstructured{Object: fixture.Edited(t, template, edits)}
				viewer, err := polymorphichelpers.StatusViewerFor(seen.GroupVersionKind().GroupKind())
				if err != nil {
					t.Fatal(err)
				}
				words, done, err := viewer.Status(seen, 0)
				if err != nil {
					t.Fatal(err)
				}
				if done != tc.wantDone || !strings.Contains(words, tc.wantWords) {
					t.Errorf("done %v: %q, want %v with %q", done, words, tc.wantDone, tc.wantWords)
				}
			})
		}
	}
}
