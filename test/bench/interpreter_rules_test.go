package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/peer"
)

// aim is how many times faster than the Lua each rule must be.
const aim = 20

// rounds in which both are measured in turn.
const rounds = 6

// members is how many statuses AggregateStatus unites.
const members = 10

// subject is one kind with an object of a control plane and one of a member.
type subject struct {
	name               string
	template, observed fixture.Object
	hasPeer            bool
}

// subjects are Karmada's own test objects for the kinds its Lua knows, and our testdata for our own kinds.
func subjects(t *testing.T) []subject {
	t.Helper()
	module, err := binaries.ModuleDir(context.Background(), "../..", "github.com/karmada-io/karmada")
	if err != nil {
		t.Fatal(err)
	}
	var out []subject
	for _, k := range peer.Kinds {
		cases, err := k.Bundled(module)
		if err != nil {
			t.Fatal(err)
		}
		// The template that depends on something, and the member's object with all of a status.
		object := func(operation configv1alpha1.InterpreterOperation) fixture.Object {
			i := slices.IndexFunc(cases, func(c peer.Case) bool { return c.Operation == string(operation) })
			if i < 0 {
				t.Fatalf("Karmada has no case %s for %s", operation, k.Name)
			}
			q, err := cases[i].Question()
			if err != nil {
				t.Fatal(err)
			}
			text, err := q.Object.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			return fixture.Parse(t, string(text))
		}
		out = append(out, subject{
			k.Name, object(configv1alpha1.InterpreterOperationInterpretDependency), object(configv1alpha1.InterpreterOperationInterpretStatus), true,
		})
	}
	for _, own := range []struct{ name, folder string }{
		{"VMReplicaSet", "vmreplicaset"}, {"VMDeployment", "vmdeployment"}, {"Component", "servicecomponent"},
	} {
		folder := filepath.Join("../../interpreter", own.folder, "testdata")
		out = append(out, subject{
			own.name, fixture.Load(t, filepath.Join(folder, "template.yaml")), fixture.Load(t, filepath.Join(folder, "member.yaml")), false,
		})
	}
	return out
}

func (s subject) question(operation configv1alpha1.InterpreterOperation) interpreter.Question {
	q := interpreter.Question{Operation: operation, Object: s.template.Unstructured()}
	switch operation {
	case configv1alpha1.InterpreterOperationInterpretStatus, configv1alpha1.InterpreterOperationInterpretHealth:
		q.Object = s.observed.Unstructured()
	case configv1alpha1.InterpreterOperationRetain:
		q.Observed = s.observed.Unstructured()
	case configv1alpha1.InterpreterOperationReviseReplica:
		q.Target = family.Target{
			Replicas: 4, Clusters: []workv1alpha2.TargetCluster{
				{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 3}, {Name: "member3", Replicas: 3},
			},
		}
	case configv1alpha1.InterpreterOperationAggregateStatus:
		for i := range members {
			status := s.observed.Map("status")
			status["generation"], status["resourceTemplateGeneration"] = int64(1), int64(1)
			q.Members = append(q.Members, family.Member{Cluster: fmt.Sprintf("member%d", i), Status: status, Applied: true})
		}
	}
	return q
}

// TestInterpreterRules measures every rule beside the bundled Lua on the same object. Ours includes making the JSON patch
// Karmada gets; the Lua is asked the way Karmada asks it, in process.
func TestInterpreterRules(t *testing.T) {
	Only(t)
	if err := flag.Set("test.benchtime", "50ms"); err != nil {
		t.Fatal(err)
	}
	karmada := peer.NewKarmada()
	catalog := interpreter.NewCatalog(interpreter.Families())
	table := Table{
		Title: "Interpreter rules, time and allocations a call",
		Peer:  "Karmada's Lua",
		Notes: []string{fmt.Sprintf(
			"AggregateStatus unites %d members. Ours includes making the JSON patch. Times are the best of %d rounds, in which "+
				"the two take turns: other work on the machine only adds. A peer of \"none\": the Lua has no such rule.", members, rounds)},
	}
	for _, s := range subjects(t) {
		object := s.template.Unstructured()
		f := catalog[schema.FromAPIVersionAndKind(object.GetAPIVersion(), object.GetKind()).GroupKind()]
		for _, operation := range f.Operations() {
			table.Rows = append(table.Rows, measure(t, s, f, karmada, operation))
		}
	}
	table.Print(os.Stdout)
}

func measure(t *testing.T, s subject, f *family.Family, karmada peer.Karmada, operation configv1alpha1.InterpreterOperation) Row {
	t.Helper()
	q := s.question(operation)
	ask := func() error {
		answer, err := q.Answer(f)
		if err == nil {
			_, err = answer.Edits.Patch(q.Object.Object)
		}
		return err
	}
	row := Row{What: s.name + " " + string(operation), Peer: "none"}
	if !s.hasPeer || karmada.Ask(q)["error"] != nil || operation == configv1alpha1.InterpreterOperationRetain {
		row.Ours = cost(best(ask)[0])
		return row
	}
	results := best(ask, karmada.Prepare(q))
	row.Ours, row.Peer = cost(results[0]), cost(results[1])
	row.Ratio = nanoseconds(results[1]) / nanoseconds(results[0])
	if row.Ratio < aim {
		t.Errorf("%s is %.1f times faster than the Lua, want %d", row.What, row.Ratio, aim)
	}
	return row
}

// best is the fastest round of each call.
func best(calls ...func() error) []testing.BenchmarkResult {
	out := make([]testing.BenchmarkResult, len(calls))
	for round := range rounds {
		for i, call := range calls {
			result := testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := call(); err != nil {
						b.Fatal(err)
					}
				}
			})
			if round == 0 || nanoseconds(result) < nanoseconds(out[i]) {
				out[i] = result
			}
		}
	}
	return out
}

func nanoseconds(r testing.BenchmarkResult) float64 { return float64(r.T) / float64(max(1, r.N)) }

func cost(r testing.BenchmarkResult) string {
	return fmt.Sprintf("%.1f µs, %d allocs", nanoseconds(r)/float64(time.Microsecond), r.AllocsPerOp())
}
