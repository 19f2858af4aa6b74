package policy

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// BenchmarkDiscover: one application among the two hundred of a namespace, each with its own Service, autoscaler, PodDisruptionBudget,
// Ingress and ConfigMap, in one cluster.
func BenchmarkDiscover(b *testing.B) {
	var objects []*unstructured.Unstructured
	for i := range 200 {
		for _, text := range []string{
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: app%[1]d}, spec: {template: {metadata: {labels: {app: app%[1]d}}, spec: {
				volumes: [{name: files, configMap: {name: app%[1]d}}],
				containers: [{name: main, image: "app:1", ports: [{containerPort: 80}], envFrom: [{configMapRef: {name: app%[1]d}}]}]}}}}`,
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: app%[1]d}}`,
			`{apiVersion: v1, kind: Service, metadata: {name: app%[1]d}, spec: {selector: {app: app%[1]d}}}`,
			`{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: app%[1]d}, spec: {selector: {matchLabels: {app: app%[1]d}}}}`,
			`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: app%[1]d},
				spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app%[1]d}}}`,
			`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: app%[1]d},
				spec: {rules: [{http: {paths: [{backend: {service: {name: app%[1]d}}}]}}]}}`,
		} {
			objects = append(objects, object(b, fmt.Sprintf(text, i)))
		}
	}
	workload := v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "app7"}
	for b.Loop() {
		if found, err := Discover(objects, workload); err != nil || len(found) != 6 {
			b.Fatal(len(found), err)
		}
	}
}
