package mirror

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// TestWhatAMirrorKeeps: what the scheduler and the estimator read stays to the letter, and what is large and read by nobody goes.
func TestWhatAMirrorKeeps(t *testing.T) {
	meta := func() metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"plugin": "reads"}}
	}
	large := func() metav1.ObjectMeta {
		m := meta()
		m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
		m.Annotations[corev1.LastAppliedConfigAnnotation] = "{}"
		return m
	}
	resources := corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}
	container := corev1.Container{Name: "main", Image: "web:1", Resources: resources, Ports: []corev1.ContainerPort{{HostPort: 80}}}
	whole := container
	whole.Env, whole.Command = []corev1.EnvVar{{Name: "LARGE"}}, []string{"run"}
	scheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}
	inUse := corev1.ContainerStatus{Name: "main", AllocatedResources: resources.Requests}
	reported := inUse
	reported.ImageID = "sha256:1"
	template := corev1.PodTemplateSpec{ObjectMeta: meta(), Spec: corev1.PodSpec{
		Containers: []corev1.Container{whole}, NodeSelector: map[string]string{"disk": "ssd"}, Volumes: []corev1.Volume{{Name: "v"}}}}
	kept := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: meta().Labels}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main"}}, NodeSelector: map[string]string{"disk": "ssd"}}}
	for name, tc := range map[string]struct{ object, want any }{
		"a pod": {
			&corev1.Pod{ObjectMeta: large(), Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{whole},
				InitContainers: []corev1.Container{whole}, EphemeralContainers: []corev1.EphemeralContainer{{}}},
				Status: corev1.PodStatus{Phase: corev1.PodPending, NominatedNodeName: "n2", PodIP: "10.0.0.1",
					Conditions:        []corev1.PodCondition{scheduled, {Type: corev1.PodReady}},
					ContainerStatuses: []corev1.ContainerStatus{reported, {Name: "sidecar", ImageID: "sha256:2"}}}},
			&corev1.Pod{ObjectMeta: meta(), Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{container},
				InitContainers: []corev1.Container{container}},
				Status: corev1.PodStatus{Phase: corev1.PodPending, NominatedNodeName: "n2", Conditions: []corev1.PodCondition{scheduled},
					ContainerStatuses: []corev1.ContainerStatus{inUse}}},
		},
		"a node": {
			&corev1.Node{ObjectMeta: large(), Spec: corev1.NodeSpec{Unschedulable: true}, Status: corev1.NodeStatus{
				Allocatable: resources.Requests, Images: []corev1.ContainerImage{{Names: []string{"web:1"}}}, Conditions: []corev1.NodeCondition{{}}}},
			// ImageLocality scores by images.
			&corev1.Node{ObjectMeta: meta(), Spec: corev1.NodeSpec{Unschedulable: true}, Status: corev1.NodeStatus{
				Allocatable: resources.Requests, Images: []corev1.ContainerImage{{Names: []string{"web:1"}}}}},
		},
		"a ReplicaSet with pods": {
			&appsv1.ReplicaSet{ObjectMeta: large(), Spec: appsv1.ReplicaSetSpec{Template: template}, Status: appsv1.ReplicaSetStatus{Replicas: 3}},
			&appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Template: kept}},
		},
		"a ReplicaSet of an old revision": {
			&appsv1.ReplicaSet{ObjectMeta: large(), Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](0), Template: template}},
			&appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](0)}},
		},
		"a DaemonSet, whose pods are foreseen": {
			&appsv1.DaemonSet{ObjectMeta: large(), Spec: appsv1.DaemonSetSpec{Template: template}, Status: appsv1.DaemonSetStatus{NumberReady: 3}},
			&appsv1.DaemonSet{ObjectMeta: meta(), Spec: appsv1.DaemonSetSpec{Template: template}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := trim(tc.object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +kept)\n%s", diff)
			}
		})
	}
}
