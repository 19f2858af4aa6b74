package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/preview"
)

func parsed[T any](t *testing.T, text string) *T {
	t.Helper()
	out := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// pods of a template that gives them the variable A.
func pods(value string) string {
	return `{kind: Deployment, object: {spec: {template: {spec: {containers: [{name: main, env: [{name: A, value: "` + value + `"}]}]}}}}}`
}

// TestPreviewWave: who would change, who restarts, and whom it does not fit; a template that changes no byte changes nobody.
func TestPreviewWave(t *testing.T) {
	component := func(name, more string) *v1alpha1.Component {
		return parsed[v1alpha1.Component](t, `{metadata: {name: `+name+`, namespace: shop}, spec: {workloadType: Deployment,
			developLanguage: python, runType: server, image: "demo:1", port: 8080`+more+`}}`)
	}
	const head = `{metadata: {name: python}, spec: {level: Language, match: {languages: [python]}, objects: [`
	stored := parsed[v1alpha1.ComponentTemplate](t, head+pods("$(cluster.zone)")+`]}}`)
	member := memberWith(t, component("cart", ", replicas: 3"), component("door", ", svc: {type: None}"),
		component("none", ", ingress: {host: a.b}"), stored, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "argosy-system", Name: "argosy-cluster"}, Data: map[string]string{"zone": "a"},
		})
	for name, tc := range map[string]struct {
		objects string
		values  map[string]string
		want    string
		err     string
	}{
		"another variable": {
			objects: pods("b"),
			want: `ComponentTemplate python would change 3 of 3 components in member1; 3 of them would restart.
NAMESPACE  COMPONENT  CHANGES     RESTARTS  REPLICAS
shop       cart       Deployment  yes       3
shop       door       Deployment  yes       1
shop       none       Deployment  yes       1
`,
		},
		"a label of the Service": {
			objects: pods("$(cluster.zone)") + `,
				{kind: Service, object: {metadata: {labels: {a: b}}}}`,
			want: `ComponentTemplate python would change 2 of 3 components in member1; 0 of them would restart.
NAMESPACE  COMPONENT  CHANGES  RESTARTS  REPLICAS
shop       cart       Service  no        3
shop       none       Service  no        1
`,
		},
		"no byte": {
			objects: pods("a"),
			want:    "ComponentTemplate python would change 0 of 3 components in member1; 0 of them would restart.\n",
		},
		"a value": {
			objects: pods("$(cluster.new)"),
			values:  map[string]string{"new": "a"},
			want:    "ComponentTemplate python would change 0 of 3 components in member1; 0 of them would restart.\n",
		},
		"it does not fit": {
			objects: pods("$(cluster.new)"),
			want: `ComponentTemplate python would change 3 of 3 components in member1; 0 of them would restart.
NAMESPACE  COMPONENT  CHANGES       RESTARTS  REPLICAS
shop       cart       does not fit  no        3
shop       door       does not fit  no        1
shop       none       does not fit  no        1
`,
			err: "component shop/cart: ComponentTemplate python: spec.objects[0].object.spec.template.spec.containers[0].env[0].value",
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := parsed[v1alpha1.ComponentTemplate](t, head+tc.objects+"]}}")
			var out bytes.Buffer
			err := preview.Wave(t.Context(), member, []v1alpha1.ComponentTemplate{*file}, tc.values, "member1", &out)
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if tc.err == "" && err != nil || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("have %v, want %q", err, tc.err)
			}
		})
	}
}
