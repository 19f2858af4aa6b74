package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestDiscover(t *testing.T) {
	var objects []*unstructured.Unstructured
	for _, text := range []string{
		`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {metadata: {labels: {app: web, tier: front}}, spec: {
			serviceAccountName: web, imagePullSecrets: [{name: pull}],
			volumes: [{configMap: {name: files}}, {secret: {secretName: cert}}, {persistentVolumeClaim: {claimName: data}},
				{projected: {sources: [{configMap: {name: projected}}, {secret: {name: projected}}]}},
				{rbd: {image: i, monitors: [m], secretRef: {name: ceph}}}, {azureFile: {shareName: s, secretName: azure}}],
			initContainers: [{envFrom: [{secretRef: {name: init}}]}],
			containers: [{envFrom: [{configMapRef: {name: env}}],
				env: [{valueFrom: {configMapKeyRef: {name: key}}}, {valueFrom: {secretKeyRef: {name: key}}}]}]}}}}`,
		`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: other}, spec: {
			serviceName: other, template: {metadata: {labels: {app: other, tier: front}}, spec: {
			containers: [{envFrom: [{configMapRef: {name: env}}]}]}}}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: files}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {name: env}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: key}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {name: projected}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: unrelated}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: ceph}}`, `{apiVersion: v1, kind: Secret, metadata: {name: azure}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: cert}}`, `{apiVersion: v1, kind: Secret, metadata: {name: pull}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: init}}`, `{apiVersion: v1, kind: Secret, metadata: {name: key}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: projected}, type: kubernetes.io/service-account-token}`,
		`{apiVersion: v1, kind: ServiceAccount, metadata: {name: web}}`, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}`,
		`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: both}, spec: {selector: {tier: front}}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: everything}, spec: {}}`,
		`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web},
			spec: {rules: [{http: {paths: [{backend: {service: {name: web}}}]}}]}}`,
		`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: other}, spec: {defaultBackend: {service: {name: other}}}}`,
		`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web},
			spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}`,
		`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: kruise},
			spec: {scaleTargetRef: {apiVersion: apps.kruise.io/v1beta1, kind: Deployment, name: web}}}`,
		`{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}}}}`,
		`{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: all}, spec: {selector: {}}}`,
	} {
		objects = append(objects, object(t, text))
	}
	found, err := Discover(objects, web)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for i, one := range found {
		ref := RefOf(one.Object)
		if i == 0 && ref != web {
			t.Errorf("the workload is not the first: %s", User(ref))
		}
		got[ref.Kind+"/"+ref.Name] = one.Users
	}
	alone, both := []string{"deployment/web"}, []string{"deployment/web", "statefulset/other"}
	want := map[string][]string{
		"Deployment/web": alone, "ConfigMap/files": alone, "ConfigMap/env": both, "ConfigMap/key": alone, "ConfigMap/projected": alone,
		"Secret/cert": alone, "Secret/pull": alone, "Secret/init": alone, "Secret/key": alone, "Secret/ceph": alone, "Secret/azure": alone,
		"ServiceAccount/web": alone, "PersistentVolumeClaim/data": alone, "Service/web": alone, "Service/both": both,
		"Ingress/web": alone, "HorizontalPodAutoscaler/web": alone, "PodDisruptionBudget/web": alone,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestDiscoverWithoutTheWorkload(t *testing.T) {
	found, err := Discover([]*unstructured.Unstructured{object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}`)}, web)
	if err != nil || found != nil {
		t.Errorf("found %v, %v where there is none", found, err)
	}
}

func TestDiscoverNamesWhatItCannotRead(t *testing.T) {
	_, err := Discover(
		[]*unstructured.Unstructured{object(t,
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: 7}}}}`)}, web)
	if err == nil {
		t.Error("a pod template that is none was read")
	}
}
