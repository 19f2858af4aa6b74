package peer

import (
	"testing"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/dispatch"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// Each test here is one fault of the bundled Lua: the Lua must show it, or the test has no subject any more, and ours
// must not.

const (
	retain     = configv1alpha1.InterpreterOperationRetain
	revise     = configv1alpha1.InterpreterOperationReviseReplica
	aggregate  = configv1alpha1.InterpreterOperationAggregateStatus
	health     = configv1alpha1.InterpreterOperationInterpretHealth
	replicasOf = configv1alpha1.InterpreterOperationInterpretReplica
	dependency = configv1alpha1.InterpreterOperationInterpretDependency
)

func cloneSet(t *testing.T) fixture.Object {
	return fixture.Parse(t, `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {name: web, namespace: shop, generation: 3, annotations: {resourcetemplate.karmada.io/generation: "3"}}
spec: {replicas: 10, selector: {matchLabels: {app: web}}, template: {spec: {containers: [{name: web, image: "web:1"}]}}}
`)
}

func statefulSet(t *testing.T) fixture.Object {
	return cloneSet(t).With("apps.kruise.io/v1beta1", "apiVersion").With("StatefulSet", "kind")
}

// asker is one of the two interpreters.
type asker func(interpreter.Question) Answer

func (a Answer) field(path ...string) any {
	var value any = map[string]any(a)
	for _, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[key]
	}
	return value
}

func TestFaultNoRetainReplicas(t *testing.T) {
	for _, template := range []fixture.Object{cloneSet(t), statefulSet(t)} {
		desired := template.With(5, "spec", "replicas").Label("resourcetemplate.karmada.io/retain-replicas", "true")
		q := interpreter.Question{
			Operation: retain, Object: desired.Unstructured(), Observed: template.With(9, "spec", "replicas").Unstructured(),
		}
		if have := NewKarmada().Ask(q).field("object", "spec", "replicas"); have != int64(5) {
			t.Errorf("the Lua should overwrite the 9 of the member's HPA with 5, has %v", have)
		}
		if have := Ours(q).field("object", "spec", "replicas"); have != int64(9) {
			t.Errorf("ours: %v replicas, want the 9 of the member's HPA", have)
		}
	}
}

func TestFaultNoRetainPodsToDelete(t *testing.T) {
	observed := cloneSet(t).WithYAML("[web-a]", "spec", "scaleStrategy", "podsToDelete").In("member1")
	q := interpreter.Question{Operation: retain, Object: cloneSet(t).Unstructured(), Observed: observed.Unstructured()}
	if have := NewKarmada().Ask(q).field("object", "spec", "scaleStrategy"); have != nil {
		t.Errorf("the Lua should lose the member's podsToDelete, has %v", have)
	}
	if have, _ := Ours(q).field("object", "spec", "scaleStrategy", "podsToDelete").([]any); len(have) != 1 || have[0] != "web-a" {
		t.Errorf("ours: podsToDelete %v, want the member's [web-a]", have)
	}
}

// updated is how many pods of the fleet become new: each member updates its replicas less its partition.
func updated(t *testing.T, ask asker, template fixture.Object, partition []string, clusters ...workv1alpha2.TargetCluster) (sum int64) {
	t.Helper()
	for _, c := range clusters {
		revised := ask(interpreter.Question{Operation: revise, Object: template.Unstructured(),
			Target: family.Target{Replicas: c.Replicas, Clusters: clusters}})
		manifest := template.Unstructured()
		manifest.Object, _ = revised.field("object").(map[string]any)
		// The admission of Works, which is asked after Karmada's own part; where nothing is divided it changes nothing.
		edits, err := dispatch.Decide(interpreter.NewCatalog(interpreter.Families()), dispatch.Manifest{Object: manifest, Cluster: c.Name})
		if err != nil {
			t.Fatal(err)
		}
		if err := edits.Apply(manifest.Object); err != nil {
			t.Fatal(err)
		}
		kept := ask(interpreter.Question{Operation: retain, Object: manifest, Observed: template.In(c.Name).Unstructured()})
		held, _ := kept.field(append([]string{"object"}, partition...)...).(int64)
		sum += max(0, int64(c.Replicas)-held)
	}
	return sum
}

func TestFaultPartitionIsCopied(t *testing.T) {
	cloneSetPartition := []string{"spec", "updateStrategy", "partition"}
	statefulSetPartition := []string{"spec", "updateStrategy", "rollingUpdate", "partition"}
	for name, tc := range map[string]struct {
		template  fixture.Object
		partition []string
		clusters  []workv1alpha2.TargetCluster
		want      int64
	}{
		"10 replicas, 8 held, two members of 5": {
			cloneSet(t).With(8, cloneSetPartition...), cloneSetPartition,
			[]workv1alpha2.TargetCluster{{Name: "a", Replicas: 5}, {Name: "b", Replicas: 5}}, 2,
		},
		"6 replicas, 5 held, two members of 3": {
			cloneSet(t).With(6, "spec", "replicas").With(5, cloneSetPartition...), cloneSetPartition,
			[]workv1alpha2.TargetCluster{{Name: "a", Replicas: 3}, {Name: "b", Replicas: 3}}, 1,
		},
		"10 replicas, 9 held, members of 4, 3 and 3": {
			cloneSet(t).With(9, cloneSetPartition...), cloneSetPartition,
			[]workv1alpha2.TargetCluster{{Name: "a", Replicas: 4}, {Name: "b", Replicas: 3}, {Name: "c", Replicas: 3}}, 1,
		},
		"the same of an Advanced StatefulSet": {
			statefulSet(t).With(9, statefulSetPartition...), statefulSetPartition,
			[]workv1alpha2.TargetCluster{{Name: "a", Replicas: 4}, {Name: "b", Replicas: 3}, {Name: "c", Replicas: 3}}, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if have := updated(t, NewKarmada().Ask, tc.template, tc.partition, tc.clusters...); have != 0 {
				t.Errorf("the Lua should update nothing, updates %d", have)
			}
			if have := updated(t, Ours, tc.template, tc.partition, tc.clusters...); have != tc.want {
				t.Errorf("ours updates %d, want exactly %d", have, tc.want)
			}
		})
	}
}

func TestFaultHealthOfAHeldRollout(t *testing.T) {
	at := func(o fixture.Object, expected int) fixture.Object {
		return o.With(5, "spec", "replicas").WithYAML(`{observedGeneration: 3, replicas: 5, readyReplicas: 5, availableReplicas: 5,
  updatedReplicas: 1, updatedReadyReplicas: 1}`, "status").With(expected, "status", "expectedUpdatedReplicas")
	}
	for name, member := range map[string]fixture.Object{
		"CloneSet at its partition":    at(cloneSet(t).With(4, "spec", "updateStrategy", "partition"), 1),
		"CloneSet paused":              at(cloneSet(t).With(true, "spec", "updateStrategy", "paused"), 5),
		"StatefulSet at its partition": at(statefulSet(t).With(4, "spec", "updateStrategy", "rollingUpdate", "partition"), 0),
		"StatefulSet paused":           at(statefulSet(t).With(true, "spec", "updateStrategy", "rollingUpdate", "paused"), 0),
	} {
		t.Run(name, func(t *testing.T) {
			q := interpreter.Question{Operation: health, Object: member.Unstructured()}
			if have := NewKarmada().Ask(q); have["healthy"] != false {
				t.Errorf("the Lua should find it Unhealthy, says %v", have)
			}
			if have := Ours(q); have["healthy"] != true {
				t.Errorf("ours: %v, want healthy", have)
			}
		})
	}
}

func TestFaultNilReplicas(t *testing.T) {
	for _, template := range []fixture.Object{cloneSet(t), statefulSet(t)} {
		q := interpreter.Question{Operation: replicasOf, Object: template.Without("spec", "replicas").Unstructured()}
		if have := NewKarmada().Ask(q); have["error"] != failed {
			t.Errorf("the Lua should fail, says %v", have)
		}
		if have := Ours(q); have["count"] != int64(1) {
			t.Errorf("ours: %v, want OpenKruise's default 1", have)
		}
	}
}

func TestFaultCloneSetV1beta1(t *testing.T) {
	q := interpreter.Question{Operation: replicasOf, Object: cloneSet(t).With("apps.kruise.io/v1beta1", "apiVersion").Unstructured()}
	if have := NewKarmada().Ask(q); have["error"] != unsupported {
		t.Errorf("the Lua should not know it, says %v", have)
	}
	if have := Ours(q); have["count"] != int64(10) {
		t.Errorf("ours: %v, want 10", have)
	}
}

func TestFaultStatefulSetSelector(t *testing.T) {
	q := interpreter.Question{Operation: aggregate, Object: statefulSet(t).Unstructured(), Members: []family.Member{
		{Cluster: "a", Status: fixture.Parse(t, `{replicas: 5, labelSelector: app=web}`).Map()}}}
	if have := NewKarmada().Ask(q).field("object", "status", "labelSelector"); have != nil {
		t.Errorf("the Lua should lose it, has %v", have)
	}
	if have := Ours(q).field("object", "status", "labelSelector"); have != "app=web" {
		t.Errorf("ours: %v, want app=web", have)
	}
}

// TestFaultPodsToDeleteOnTheTemplate: OpenKruise refuses an update that names a pod it does not have, so a name must
// reach its own member, once.
func TestFaultPodsToDeleteOnTheTemplate(t *testing.T) {
	path := []string{"object", "spec", "scaleStrategy", "podsToDelete"}
	template := cloneSet(t).WithYAML("[web-a]", path[1:]...)
	q := interpreter.Question{Operation: revise, Object: template.Unstructured(), Target: family.Target{Replicas: 5}}
	if have, _ := NewKarmada().Ask(q).field(path...).([]any); len(have) != 1 {
		t.Errorf("the Lua should give the name to every member, gives %v", have)
	}
	if have := Ours(q).field(path...); have != nil {
		t.Errorf("ours gives %v to members that do not have the pod", have)
	}

	requested := cloneSet(t).With(4, "spec", "replicas").Annotation("scalein.argosy.dev/request", "op1;member1:4=web-a")
	for _, tc := range []struct {
		why      string
		observed fixture.Object
		want     int
	}{
		{"the member that has the pod", cloneSet(t).In("member1"), 1},
		{"the other one", cloneSet(t).In("member2"), 0},
		{"the first again, after OpenKruise took the name off", cloneSet(t).In("member1").Annotation("scalein.argosy.dev/delivered", "op1"), 0},
	} {
		q := interpreter.Question{Operation: retain, Object: requested.Unstructured(), Observed: tc.observed.Unstructured()}
		if have, _ := Ours(q).field(path...).([]any); len(have) != tc.want {
			t.Errorf("%s: names %v, want %d", tc.why, have, tc.want)
		}
	}
}

// The faults below are not in the facts the project began with: the differential test found them.

func TestFaultNothingToDependOn(t *testing.T) {
	q := interpreter.Question{Operation: dependency, Object: cloneSet(t).Unstructured()}
	if have := NewKarmada().Ask(q); have["error"] != failed {
		t.Errorf("the Lua should fail, says %v", have)
	}
	if have, ok := Ours(q)["dependencies"].([]any); !ok || len(have) != 0 {
		t.Errorf("ours: %v, want none", have)
	}
}

func TestFaultSidecarIsNotAdded(t *testing.T) {
	template := cloneSet(t).WithYAML(`{containers: [{name: web, resources: {requests: {cpu: 1}}}],
  initContainers: [{name: proxy, restartPolicy: Always, resources: {requests: {cpu: 1}}}]}`, "spec", "template", "spec")
	q := interpreter.Question{Operation: replicasOf, Object: template.Unstructured()}
	path := []string{"requirements", "resources", "cpu"}
	if have := NewKarmada().Ask(q).field(path...); have != int64(1000) {
		t.Errorf("the Lua should ask for one core of the two, asks for %v", have)
	}
	if have := Ours(q).field(path...); have != int64(2000) {
		t.Errorf("ours: %v, want 2000", have)
	}
}

func TestFaultDaemonSetHash(t *testing.T) {
	template := cloneSet(t).With("DaemonSet", "kind").Without("spec", "replicas")
	q := interpreter.Question{Operation: aggregate, Object: template.Unstructured()}
	path := []string{"object", "status", "daemonSetHash"}
	if have := NewKarmada().Ask(q).field(path...); have != int64(0) {
		t.Errorf("the Lua should write a number, writes %v", have)
	}
	if have := Ours(q).field(path...); have != "" {
		t.Errorf("ours: %v, want an empty text", have)
	}
}
