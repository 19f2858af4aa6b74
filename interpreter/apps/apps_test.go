package apps

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/default/native"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

func statefulSet(t *testing.T) fixture.Object {
	return fixture.Parse(t, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop, generation: 3}
spec:
  replicas: 10
  updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 9}}
`)
}

// TestOneOfTen goes the whole way of a manifest: partition 9 of 10 over 4+3+3 updates one pod, in the largest member.
func TestOneOfTen(t *testing.T) {
	three := []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 3}, {Name: "member3", Replicas: 3}}
	f := StatefulSet()
	if !f.NeedsDivision(statefulSet(t).Unstructured(), 4) {
		t.Error("a partition needs the clusters")
	}
	held := map[string]int64{}
	for _, c := range three {
		manifest := statefulSet(t).Unstructured()
		edits, err := f.ReviseReplica(manifest, family.Target{Replicas: c.Replicas, Clusters: three})
		if err != nil {
			t.Fatal(err)
		}
		manifest.Object = fixture.Edited(t, manifest, edits)
		edits, err = f.Dispatch(manifest, family.Destination{Cluster: c.Name, Overridden: func(...string) bool { return false }})
		if err != nil {
			t.Fatal(err)
		}
		manifest.Object = fixture.Edited(t, manifest, edits)
		if held[c.Name], _, err = unstructured.NestedInt64(manifest.Object, partitionPath...); err != nil {
			t.Fatal(err)
		}
		if replicas, _, _ := unstructured.NestedInt64(manifest.Object, replicasPath...); replicas != int64(c.Replicas) {
			t.Errorf("%s: %d replicas, want %d", c.Name, replicas, c.Replicas)
		}
	}
	if diff := cmp.Diff(map[string]int64{"member1": 3, "member2": 3, "member3": 3}, held); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestHealth(t *testing.T) {
	// Four pods, one of them new, as the partition wants.
	atPartition := statefulSet(t).With(4, replicasPath...).With(3, partitionPath...).
		WithYAML("{observedGeneration: 3, replicas: 4, availableReplicas: 4, updatedReplicas: 1}", "status")
	deployment := fixture.Parse(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, generation: 3}
spec: {replicas: 4, paused: true}
status: {observedGeneration: 3, replicas: 4, availableReplicas: 4, updatedReplicas: 0}
`)
	daemonSet := fixture.Parse(t, `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, generation: 3}
spec: {updateStrategy: {type: OnDelete}}
status: {observedGeneration: 3, desiredNumberScheduled: 4, numberAvailable: 4, updatedNumberScheduled: 1}
`)
	for name, tc := range map[string]struct {
		member fixture.Object
		want   bool
	}{
		"at its partition":              {atPartition, true},
		"before its partition":          {atPartition.With(0, "status", "updatedReplicas"), false},
		"at its partition, one missing": {atPartition.With(3, "status", "availableReplicas"), false},
		"generation not observed":       {atPartition.With(2, "status", "observedGeneration"), false},
		"OnDelete":                      {atPartition.Without("spec", "updateStrategy", "rollingUpdate").With("OnDelete", strategyPath...), true},
		"all held":                      {atPartition.With(9, partitionPath...).With(0, "status", "updatedReplicas"), true},
		"paused":                        {deployment, true},
		"paused, one may be missing":    {deployment.With(3, "status", "availableReplicas"), true},
		"paused, and half is missing":   {deployment.With(2, "status", "availableReplicas"), false},
		"not paused, not all new":       {deployment.With(false, "spec", "paused"), false},
		"a DaemonSet OnDelete":          {daemonSet, true},
		"OnDelete, and half is missing": {daemonSet.With(2, "status", "numberAvailable"), false},
		"rolling, and not all new":      {daemonSet.Without("spec", "updateStrategy"), false},
	} {
		t.Run(name, func(t *testing.T) {
			object := tc.member.Unstructured()
			for _, f := range []*family.Family{StatefulSet(), Deployment(), DaemonSet()} {
				if f.Kinds[0].Kind != object.GetKind() {
					continue
				}
				if have, err := f.InterpretHealth(object); err != nil || have != tc.want {
					t.Errorf("healthy %v, %v; want %v", have, err, tc.want)
				}
			}
		})
	}
}

// TestHealthIsKarmadasWhereNobodyHolds: without a partition, a pause or OnDelete, the answer is Karmada's own.
func TestHealthIsKarmadasWhereNobodyHolds(t *testing.T) {
	karmada := native.NewDefaultInterpreter()
	rapid.Check(t, func(t *rapid.T) {
		count := func(name string) int64 { return rapid.Int64Range(0, 3).Draw(t, name) }
		replicas, updated := count("replicas"), count("updated")
		updated = min(updated, replicas)
		for _, f := range []*family.Family{StatefulSet(), Deployment(), DaemonSet()} {
			object := &unstructured.Unstructured{Object: map[string]any{
				"metadata": map[string]any{"generation": count("generation")},
				"spec":     map[string]any{"replicas": replicas},
				"status": map[string]any{
					"observedGeneration": count("observed"), "updatedReplicas": updated, "availableReplicas": min(count("available"), replicas),
					"desiredNumberScheduled": replicas, "updatedNumberScheduled": updated, "numberAvailable": min(count("available"), replicas),
				},
			}}
			object.SetGroupVersionKind(f.Kinds[0])
			want, wantErr := karmada.InterpretHealth(object)
			have, err := f.InterpretHealth(object)
			observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
			if wantErr != nil || err != nil || have != want && observed <= object.GetGeneration() {
				t.Fatalf("%s: healthy %v, %v; Karmada says %v, %v of %v", f.Name, have, err, want, wantErr, object.Object)
			}
		}
	})
}

func TestAggregateStatus(t *testing.T) {
	object := statefulSet(t).Unstructured()
	edits, err := StatefulSet().AggregateStatus(object, []family.Member{
		{
			Cluster: "member1", Status: map[string]any{
				"replicas": int64(4), "availableReplicas": int64(4), "updatedReplicas": int64(1), "updateRevision": "db-b", "currentRevision": "db-a",
				"generation": int64(2), "observedGeneration": int64(2), "resourceTemplateGeneration": int64(3),
			},
		},
		{
			Cluster: "member2", Status: map[string]any{
				"replicas": int64(3), "availableReplicas": int64(3), "updateRevision": "db-b", "currentRevision": "db-a", "generation": int64(5),
				"observedGeneration": int64(5), "resourceTemplateGeneration": int64(3),
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := statefulSet(t).
		WithYAML(
			"{observedGeneration: 3, replicas: 7, readyReplicas: 0, availableReplicas: 7, currentReplicas: 0, updatedReplicas: 1, updateRevision: "+
				"db-b, currentRevision: db-a}", "status")
	if diff := cmp.Diff(want.Map(), fixture.Edited(t, object, edits)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}
