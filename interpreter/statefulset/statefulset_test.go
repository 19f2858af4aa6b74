package statefulset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

func template(t *testing.T) fixture.Object { return fixture.Load(t, "testdata/template.yaml") }
func member(t *testing.T) fixture.Object   { return fixture.Load(t, "testdata/member.yaml") }

func TestReplicas(t *testing.T) {
	want := family.Replicas{Count: 10, Requirements: &workv1alpha2.ReplicaRequirements{
		NodeClaim: &workv1alpha2.NodeClaim{NodeSelector: map[string]string{"disk": "ssd"}},
		// The init container wants more CPU than the main one, and less memory.
		ResourceRequest:   corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi")},
		Namespace:         "shop",
		PriorityClassName: "high",
	}}
	have, err := Family().InterpretReplica(template(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	have, err = Family().InterpretReplica(template(t).Without("spec", "replicas").Unstructured())
	if err != nil || have.Count != 1 {
		t.Errorf("no replicas: have %d and %v, want OpenKruise's default 1", have.Count, err)
	}
}

func TestRevise(t *testing.T) {
	clusters := []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 3}, {Name: "member3", Replicas: 3}}
	rolling := []string{"spec", "updateStrategy", "rollingUpdate"}
	for name, tc := range map[string]struct {
		template func(fixture.Object) fixture.Object
		target   family.Target
		want     func(fixture.Object) fixture.Object
	}{
		"one of ten is updated, in the largest member": {
			target: family.Target{Replicas: 4, Clusters: clusters},
			want: func(o fixture.Object) fixture.Object {
				return o.With(4, "spec", "replicas").With(3, partitionPath...).With(2, unavailablePath...).
					Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3,member3=3").
					Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
					Annotation("interpreter.argosy.dev/max-unavailable-by-cluster", "member1=2,member2=1,member3=1").
					Annotation("interpreter.argosy.dev/divided", "partition=3,max-unavailable=2").
					Annotation("interpreter.argosy.dev/created-with", "e3b3f96cfe942e91").Annotation("interpreter.argosy.dev/template", "e3b3f96cfe942e91")
			},
		},
		"without a readable binding the careful value stands": {
			target: family.Target{Replicas: 4},
			want: func(o fixture.Object) fixture.Object {
				return o.With(4, "spec", "replicas").With(4, partitionPath...).With(1, unavailablePath...).
					Annotation("interpreter.argosy.dev/created-with", "e3b3f96cfe942e91").Annotation("interpreter.argosy.dev/template", "e3b3f96cfe942e91")
			},
		},
		"ordinals and reserved ordinals are each member's own": {
			template: func(o fixture.Object) fixture.Object { return o.Without(rolling...) },
			target:   family.Target{Replicas: 3, Clusters: clusters},
			want: func(o fixture.Object) fixture.Object {
				return o.Without(rolling...).With(3, "spec", "replicas")
			},
		},
		"a partition that holds everything stays whole": {
			template: func(o fixture.Object) fixture.Object {
				return o.With(10, partitionPath...).With("30%", unavailablePath...)
			},
			target: family.Target{Replicas: 3, Clusters: clusters},
			want: func(o fixture.Object) fixture.Object {
				return o.With(10, partitionPath...).With("30%", unavailablePath...).With(3, "spec", "replicas").
					Annotation("interpreter.argosy.dev/created-with", "e3b3f96cfe942e91").Annotation("interpreter.argosy.dev/template", "e3b3f96cfe942e91")
			},
		},
		"a template that is cut off keeps its replicas": {
			template: func(o fixture.Object) fixture.Object { return o.Annotation("migration.argosy.dev/cut-off", "1") },
			target:   family.Target{Replicas: 3, Clusters: clusters},
			want:     func(o fixture.Object) fixture.Object { return o.Annotation("migration.argosy.dev/cut-off", "1") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := template(t)
			if tc.template != nil {
				base = tc.template(base)
			}
			object := base.Unstructured()
			edits, err := Family().ReviseReplica(object, tc.target)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(base.Map(), object.Object); diff != "" {
				t.Errorf("the rule changed its input:\n%s", diff)
			}
			if diff := cmp.Diff(tc.want(template(t)).Map(), fixture.Edited(t, object, edits)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
	if !Family().NeedsDivision(template(t).Unstructured(), 4) {
		t.Error("an integer partition needs the clusters")
	}
	if Family().NeedsDivision(template(t).Without(rolling...).Unstructured(), 4) {
		t.Error("without one they cost a read for nothing")
	}
}

func TestRetain(t *testing.T) {
	divided := template(t).With(4, "spec", "replicas").With(4, partitionPath...).
		Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3").
		Annotation("interpreter.argosy.dev/divided", "partition=4")
	for name, tc := range map[string]struct{ desired, observed, want fixture.Object }{
		"a divided number was made this member's at the Work's admission": {divided, member(t), divided},
		"replicas of the member's HPA": {
			divided.Label("resourcetemplate.karmada.io/retain-replicas", "true"), member(t).With(9, "spec", "replicas"),
			divided.Label("resourcetemplate.karmada.io/retain-replicas", "true").With(9, "spec", "replicas"),
		},
		"a rollout the member owns": {
			divided.Label("interpreter.argosy.dev/retain", "rollout"), member(t).With(2, partitionPath...).With(true, pausedPath...),
			divided.Label("interpreter.argosy.dev/retain", "rollout").With(2, partitionPath...).With(true, pausedPath...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			desired := tc.desired.Unstructured()
			edits, err := Family().Retain(desired, tc.observed.Unstructured())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want.Map(), fixture.Edited(t, desired, edits)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	for name, tc := range map[string]struct {
		member fixture.Object
		want   bool
	}{
		"at its partition":                   {member(t), true},
		"before its partition":               {member(t).With(2, partitionPath...), false},
		"paused before its partition":        {member(t).With(2, partitionPath...).With(true, pausedPath...), true},
		"updated only when pods are deleted": {member(t).Without("spec", "updateStrategy").With("OnDelete", strategyPath...), true},
		"no strategy, all updated":           {member(t).Without("spec", "updateStrategy").With(4, "status", "updatedReplicas"), true},
		"no strategy, one updated":           {member(t).Without("spec", "updateStrategy"), false},
		"generation not observed":            {member(t).With(6, "status", "observedGeneration"), false},
		"one pod missing, one allowed":       {member(t).With(3, "status", "availableReplicas"), true},
		"two pods missing, one allowed":      {member(t).With(2, "status", "availableReplicas"), false},
		"a partition above the replicas":     {member(t).With(99, partitionPath...).With(0, "status", "updatedReplicas"), true},
		"scaled to nothing":                  {member(t).With(0, "spec", "replicas").WithYAML("{observedGeneration: 7}", "status"), true},
		"one replica, never allowed to miss": {member(t).With(1, "spec", "replicas").With(0, "status", "availableReplicas"), false},
		"no status":                          {member(t).Without("status"), false},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Family().InterpretHealth(tc.member.Unstructured())
			if err != nil || have != tc.want {
				t.Errorf("healthy %v, %v; want %v", have, err, tc.want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	have, err := Family().InterpretStatus(member(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	want := member(t).With(7, "status", "generation").With(3, "status", "resourceTemplateGeneration").Map("status")
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestAggregate(t *testing.T) {
	first, err := Family().InterpretStatus(member(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	second := fixture.Parse(t, `
generation: 2
observedGeneration: 2
resourceTemplateGeneration: 3
replicas: 3
readyReplicas: 2
availableReplicas: 2
currentReplicas: 3
updatedReplicas: 3
updatedReadyReplicas: 2
updatedAvailableReplicas: 2
currentRevision: db-new
updateRevision: db-new
labelSelector: app=db
volumeClaims: [{volumeClaimName: data, compatibleReplicas: 3, compatibleReadyReplicas: 3},
  {volumeClaimName: log, compatibleReplicas: 1, compatibleReadyReplicas: 0}]
conditions: [{type: FailedCreatePod, status: "True", message: quota, lastTransitionTime: "2026-01-02T03:04:05Z"}]
`).Map()
	sums := `
replicas: 7
readyReplicas: 6
availableReplicas: 6
currentReplicas: 6
updatedReplicas: 4
updatedReadyReplicas: 3
updatedAvailableReplicas: 3
currentRevision: db-old
updateRevision: db-new
labelSelector: app=db
volumeClaims:
- {volumeClaimName: data, compatibleReplicas: 7, compatibleReadyReplicas: 6}
- {volumeClaimName: log, compatibleReplicas: 1, compatibleReadyReplicas: 0}
conditions: [{type: FailedCreatePod, status: "True", message: "member2: quota", lastTransitionTime: "2026-01-02T03:04:05Z"}]
`
	members := []family.Member{{Cluster: "member2", Status: second}, {Cluster: "member1", Status: first}}
	for name, tc := range map[string]struct {
		template fixture.Object
		members  []family.Member
		want     string
	}{
		"all have observed the template": {template(t), members, "observedGeneration: 3" + sums},
		"one has not reported": {
			template(t).With(2, "status", "observedGeneration"), append(members, family.Member{Cluster: "member3"}),
			"observedGeneration: 2" + sums,
		},
		"nowhere": {template(t), nil, `
observedGeneration: 3
replicas: 0
readyReplicas: 0
availableReplicas: 0
currentReplicas: 0
updatedReplicas: 0
updatedReadyReplicas: 0
updatedAvailableReplicas: 0
labelSelector: app=db`},
	} {
		t.Run(name, func(t *testing.T) {
			object := tc.template.Unstructured()
			edits, err := Family().AggregateStatus(object, tc.members)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fixture.Parse(t, tc.want).Map(), fixture.Edited(t, object, edits)["status"]); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	have, err := Family().InterpretDependency(template(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	var want []configv1alpha1.DependentObjectReference
	for _, line := range []string{
		"ConfigMap settings", "Secret password", "Secret registry", "ServiceAccount db", "PersistentVolumeClaim archive", "Service db",
	} {
		kind, name, _ := strings.Cut(line, " ")
		want = append(want, configv1alpha1.DependentObjectReference{APIVersion: "v1", Kind: kind, Namespace: "shop", Name: name})
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	have, err = Family().InterpretDependency(template(t).Without("spec", "serviceName").Without("spec", "template").Unstructured())
	if err != nil || len(have) != 0 {
		t.Errorf("nothing named: have %v and %v", have, err)
	}
}

func TestErrorsNameTheField(t *testing.T) {
	f := Family()
	for name, tc := range map[string]struct {
		ask  func(fixture.Object) error
		path []string
		want string
	}{
		"replicas": {
			func(o fixture.Object) error { _, err := f.InterpretReplica(o.Unstructured()); return err }, replicasPath, "spec.replicas: ",
		},
		"partition": {
			func(o fixture.Object) error { _, err := f.ReviseReplica(o.Unstructured(), family.Target{}); return err }, partitionPath,
			"spec.updateStrategy.rollingUpdate.partition: ",
		},
		"serviceName": {
			func(o fixture.Object) error { _, err := f.InterpretDependency(o.Unstructured()); return err }, []string{"spec", "serviceName"}, "",
		},
		"observed": {
			func(o fixture.Object) error { _, err := f.InterpretHealth(o.Unstructured()); return err }, []string{"status", "availableReplicas"},
			"status.availableReplicas: ",
		},
		"observed owned": {func(o fixture.Object) error {
			_, err := f.Retain(o.Label("resourcetemplate.karmada.io/retain-replicas", "true").Unstructured(), o.With("x", "spec").Unstructured())
			return err
		}, nil, "observedObject.spec: "},
	} {
		t.Run(name, func(t *testing.T) {
			object := template(t)
			if tc.path != nil {
				object = object.With(map[string]any{"not": "this"}, tc.path...)
			}
			err := tc.ask(object)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("have %v, want an error that begins with %q", err, tc.want)
			}
		})
	}
}
