package policy

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestFixed(t *testing.T) {
	for name, tc := range map[string]struct{ existing, desired, want string }{
		"another image": {
			existing: `{kind: Deployment, spec: {selector: {matchLabels: {app: web}}, replicas: 2}}`,
			desired:  `{kind: Deployment, spec: {selector: {matchLabels: {app: web}}, replicas: 3}}`,
		},
		"a selector with more": {
			existing: `{kind: Deployment, spec: {selector: {matchLabels: {app: web}}}}`,
			desired:  `{kind: Deployment, spec: {selector: {matchLabels: {app: web, tier: front}}}}`, want: "spec.selector",
		},
		"a selector with less": {
			existing: `{kind: Deployment, spec: {selector: {matchLabels: {app: web, tier: front}}}}`,
			desired:  `{kind: Deployment, spec: {selector: {matchLabels: {app: web}}}}`, want: "spec.selector",
		},
		"no serviceName, and an empty": {existing: `{kind: StatefulSet, spec: {serviceName: ""}}`, desired: `{kind: StatefulSet, spec: {}}`},
		"a claim that grew": {
			existing: `{kind: PersistentVolumeClaim, spec: {resources: {requests: {storage: 1Gi}}}}`,
			desired:  `{kind: PersistentVolumeClaim, spec: {resources: {requests: {storage: 2Gi}}}}`, want: "spec.resources",
		},
		"an address that was allocated": {existing: `{kind: Service, spec: {clusterIP: 10.0.0.7}}`, desired: `{kind: Service, spec: {}}`},
		"headless no more": {
			existing: `{kind: Service, spec: {clusterIP: None}}`, desired: `{kind: Service, spec: {}}`, want: "spec.clusterIP",
		},
		"content": {existing: `{kind: ConfigMap, data: {a: b}}`, desired: `{kind: ConfigMap, data: {a: c}}`},
		"content that may not change": {
			existing: `{kind: ConfigMap, immutable: true, data: {a: b}}`, desired: `{kind: ConfigMap, immutable: true, data: {a: c}}`, want: "data",
		},
		"immutable no more": {
			existing: `{kind: ConfigMap, immutable: true, data: {a: b}}`, desired: `{kind: ConfigMap, data: {a: b}}`, want: "immutable",
		},
		"immutable from now on": {existing: `{kind: ConfigMap, data: {a: b}}`, desired: `{kind: ConfigMap, immutable: true, data: {a: c}}`},
		"a Secret's type":       {existing: `{kind: Secret, type: Opaque}`, desired: `{kind: Secret, type: kubernetes.io/tls}`, want: "type"},
	} {
		t.Run(name, func(t *testing.T) {
			parse := func(text string) *unstructured.Unstructured {
				out := &unstructured.Unstructured{}
				if err := yaml.Unmarshal([]byte(text), &out.Object); err != nil {
					t.Fatal(err)
				}
				return out
			}
			if got := Fixed(parse(tc.existing), parse(tc.desired)); got != tc.want {
				t.Errorf("Fixed() = %q, want %q", got, tc.want)
			}
		})
	}
}
