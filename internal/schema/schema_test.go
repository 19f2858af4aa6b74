package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAdmit(t *testing.T) {
	const component = "apiVersion: component.luojilab.com/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {workloadType: Deployment, " +
		"developLanguage: python, runType: server, image: i, port: 80, "
	const template = "apiVersion: component.luojilab.com/v1alpha1\nkind: ComponentTemplate\nmetadata: {name: a}\nspec: "
	tests := map[string]struct{ object, want string }{
		"five fields":          {component + "}", ""},
		"provider":             {component + "svc: {type: aliyun-slb}}", ""},
		"provider with domain": {component + "svc: {type: service.k8s.aws/nlb}}", ""},
		"misspelt type":        {component + "svc: {type: clusterip}}", "svc.type must be ClusterIP, NodePort, LoadBalancer, None, or the name"},
		"ExternalName": {
			component + "svc: {type: ExternalName}}", "svc.type must be ClusterIP, NodePort, LoadBalancer, None, or the name",
		},
		"unknown field":    {component + "prot: 1}", "spec.prot: Forbidden: there is no such field"},
		"patches are free": {component + "patches: [{target: {kind: Service}, patch: {any: {thing: 1}}}]}", ""},
		"out of range": {
			component + "replicas: -1}", "spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0",
		},
		"twice":                {component + "env: [{name: A}, {name: A}]}", `spec.env[1]: Duplicate value: {"name":"A"}`},
		"adopt":                {component + "adopt: {workload: old, selector: {a: b}}}", ""},
		"adopt without labels": {component + "adopt: {workload: old}}", "spec.adopt.selector: Required value"},
		"template":             {template + "{level: Cluster, objects: [{kind: ConfigMap, object: {data: {a: b}}}]}", ""},
		"rights": {
			template + "{level: Cluster, objects: [{kind: RoleBinding, object: {}}]}", `spec.objects[0].kind: Unsupported value: "RoleBinding"`,
		},
		"no language": {
			template + "{level: Language, objects: [{kind: ConfigMap, object: {}}]}", "a template of level Language must name match.languages",
		},
		"no run type": {
			template + "{level: RunType, match: {languages: [go]}, objects: [{kind: ConfigMap, object: {}}]}",
			"a template of level RunType must name match.runTypes",
		},
		"no workload type": {
			template + "{level: WorkloadType, objects: [{kind: ConfigMap, object: {}}]}",
			"a template of level WorkloadType must name match.workloadTypes",
		},
		"second workload": {
			template + "{level: Cluster, objects: [{kind: Deployment, name: b, object: {}}]}",
			"name cannot be given for a Deployment or StatefulSet",
		},
		"wave": {template + "{level: Cluster, wave: {}, objects: [{kind: ConfigMap, object: {}}]}", ""},
		"falling wave": {
			template + "{level: Cluster, wave: {batchPercents: [50, 10, 100]}, objects: [{kind: ConfigMap, object: {}}]}",
			"batchPercents must rise and end at 100",
		},
		"unfinished wave": {
			template + "{level: Cluster, wave: {batchPercents: [50]}, objects: [{kind: ConfigMap, object: {}}]}",
			"batchPercents must rise and end at 100",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			object := read(t, tc.object)
			s, err := Of(object.GroupVersionKind())
			if err != nil {
				t.Fatal(err)
			}
			errs := s.Admit(t.Context(), object)
			if tc.want == "" && len(errs) > 0 || tc.want != "" && (len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), tc.want)) {
				t.Errorf("have %v\nwant %s", errs, tc.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	object := read(t,
		"apiVersion: component.luojilab.com/v1alpha1\nkind: ComponentTemplate\nmetadata: {name: a}\nspec: {level: Cluster, wave: {}, objects: "+
			"[{kind: ConfigMap, object: {}}]}")
	s, err := Of(object.GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	if errs := s.Admit(t.Context(), object); len(errs) > 0 {
		t.Fatal(errs)
	}
	want := read(t,
		"{apiVersion: component.luojilab.com/v1alpha1, kind: ComponentTemplate, metadata: {name: a}, spec: {level: Cluster, priority: 0, wave: "+
			"{batchPercents: [1, 10, 50, 100], intervalSeconds: 60, maxDegraded: 0}, objects: [{kind: ConfigMap, object: {}}]}}")
	if diff := cmp.Diff(want.Object, object.Object); diff != "" {
		t.Errorf("-want +have:\n%s", diff)
	}
}

func TestNotOurs(t *testing.T) {
	if _, err := Of(runtimeschema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}); err == nil ||
		!strings.Contains(err.Error(), "is no kind of Argosy's") {
		t.Errorf("have %v", err)
	}
}
