package interpreter

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// TestReportedCases are objects of public reports that were once read wrongly, as whole questions of Karmada.
func TestReportedCases(t *testing.T) {
	const progressing = `{type: Progressing, lastTransitionTime: "2026-11-28T08:00:00Z", `
	const counts = `replicas: 2, readyReplicas: 2, availableReplicas: 2, updatedReplicas: 2, observedGeneration: 2, generation: 2, ` +
		`resourceTemplateGeneration: 4, conditions: [`
	for name, tc := range map[string]struct {
		operation        configv1alpha1.InterpreterOperation
		object, observed string
		members          []string
		replicas         int32
		// path of what is looked at in the object that comes out, or of the answer.
		path []string
		want any
	}{
		"CloneSet v1beta1, whose failure in one member was lost (OpenKruise 1.9)": {
			operation: configv1alpha1.InterpreterOperationAggregateStatus,
			object: `{apiVersion: apps.kruise.io/v1beta1, kind: CloneSet, metadata: {name: web, namespace: shop, generation: 4},
				spec: {replicas: 4, progressDeadlineSeconds: 60, selector: {matchLabels: {app: web}}}}`,
			members: []string{
				"{" + counts + progressing + `status: "True", reason: CloneSetAvailable}]}`,
				"{" + counts + progressing + `status: "False", reason: ProgressDeadlineExceeded, message: "web-2 has timed out"}]}`,
			},
			path: []string{"status", "conditions"},
			want: []any{map[string]any{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
				"message": "b: web-2 has timed out", "lastTransitionTime": "2026-11-28T08:00:00Z"}},
		},
		"Advanced DaemonSet v1beta1, which was not interpreted": {
			operation: configv1alpha1.InterpreterOperationInterpretDependency,
			object: `{apiVersion: apps.kruise.io/v1beta1, kind: DaemonSet, metadata: {name: ds, namespace: shop}, spec: {template: {
				spec: {containers: [{name: a, image: x, envFrom: [{configMapRef: {name: c}}]}]}}}}`,
			want: []configv1alpha1.DependentObjectReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "c"}},
		},
		"Advanced StatefulSet v1alpha1, which the same CRD still serves": {
			operation: configv1alpha1.InterpreterOperationReviseReplica, replicas: 2,
			object: `{apiVersion: apps.kruise.io/v1alpha1, kind: StatefulSet, metadata: {name: old}, spec: {replicas: 6,
				updateStrategy: {rollingUpdate: {partition: 5}}}}`,
			path: []string{"spec", "updateStrategy", "rollingUpdate", "partition"}, want: int64(2),
		},
		"an override that equals the divided value: Retain leaves it": {
			operation: configv1alpha1.InterpreterOperationRetain,
			object: `{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, metadata: {name: web, namespace: shop, annotations: {
				interpreter.argosy.dev/partition-by-cluster: "member1=3,member2=2,member3=3", interpreter.argosy.dev/divided: partition=3}},
				spec: {replicas: 3, updateStrategy: {partition: 3}}}`,
			observed: `{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, metadata: {name: web, namespace: shop, annotations: {
				work.karmada.io/namespace: karmada-es-member2}}, spec: {replicas: 3, updateStrategy: {partition: 3}}}`,
			path: []string{"spec", "updateStrategy", "partition"}, want: int64(3),
		},
		"a StatefulSet of apps/v1 at its partition, which was evicted": {
			operation: configv1alpha1.InterpreterOperationInterpretHealth,
			object: `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: rfo-sts, generation: 2}, spec: {replicas: 4,
				updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 3}}},
				status: {observedGeneration: 2, replicas: 4, readyReplicas: 4, availableReplicas: 4, updatedReplicas: 1}}`,
			want: true,
		},
		"a BroadcastJob that depends on nothing, whose dependencies failed": {
			operation: configv1alpha1.InterpreterOperationInterpretDependency,
			object: `{apiVersion: apps.kruise.io/v1alpha1, kind: BroadcastJob, metadata: {name: bj}, spec: {template: {spec: {
				restartPolicy: Never, containers: [{name: main, image: x}]}}}}`,
			want: []configv1alpha1.DependentObjectReference(nil),
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := Question{Operation: tc.operation, Object: fixture.Parse(t, tc.object).Unstructured()}
			q.Target.Replicas = tc.replicas
			if tc.observed != "" {
				q.Observed = fixture.Parse(t, tc.observed).Unstructured()
			}
			for i, status := range tc.members {
				q.Members = append(q.Members, family.Member{Cluster: string(rune('a' + i)), Status: fixture.Parse(t, status).Map()})
			}
			of, err := NewCatalog(Families()).Family(q)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := q.Answer(of)
			if err != nil {
				t.Fatal(err)
			}
			var have any
			switch {
			case answer.Healthy != nil:
				have = *answer.Healthy
			case tc.operation == configv1alpha1.InterpreterOperationInterpretDependency:
				have = answer.Dependencies
			default:
				have, _, _ = unstructured.NestedFieldNoCopy(fixture.Edited(t, q.Object, answer.Edits), tc.path...)
			}
			if conditions, ok := have.([]any); ok {
				have = without(conditions, "RolloutAsAsked")
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

// without leaves a condition out that another test is about.
func without(conditions []any, kind string) (out []any) {
	for _, item := range runtime.DeepCopyJSONValue(conditions).([]any) {
		if condition, _ := item.(map[string]any); condition["type"] != kind {
			out = append(out, item)
		}
	}
	return out
}
