package peer

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// differ is where our answer is another than the Lua's on Karmada's own test objects, by kind, operation and case; a case that is not named
// differs as its operation does. What is named in neither must be the same. Why: the facts in intended_test.go.
var differ = map[string][]string{
	"CloneSet/AggregateStatus": {"object/status/updatedAvailableReplicas"},
	"CloneSet/AggregateStatus/CloneSet with partially ready replicas": {"object/status/currentRevision", "object/status/labelSelector",
		"object/status/updateRevision",
		"object/status/updatedAvailableReplicas"},
	"CloneSet/AggregateStatus/CloneSet with mixed observed generations": {"object/status/currentRevision", "object/status/labelSelector",
		"object/status/updateRevision",
		"object/status/updatedAvailableReplicas"},
	"CloneSet/InterpretStatus":  {"status/collisionCount"},
	"CloneSet/InterpretReplica": {"requirements/namespace"},

	"StatefulSet/AggregateStatus": {
		"object/status/currentRevision", "object/status/updateRevision", "object/status/updatedAvailableReplicas",
	},
	"StatefulSet/AggregateStatus/StatefulSet with two status items": {
		"object/status/labelSelector", "object/status/updatedAvailableReplicas",
	},
	"StatefulSet/InterpretStatus/StatefulSet: interpret status test": {
		"status/collisionCount", "status/labelSelector",
	},
	"StatefulSet/InterpretReplica": {"requirements/namespace"},
	"StatefulSet/InterpretHealth/StatefulSet unhealthy when availableReplicas < updatedReplicas": {"healthy"},

	"DaemonSet/AggregateStatus/DaemonSet: aggregate status with no members":   {"object/status/daemonSetHash"},
	"DaemonSet/InterpretStatus/DaemonSet: interpret status with empty status": {"status/generation", "status/resourceTemplateGeneration"},
	// What Karmada itself writes is no number: a question that cannot be answered, not an answer without it.
	"DaemonSet/InterpretStatus/DaemonSet: interpret status with invalid resourceTemplateGeneration": {"error"},
}

// bundledCases is how many of Karmada's cases are about our kinds.
const bundledCases = 49

// TestBundledObjects gives Karmada's own test objects to both interpreters.
func TestBundledObjects(t *testing.T) {
	karmada := NewKarmada()
	module, err := binaries.ModuleDir(context.Background(), "../..", "github.com/karmada-io/karmada")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, k := range Kinds {
		cases, err := k.Bundled(module)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(k.Name+"/"+c.Operation+"/"+c.Name, func(t *testing.T) {
				ran++
				q, err := c.Question()
				if err != nil {
					t.Fatal(err)
				}
				var paths []string
				for _, d := range Differences(karmada.Ask(q), Ours(q)) {
					t.Log(d)
					paths = append(paths, d.Path)
				}
				want, named := differ[k.Name+"/"+c.Operation+"/"+c.Name]
				if !named {
					want = differ[k.Name+"/"+c.Operation]
				}
				if diff := cmp.Diff(want, paths); diff != "" {
					t.Errorf("differing at other places than intended (-want +have)\n%s", diff)
				}
			})
		}
	}
	if ran != bundledCases {
		t.Errorf("ran %d of Karmada's cases, want %d", ran, bundledCases)
	}
}
