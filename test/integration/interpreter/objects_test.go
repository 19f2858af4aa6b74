package interpreter

import (
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// namespace is one of the test's own.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "interpreter-"}}
	create(t, ns)
	return ns.Name
}

// cloneSet is a template of ten replicas of which nine are held back.
func cloneSet(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet",
		"metadata": map[string]any{"name": "web", "namespace": namespace},
		"spec": map[string]any{
			"replicas":       int64(10),
			"selector":       map[string]any{"matchLabels": map[string]any{"app": "web"}},
			"updateStrategy": map[string]any{"partition": int64(9)},
			"template":       map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "web", "image": "web:1"}}}},
		},
	}}
}

// pods of an application of that name.
func pods(name string) (*metav1.LabelSelector, corev1.PodTemplateSpec) {
	labels := map[string]string{"app": name}
	return &metav1.LabelSelector{MatchLabels: labels}, corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: name, Image: name + ":1"}}},
	}
}

// deployment is one that Karmada interprets itself, but for its status and health.
func deployment(namespace string) *appsv1.Deployment {
	selector, template := pods("api")
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "api"},
		Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](6), Selector: selector, Template: template}}
}

// daemonSet is one likewise.
func daemonSet(namespace string) *appsv1.DaemonSet {
	selector, template := pods("agent")
	return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "agent"},
		Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}
}

// replicaSet is one likewise.
func replicaSet(namespace string) *appsv1.ReplicaSet {
	selector, template := pods("set")
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "set"},
		Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](6), Selector: selector, Template: template}}
}

// job is one likewise.
func job(namespace string) *batchv1.Job {
	_, template := pods("batch")
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "batch"},
		Spec: batchv1.JobSpec{Parallelism: ptr.To[int32](6), Completions: ptr.To[int32](6), Template: template}}
}

// budget is one likewise.
func budget(namespace string) *policyv1.PodDisruptionBudget {
	selector, _ := pods("api")
	return &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "budget"},
		Spec: policyv1.PodDisruptionBudgetSpec{Selector: selector, MinAvailable: ptr.To(intstr.FromInt32(1))}}
}

// binding is the template's, as Karmada's scheduler leaves it.
func binding(object *unstructured.Unstructured, scheduling policyv1alpha1.ReplicaSchedulingType,
	clusters ...workv1alpha2.TargetCluster) *workv1alpha2.ResourceBinding {
	return &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: "web-cloneset"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{
				APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(),
			},
			Clusters:  clusters,
			Placement: &policyv1alpha1.Placement{ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{ReplicaSchedulingType: scheduling}},
		},
	}
}
