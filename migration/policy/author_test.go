package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &out.Object); err != nil {
		t.Fatal(err)
	}
	return out
}

const deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: %d,
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1", env: [{name: CLUSTER, value: %s}]}]}}}}`

var web = v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}

// render what Karmada makes of template and overrides for a cluster.
func render(t testing.TB, resource *Resource, cluster string) map[string]any {
	t.Helper()
	raw, err := json.Marshal(withoutReplicas(resource.Template, resource.Replicas != nil))
	if err != nil {
		t.Fatal(err)
	}
	var rules []policyv1alpha1.RuleWithCluster
	if resource.Override != nil {
		rules = resource.Override.Spec.OverrideRules
	}
	for _, rule := range rules {
		if rule.TargetCluster.ClusterNames[0] != cluster {
			continue
		}
		text, err := json.Marshal(rule.Overriders.Plaintext)
		if err != nil {
			t.Fatal(err)
		}
		var operations []map[string]any
		if err := json.Unmarshal(text, &operations); err != nil {
			t.Fatal(err)
		}
		for _, operation := range operations {
			operation["op"] = operation["operator"]
		}
		if text, err = json.Marshal(operations); err != nil {
			t.Fatal(err)
		}
		patch, err := jsonpatch.DecodePatch(text)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = patch.Apply(raw); err != nil {
			t.Fatalf("the overrides of %s do not apply: %v", cluster, err)
		}
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAuthorKeepsReplicasAndDifferences(t *testing.T) {
	resources, err := Author(Application{
		Namespace: "shop", Workload: web, Owner: "deployment-web",
		Objects: map[string][]Found{
			"a": {{Object: object(t, fmt.Sprintf(deployment, 4, "a"))}},
			"b": {{Object: object(t, fmt.Sprintf(deployment, 6, "b"))}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := resources[0]
	if replicas, _ := Replicas(got.Template); replicas != 10 {
		t.Errorf("the template has %d replicas, want the sum, 10", replicas)
	}
	want := []policyv1alpha1.StaticClusterWeight{
		{TargetCluster: policyv1alpha1.ClusterAffinity{ClusterNames: []string{"a"}}, Weight: 4},
		{TargetCluster: policyv1alpha1.ClusterAffinity{ClusterNames: []string{"b"}}, Weight: 6},
	}
	if diff := cmp.Diff(want, got.Policy.Spec.Placement.ReplicaScheduling.WeightPreference.StaticWeightList); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
	var paths []string
	for _, rule := range got.Override.Spec.OverrideRules {
		for _, overrider := range rule.Overriders.Plaintext {
			paths = append(paths, rule.TargetCluster.ClusterNames[0]+" "+overrider.Path)
		}
	}
	if diff := cmp.Diff([]string{"a /spec/template/spec/containers/0/env/0/value"}, paths); diff != "" {
		t.Errorf("overrides (-want +got):\n%s", diff)
	}
	if got.Policy.Spec.PropagateDeps || got.Policy.Spec.ActivationPreference != "" {
		t.Error("the policy propagates dependencies or is Lazy")
	}
}

// Whatever differs between clusters, template and overrides together give each cluster exactly its own.
func TestEveryClusterGetsItsOwn(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any { return draw(t, 3) })
	rapid.Check(t, func(rt *rapid.T) {
		objects := map[string][]Found{}
		for _, cluster := range []string{"a", "b", "c"} {
			content := map[string]any{
				"apiVersion": "example.dev/v1", "kind": "Thing", "metadata": map[string]any{"name": "thing", "namespace": "shop"},
				"spec": value.Draw(rt, cluster),
			}
			objects[cluster] = []Found{{Object: &unstructured.Unstructured{Object: content}}}
		}
		resources, err := Author(Application{Namespace: "shop", Workload: web, Objects: objects, Owner: "deployment-web"})
		if err != nil {
			rt.Fatal(err)
		}
		resource := &resources[0]
		for cluster, desired := range resource.Desired {
			got := render(t, resource, cluster)
			want := plainJSON(t, withoutReplicas(desired, false))
			// The template's own marks come beside, in every cluster.
			labels := got["metadata"].(map[string]any)["labels"].(map[string]any)
			delete(labels, v1alpha1.LabelManagedBy)
			delete(labels, "resourcetemplate.karmada.io/deletion-protected")
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("cluster %s (-want +got):\n%s", cluster, diff)
			}
		}
	})
}

func draw(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	if depth == 0 {
		kind = min(kind, 2)
	}
	switch kind {
	case 0:
		return rapid.SampledFrom([]string{"", "x", "y/z", "~"}).Draw(t, "text")
	case 1:
		return float64(rapid.IntRange(0, 2).Draw(t, "number"))
	case 2:
		return rapid.Bool().Draw(t, "bool")
	case 3:
		out := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			out = append(out, draw(t, depth-1))
		}
		return out
	}
	out := map[string]any{}
	for _, key := range []string{"a", "b/c", "d.e", "~f"} {
		if rapid.Bool().Draw(t, "has "+key) {
			out[key] = draw(t, depth-1)
		}
	}
	return out
}

func plainJSON(t testing.TB, value any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatStaysLocal(t *testing.T) {
	secret := `{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: shop}, data: {key: %s}}`
	shared := `{apiVersion: v1, kind: ConfigMap, metadata: {name: shared, namespace: shop}, data: {a: b}}`
	resources, err := Author(Application{
		Namespace: "shop", Workload: web, Owner: "deployment-web",
		Objects: map[string][]Found{
			"a": {
				{Object: object(t, fmt.Sprintf(secret, "YQ=="))}, {Object: object(t, shared), Users: []string{"deployment/other", "deployment/web"}},
			},
			"b": {{Object: object(t, fmt.Sprintf(secret, "Yg=="))}},
		},
		Adopted: func(v1alpha1.ResourceReference, []string) (string, bool) {
			return "shared with deployment/other", false
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, resource := range resources {
		got[resource.Kind] = resource.Local
		if resource.Policy != nil || resource.Override != nil || resource.Template != nil {
			t.Errorf("%s stays local and has a policy, override or template", resource.Kind)
		}
	}
	want := map[string]string{
		"Secret":    "its content differs between clusters, and an OverridePolicy would show it as plain text",
		"ConfigMap": "shared with deployment/other",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("local (-want +got):\n%s", diff)
	}
}

// What Karmada could not keep apart stays static: its record of overrides is an annotation. A workload that differs so much is refused.
func TestTooMuchDiffers(t *testing.T) {
	big := func(kind, of string) *unstructured.Unstructured {
		return object(t, `{apiVersion: `+map[string]string{"ConfigMap": "v1",
			"Deployment": "apps/v1"}[kind]+`, kind: `+kind+`, metadata: {name: web, namespace: shop}, data: {blob: "`+strings.Repeat(of,
			150<<10)+`"}}`)
	}
	resources, err := Author(Application{Namespace: "shop", Workload: web, Owner: "deployment-web", Objects: map[string][]Found{
		"a": {{Object: big("ConfigMap", "aa")}}, "b": {{Object: big("ConfigMap", "bb")}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := "cluster b differs in 300 KiB of it, and Karmada keeps what it overrides in an annotation, which takes 256"
	if resources[0].Local != want || !resources[0].Differs || resources[0].Policy != nil {
		t.Errorf("local: %q, want %q", resources[0].Local, want)
	}
	_, err = Author(Application{Namespace: "shop", Workload: web, Owner: "deployment-web", Objects: map[string][]Found{
		"a": {{Object: big("Deployment", "aa")}}, "b": {{Object: big("Deployment", "bb")}}}})
	if err == nil || !strings.Contains(err.Error(), "authoring policies of deployment/web: "+want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// Karmada prunes a Deployment's revision and nobody else's; ours goes from every template, or a member's own count would be
// overwritten with another's.
func TestRevisionIsTheMembersOwn(t *testing.T) {
	for _, kind := range []string{"Deployment", "CloneSet", "ConfigMap"} {
		live := object(t,
			`{apiVersion: x/v1, kind: `+kind+`, metadata: {name: web, annotations: {deployment.kubernetes.io/revision: "4", note: kept}}}`)
		if diff := cmp.Diff(map[string]string{"note": "kept"}, Template(live).GetAnnotations()); diff != "" {
			t.Errorf("annotations of a %s's template (-want +got):\n%s", kind, diff)
		}
	}
}

// What restarts pods stays in the template, what the cluster counts goes.
func TestTemplateOfALiveObject(t *testing.T) {
	live := object(t, `{apiVersion: apps/v1, kind: Deployment,
		metadata: {name: web, namespace: shop, uid: u, resourceVersion: "7", generation: 3,
  labels: {app: web, karmada.io/managed: "true"}, finalizers: [x], ownerReferences: [{name: o}],
  annotations: {note: kept, deployment.kubernetes.io/revision: "4", kubectl.kubernetes.io/last-applied-configuration: "{}"}},
  spec: {template: {metadata: {annotations: {kubectl.kubernetes.io/restartedAt: yesterday}}}}, status: {replicas: 1}}`)
	want := object(t, `{apiVersion: apps/v1, kind: Deployment,
		metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {note: kept}},
  spec: {template: {metadata: {annotations: {kubectl.kubernetes.io/restartedAt: yesterday}}}}}`)
	if diff := cmp.Diff(want.Object, Template(live).Object); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
}
