package servicecomponent

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

func template(t *testing.T) fixture.Object { return fixture.Load(t, "testdata/template.yaml") }
func member(t *testing.T) fixture.Object   { return fixture.Load(t, "testdata/member.yaml") }

// minimal is the whole of what a developer must write.
func minimal(t *testing.T) fixture.Object {
	return fixture.Parse(t, `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {name: python-demo, namespace: shop, generation: 1}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: python-demo:latest, port: 8080}`)
}

var threeMembers = []workv1alpha2.TargetCluster{
	{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 3}, {Name: "member3", Replicas: 3},
}

func TestReplicas(t *testing.T) {
	amounts := func(pairs ...string) corev1.ResourceList {
		out := corev1.ResourceList{}
		for i := 0; i < len(pairs); i += 2 {
			out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
		}
		return out
	}
	patched := &workv1alpha2.NodeClaim{
		NodeSelector: map[string]string{"disk": "ssd"}, Tolerations: []corev1.Toleration{{Key: "dedicated", Operator: "Exists"}},
	}
	for name, tc := range map[string]struct {
		template fixture.Object
		want     family.Replicas
	}{
		"five fields": {minimal(t), family.Replicas{Count: 1, Requirements: &workv1alpha2.ReplicaRequirements{Namespace: "shop"}}},
		"five fields, and what the members render": {
			minimal(t).WithYAML(`{cpu: 500m, memory: 512Mi}`, "status", "requests"),
			family.Replicas{
				Count: 1, Requirements: &workv1alpha2.ReplicaRequirements{
					Namespace: "shop", ResourceRequest: amounts("cpu", "500m", "memory", "512Mi"),
				},
			},
		},
		"a limit without a request is one": {
			minimal(t).WithYAML(`{requests: {cpu: 1}, limits: {cpu: 2, memory: 1Gi}}`, "spec", "resources"),
			family.Replicas{
				Count: 1, Requirements: &workv1alpha2.ReplicaRequirements{Namespace: "shop", ResourceRequest: amounts("cpu", "1", "memory", "1Gi")},
			},
		},
		"patches are merged by container": {
			template(t),
			family.Replicas{Count: 10, Requirements: &workv1alpha2.ReplicaRequirements{
				Namespace: "shop", NodeClaim: patched, ResourceRequest: amounts("cpu", "1100m", "memory", "2176Mi"),
			}},
		},
		"an adopted workload has names of its own": {
			minimal(t).WithYAML(`{workload: old, container: app, selector: {app: old}}`, "spec", "adopt").WithYAML(`[
				{target: {kind: Deployment, name: old},
					patch: {spec: {template: {spec: {containers: [{name: app, resources: {requests: {cpu: 2}}}]}}}}},
				{target: {kind: Deployment, name: orders},
					patch: {spec: {template: {spec: {containers: [{name: app, resources: {requests: {cpu: 9}}}]}}}}}]`, "spec", "patches"),
			family.Replicas{Count: 1, Requirements: &workv1alpha2.ReplicaRequirements{Namespace: "shop", ResourceRequest: amounts("cpu", "2")}},
		},
		"the spec speaks before the members": {
			template(t).WithYAML(`{cpu: "9", ephemeral-storage: 1Gi}`, "status", "requests"),
			family.Replicas{Count: 10, Requirements: &workv1alpha2.ReplicaRequirements{
				Namespace: "shop", NodeClaim: patched, ResourceRequest: amounts("cpu", "1100m", "memory", "2176Mi", "ephemeral-storage", "1Gi"),
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := tc.template.Unstructured()
			have, err := Family().InterpretReplica(object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if diff := cmp.Diff(tc.template.Map(), object.Object); diff != "" {
				t.Errorf("the rule changed its input:\n%s", diff)
			}
		})
	}
}

func TestRevise(t *testing.T) {
	canary := template(t).
		WithYAML(
			`{type: Canary, canary: {steps: [{replicas: 1, pause: Approval}, {replicas: 5, pause: Approval},
				{replicas: 50%, pause: Approval}, {replicas: 0}, {replicas: 99}]}}`, strategyPath...)
	for name, tc := range map[string]struct {
		template fixture.Object
		target   family.Target
		want     func(fixture.Object) fixture.Object
	}{
		"five fields": {
			minimal(t).With(9, replicasPath...), family.Target{Replicas: 4, Clusters: threeMembers},
			func(o fixture.Object) fixture.Object { return o.With(4, replicasPath...) },
		},
		"numbers of a rolling change": {
			template(t), family.Target{Replicas: 3, Clusters: threeMembers},
			func(o fixture.Object) fixture.Object {
				return o.With(3, replicasPath...).With(1, unavailablePath...).
					Annotation("interpreter.argosy.dev/max-unavailable-by-cluster", "member1=2,member2=1,member3=1").
					Annotation("interpreter.argosy.dev/divided", "max-unavailable=1")
			},
		},
		"steps of a canary": {
			canary, family.Target{Replicas: 4, Clusters: threeMembers},
			func(o fixture.Object) fixture.Object {
				return o.With(4, replicasPath...).
					WithYAML(
						`[{replicas: 1, pause: Approval}, {replicas: 2, pause: Approval}, {replicas: 2, pause: Approval}, {replicas: 0}, {replicas: 4}]`,
						stepsPath...).
					Annotation("interpreter.argosy.dev/canary-step-0-by-cluster", "member1=3,member2=3,member3=3").
					Annotation("interpreter.argosy.dev/canary-step-1-by-cluster", "member1=2,member2=1,member3=2").
					Annotation("interpreter.argosy.dev/canary-step-2-by-cluster", "member1=2,member2=1,member3=2").
					Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
					Annotation("interpreter.argosy.dev/divided", "canary-step-0=3,canary-step-1=2,canary-step-2=2")
			},
		},
		"steps without a readable binding: never more than asked": {
			canary, family.Target{Replicas: 4},
			func(o fixture.Object) fixture.Object {
				return o.With(4, replicasPath...).
					WithYAML(
						`[{replicas: 0, pause: Approval}, {replicas: 2, pause: Approval}, {replicas: 2, pause: Approval}, {replicas: 0}, {replicas: 4}]`,
						stepsPath...)
			},
		},
		"cut off": {
			template(t).Annotation("migration.argosy.dev/cut-off", "1"), family.Target{Replicas: 3, Clusters: threeMembers},
			func(o fixture.Object) fixture.Object { return o },
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := tc.template.Unstructured()
			edits, err := Family().ReviseReplica(object, tc.target)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.template.Map(), object.Object); diff != "" {
				t.Errorf("the rule changed its input:\n%s", diff)
			}
			if diff := cmp.Diff(tc.want(tc.template).Map(), fixture.Edited(t, object, edits)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
	for name, tc := range map[string]struct {
		template fixture.Object
		want     bool
	}{"canary": {canary, true}, "rolling": {template(t), true}, "five fields": {minimal(t), false}} {
		if have := Family().NeedsDivision(tc.template.Unstructured(), 4); have != tc.want {
			t.Errorf("%s: needs the clusters %v, want %v", name, have, tc.want)
		}
	}
}

// TestCanaryStepReachesExactlyOne goes the way of a manifest: revised without the member's name, dispatched with it.
func TestCanaryStepReachesExactlyOne(t *testing.T) {
	canary := template(t).WithYAML(`{type: Canary, canary: {steps: [{replicas: 1}, {replicas: 7}]}}`, strategyPath...)
	var sums [2]int64
	for _, c := range threeMembers {
		manifest := canary.Unstructured()
		edits, err := Family().ReviseReplica(manifest, family.Target{Replicas: c.Replicas, Clusters: threeMembers})
		if err != nil {
			t.Fatal(err)
		}
		manifest.Object = fixture.Edited(t, manifest, edits)
		edits, err = Family().Dispatch(manifest, family.Destination{Cluster: c.Name, Overridden: func(...string) bool { return false }})
		if err != nil {
			t.Fatal(err)
		}
		manifest.Object = fixture.Edited(t, manifest, edits)
		strategy := manifest.Object["spec"].(map[string]any)["strategy"].(map[string]any)
		for i, step := range strategy["canary"].(map[string]any)["steps"].([]any) {
			sums[i] += step.(map[string]any)["replicas"].(int64)
		}
	}
	if want := [2]int64{1, 7}; sums != want {
		t.Errorf("the members' steps come to %v, want %v", sums, want)
	}
}

func TestRetain(t *testing.T) {
	owned := template(t).Label("resourcetemplate.karmada.io/retain-replicas", "true").Label("interpreter.argosy.dev/retain", "rollout")
	divided := template(t).With(3, replicasPath...).With(1, unavailablePath...).
		Annotation("interpreter.argosy.dev/max-unavailable-by-cluster", "member1=2,member2=1").
		Annotation("interpreter.argosy.dev/divided", "max-unavailable=1")
	for name, tc := range map[string]struct{ desired, observed, want fixture.Object }{
		"a divided number is nobody's to keep": {divided, member(t), divided},
		"replicas and rollout the member owns": {
			owned, member(t).With(9, replicasPath...), owned.With(9, replicasPath...).With(member(t).Map("spec", "strategy"), strategyPath...),
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
		"all new":                       {member(t), true},
		"not all new":                   {member(t).With(3, "status", "updatedReplicas"), false},
		"a canary waits after its step": {member(t).With(1, "status", "updatedReplicas").With(1, "status", "expectedUpdatedReplicas"), true},
		"a canary comes up": {member(t).With(1, "status", "updatedReplicas").With(1, "status", "expectedUpdatedReplicas").
			With(5, "status", "replicas").With("Progressing", "status", "canary", "state"), false},
		"a canary came up": {member(t).With(1, "status", "updatedReplicas").With(1, "status", "expectedUpdatedReplicas").
			With("Progressing", "status", "canary", "state"), true},
		"one copy, whose next version does not come up": {member(t).Without("status", "canary").With(1, replicasPath...).
			With(2, "status", "replicas").With(1, "status", "updatedReplicas").With(1, "status", "availableReplicas"), false},
		"one copy, whose next version serves beside it": {member(t).Without("status", "canary").With(1, replicasPath...).
			With(2, "status", "replicas").With(1, "status", "updatedReplicas").With(2, "status", "availableReplicas"), true},
		"fewer asked than expected":     {member(t).With(2, replicasPath...).With(2, "status", "updatedReplicas"), true},
		"one missing, one allowed":      {member(t).With(3, "status", "availableReplicas"), true},
		"two missing":                   {member(t).With(2, "status", "availableReplicas"), false},
		"a quarter missing, by default": {member(t).Without("spec", "strategy").With(3, "status", "availableReplicas"), true},
		"generation not observed":       {member(t).With(6, "status", "observedGeneration"), false},
		"not rendered":                  {member(t).WithYAML(`[{type: Rendered, status: "False"}]`, "status", "conditions"), false},
		"nobody manages it any more":    {member(t).Without("status").Annotation("component.luojilab.com/unmanaged", "true"), true},
		"somebody does, says the same":  {member(t).Without("status").Annotation("component.luojilab.com/unmanaged", "false"), false},
		"scaled to nothing":             {member(t).With(0, replicasPath...).WithYAML("{observedGeneration: 7}", "status"), true},
		"no status":                     {member(t).Without("status"), false},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Family().InterpretHealth(tc.member.Unstructured())
			if err != nil || have != tc.want {
				t.Errorf("healthy %v, %v; want %v", have, err, tc.want)
			}
		})
	}
}

func TestAggregate(t *testing.T) {
	first, err := Family().InterpretStatus(member(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	second := fixture.Parse(t, `
generation: 1
observedGeneration: 1
resourceTemplateGeneration: 3
replicas: 3
readyReplicas: 2
updatedReplicas: 1
availableReplicas: 2
expectedUpdatedReplicas: 1
currentRevision: orders-old
updateRevision: orders-new
selector: app=orders
requests: {cpu: 1500m, memory: 512Mi}
endpoints: [{type: Ingress, url: "https://orders.example.com/"}]
loadBalancer: {ingress: [{ip: 10.0.0.1}, {hostname: lb.example.com}]}
templates: [{name: java-server, generation: 1}]
resources: [{apiVersion: v1, kind: Service, name: orders}, {apiVersion: apps/v1, kind: Deployment, name: orders, hash: def}]
canary: {step: 1, state: Paused}
pendingApprovals: [{gate: canary, operationID: op-2, summary: one of three}]
conditions:
- {type: Ready, status: "True", reason: ReplicasReady, message: 2 of 3, lastTransitionTime: "2026-01-02T00:00:00Z"}
- {type: Unmanaged, status: "True", reason: OptedOut, message: by hand, lastTransitionTime: "2026-01-02T00:00:00Z"}
`).Map()
	for name, tc := range map[string]struct {
		members []family.Member
		want    string
	}{
		"two members": {[]family.Member{{Cluster: "member2", Status: second}, {Cluster: "member1", Status: first}}, `
observedGeneration: 3
replicas: 7
readyReplicas: 6
updatedReplicas: 5
availableReplicas: 6
expectedUpdatedReplicas: 5
currentRevision: orders-old
updateRevision: orders-new
selector: app=orders
requests: {cpu: 1500m, memory: 1Gi, ephemeral-storage: 1Gi}
endpoints:
- {cluster: member2, type: Ingress, url: "https://orders.example.com/"}
- {cluster: member1, type: Service, url: "http://orders.shop.svc:8080"}
loadBalancer: {ingress: [{ip: 10.0.0.1}, {hostname: lb.example.com}]}
templates: [{cluster: member1, name: java-server, generation: 2}, {cluster: member2, name: java-server, generation: 1}]
resources:
- {cluster: member1, apiVersion: apps/v1, kind: Deployment, name: orders, hash: abc}
- {cluster: member2, apiVersion: apps/v1, kind: Deployment, name: orders, hash: def}
- {cluster: member2, apiVersion: v1, kind: Service, name: orders}
canary: {step: 1, state: Paused}
pendingApprovals: [{cluster: member2, gate: canary, operationID: op-2, summary: one of three}]
conditions:
- {type: Ready, status: "True", reason: ReplicasReady, message: "member1: 4 of 4; member2: 2 of 3",
  lastTransitionTime: "2026-01-02T00:00:00Z", observedGeneration: 3}
- {type: Unmanaged, status: "True", reason: OptedOut, message: "member2: by hand",
  lastTransitionTime: "2026-01-02T00:00:00Z", observedGeneration: 3}
`},
		"nowhere": {
			nil, `{observedGeneration: 3, replicas: 0, readyReplicas: 0, updatedReplicas: 0, availableReplicas: 0, expectedUpdatedReplicas: 0}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := template(t).Unstructured()
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
	for name, tc := range map[string]struct {
		template fixture.Object
		want     []string
	}{
		"what the spec and the patches of its workload name": {
			template(t), []string{"ConfigMap levels", "ConfigMap settings", "Secret password", "Secret registry"},
		},
		"five fields": {minimal(t), nil},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Family().InterpretDependency(tc.template.Unstructured())
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, d := range have {
				names = append(names, d.Kind+" "+d.Name)
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestErrorsNameTheField(t *testing.T) {
	replica := func(o fixture.Object) error { _, err := Family().InterpretReplica(o.Unstructured()); return err }
	revise := func(o fixture.Object) error {
		_, err := Family().ReviseReplica(o.Unstructured(), family.Target{Replicas: 1})
		return err
	}
	for want, err := range map[string]error{
		"spec.replicas: ":        replica(template(t).With("x", replicasPath...)),
		"spec.adopt: ":           replica(template(t).With("x", "spec", "adopt")),
		"spec.adopt.container: ": replica(template(t).WithYAML(`{container: 1}`, "spec", "adopt")),
		"spec.patches: ":         replica(template(t).With("x", "spec", "patches")),
		"spec.patches[0].patch.spec.template: ": replica(template(t).WithYAML(
			`[{target: {kind: Deployment}, patch: {spec: {template: {spec: {containers: [main]}}}}}]`, "spec", "patches")),
		"rendered pod template.spec.containers: ": replica(template(t).WithYAML(
			`[{target: {kind: Deployment}, patch: {spec: {template: {spec: {containers: main}}}}}]`, "spec", "patches")),
		"spec.patches[0].target: ":          replica(template(t).WithYAML(`[{target: x}]`, "spec", "patches")),
		"spec.strategy.canary.steps[0]: ":   revise(template(t).WithYAML(`{canary: {steps: [x]}}`, strategyPath...)),
		"spec.strategy.canary.steps[0].rep": revise(template(t).WithYAML(`{canary: {steps: [{replicas: most}]}}`, strategyPath...)),
		"status.requests.cpu: ":             replica(template(t).With("much", "status", "requests", "cpu")),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("have %v, want an error that begins with %q", err, want)
		}
	}
}
