package apps

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/default/native"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
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
		WithYAML(`{observedGeneration: 3, replicas: 7, availableReplicas: 7, updatedReplicas: 1,
			updateRevision: db-b, currentRevision: db-a}`, "status")
	if diff := cmp.Diff(want.Map(), fixture.Edited(t, object, edits)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

// TestStatusIsKarmadasWhereMembersCanBeAsked: of Deployments and DaemonSets the answer is then Karmada's own, to the byte that is stored.
func TestStatusIsKarmadasWhereMembersCanBeAsked(t *testing.T) {
	karmada := native.NewDefaultInterpreter()
	counts := map[string][]string{
		"Deployment": deploymentSparse, "ReplicaSet": append(append([]string{}, replicaSetCounts...), replicaSetSparse...),
		"DaemonSet": append(append([]string{}, daemonSetCounts...), daemonSetSparse...),
	}
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) int64 { return rapid.Int64Range(0, 2).Draw(t, name) }
		for _, f := range []*family.Family{Deployment(), DaemonSet(), ReplicaSet()} {
			object := &unstructured.Unstructured{Object: map[string]any{
				"metadata": map[string]any{"name": "web", "namespace": "shop", "generation": number("template")},
				"status": map[string]any{"observedGeneration": number("before"), "conditions": []any{
					map[string]any{"type": "Progressing", "status": "True", "lastUpdateTime": nil, "lastTransitionTime": nil},
				}},
			}}
			object.SetGroupVersionKind(f.Kinds[0])
			object.Object = stored(t, f, object)
			var members []family.Member
			var items []workv1alpha2.AggregatedStatusItem
			for _, cluster := range []string{"a", "b"}[:number("members")] {
				if number("reported") == 0 {
					members = append(members, family.Member{Cluster: cluster})
					items = append(items, workv1alpha2.AggregatedStatusItem{ClusterName: cluster})
					continue
				}
				status := map[string]any{"generation": number("generation"), "resourceTemplateGeneration": min(number("of"), object.GetGeneration())}
				status["observedGeneration"] = min(number("observed"), status["generation"].(int64))
				for _, name := range counts[f.Kinds[0].Kind] {
					status[name] = number(name)
				}
				raw, err := json.Marshal(status)
				if err != nil {
					t.Fatal(err)
				}
				members = append(members, family.Member{Cluster: cluster, Status: status})
				items = append(items, workv1alpha2.AggregatedStatusItem{ClusterName: cluster, Status: &runtime.RawExtension{Raw: raw}})
			}
			want, err := karmada.AggregateStatus(object.DeepCopy(), items)
			if err != nil {
				t.Fatal(err)
			}
			edits, err := f.AggregateStatus(object, members)
			if err != nil {
				t.Fatal(err)
			}
			have := object.DeepCopy()
			if err := edits.Apply(have.Object); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored(t, f, want), stored(t, f, have)); diff != "" {
				t.Fatalf("%s of %v (-Karmada +ours)\n%s", f.Name, members, diff)
			}
			// What is stored is what is answered: else each aggregation would be written again.
			if diff := cmp.Diff(stored(t, f, have)["status"], have.Object["status"]); diff != "" {
				t.Fatalf("%s (-stored +answered)\n%s", f.Name, diff)
			}
		}
	})
}

// stored is the object as karmada-apiserver keeps it.
func stored(t *rapid.T, f *family.Family, object *unstructured.Unstructured) map[string]any {
	var typed any = &appsv1.Deployment{}
	switch f.Kinds[0].Kind {
	case "DaemonSet":
		typed = &appsv1.DaemonSet{}
	case "ReplicaSet":
		typed = &appsv1.ReplicaSet{}
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		t.Fatal(err)
	}
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAnUnreachableMemberIsNotReady: its last status stands, and none of its replicas counts as ready; it is said, and no more once it is
// back.
func TestAnUnreachableMemberIsNotReady(t *testing.T) {
	const why = "Ready is False since 2026-11-28T10:00:00Z: ClusterNotReachable"
	for name, tc := range map[string]struct {
		family       *family.Family
		member, want string
	}{
		"Deployment": {
			Deployment(), "{replicas: 3, readyReplicas: 3, updatedReplicas: 3, availableReplicas: 3}",
			"{observedGeneration: 3, replicas: 6, readyReplicas: 3, updatedReplicas: 6, availableReplicas: 3}",
		},
		"ReplicaSet": {
			ReplicaSet(), "{replicas: 3, readyReplicas: 3, availableReplicas: 3}",
			"{observedGeneration: 3, replicas: 6, readyReplicas: 3, availableReplicas: 3}",
		},
		"DaemonSet": {
			DaemonSet(), "{currentNumberScheduled: 3, desiredNumberScheduled: 3, numberMisscheduled: 0, numberReady: 3, " +
				"updatedNumberScheduled: 3, numberAvailable: 3}",
			"{observedGeneration: 3, currentNumberScheduled: 6, desiredNumberScheduled: 6, numberMisscheduled: 0, numberReady: 3, " +
				"updatedNumberScheduled: 6, numberAvailable: 3}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			template := fixture.Parse(t, "{metadata: {name: web, generation: 3}, status: {observedGeneration: 3}}")
			members := func(unreachable string) []family.Member {
				var out []family.Member
				for _, cluster := range []string{"a", "b"} {
					status := fixture.Parse(t, tc.member).Map()
					status["generation"], status["observedGeneration"], status["resourceTemplateGeneration"] = int64(1), int64(1), int64(3)
					out = append(out, family.Member{Cluster: cluster, Status: status})
				}
				out[1].Unreachable = unreachable
				return out
			}
			object := template.Unstructured()
			edits, err := tc.family.AggregateStatus(object, members(why))
			if err != nil {
				t.Fatal(err)
			}
			away := fixture.Edited(t, object, edits)
			want := fixture.Parse(t, tc.want).Map()
			condition := map[string]any{"type": "MembersReported", "status": "False", "reason": "MemberUnreachable",
				"message": "b cannot be asked (" + why + "): its last status stands, and none of its replicas counts as ready"}
			if name == "Deployment" {
				condition["lastUpdateTime"] = nil // the edge writes it
			}
			want["conditions"] = []any{condition}
			if diff := cmp.Diff(want, away["status"]); diff != "" {
				t.Errorf("away (-want +have)\n%s", diff)
			}
			back := &unstructured.Unstructured{Object: away}
			if edits, err = tc.family.AggregateStatus(back, members("")); err != nil {
				t.Fatal(err)
			}
			status := fixture.Edited(t, back, edits)["status"].(map[string]any)
			if status["conditions"] != nil || status["readyReplicas"] != nil && status["readyReplicas"] != int64(6) ||
				status["numberReady"] != nil && status["numberReady"] != int64(6) {
				t.Errorf("back: %v", status)
			}
		})
	}
}
