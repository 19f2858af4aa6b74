package oracle

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func daemonSet(name string, milliCPU int64, change ...func(*corev1.Pod)) *appsv1.DaemonSet {
	pod := podWith(name, milliCPU, map[string]string{"app": name}, change...)
	return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: "ds-" + pod.UID, Generation: 1},
		Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}}}
}

// daemonPod is a pod of the set, on a node or, without one, pending for node n0.
func daemonPod(set *appsv1.DaemonSet, node string) *corev1.Pod {
	pod := podWith(set.Name+"-"+node, 0, set.Spec.Template.Labels)
	pod.Spec = *set.Spec.Template.Spec.DeepCopy()
	pod.Spec.NodeName = node
	pod.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "DaemonSet", Name: set.Name, UID: set.UID, Controller: ptr.To(true)},
	}
	return pod
}

// Four nodes of four CPUs; the pod asked about takes two.
func TestDaemonSetPodsToComeAreForeseen(t *testing.T) {
	agent := daemonSet("agent", 1000)
	leaving := daemonSet("leaving", 1000)
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"orphan"}
	twoCPUs := podWith("p", 2000, web)
	nearAgents := podWith("p", 2000, web, affinity(corev1.LabelHostname, selecting(map[string]string{"app": "agent"})))
	farFromAgents := podWith("p", 2000, web, antiAffinity(corev1.LabelHostname, selecting(map[string]string{"app": "agent"})))
	tests := map[string]struct {
		sets []*appsv1.DaemonSet
		pods []*corev1.Pod
		pod  *corev1.Pod
		want int64
	}{
		"on every node": {[]*appsv1.DaemonSet{agent}, nil, twoCPUs, 4},
		"there already on two": {
			[]*appsv1.DaemonSet{agent}, []*corev1.Pod{daemonPod(agent, "n0"), daemonPod(agent, "n1")}, twoCPUs, 4,
		},
		"pending, and not counted twice": {
			[]*appsv1.DaemonSet{agent}, []*corev1.Pod{daemonPod(agent, "")}, podWith("p", 3000, web), 4,
		},
		"of two sets": {[]*appsv1.DaemonSet{agent, daemonSet("log", 2500)}, nil, twoCPUs, 0},
		"only on nodes it selects": {
			[]*appsv1.DaemonSet{daemonSet("agent", 1000, selectNode(corev1.LabelTopologyZone, "z1"))}, nil, twoCPUs, 7,
		},
		"too big for its node, so it takes nothing": {[]*appsv1.DaemonSet{daemonSet("agent", 5000)}, nil, twoCPUs, 8},
		"a set that is being deleted":               {[]*appsv1.DaemonSet{leaving}, nil, twoCPUs, 8},
		"repelled by them":                          {[]*appsv1.DaemonSet{agent}, nil, farFromAgents, 0},
		"drawn to them":                             {[]*appsv1.DaemonSet{agent}, nil, nearAgents, 4},
		"whose anti-affinity repels it": {
			[]*appsv1.DaemonSet{daemonSet("agent", 0, antiAffinity(corev1.LabelHostname, selecting(web)))}, nil, twoCPUs, 0,
		},
		"of a lower priority than the pod": {[]*appsv1.DaemonSet{agent}, nil, podWith("p", 2000, web, priority(100)), 4},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := fourNodes()
			for _, set := range tc.sets {
				c.objects = append(c.objects, set)
			}
			for _, pod := range tc.pods {
				c.objects = append(c.objects, pod)
			}
			o := c.start(t)
			for _, judge := range []bool{false, true, false} {
				if got := ask(t, o, Question{Pod: tc.pod, Budget: time.Hour, Judge: judge}); got.Count != tc.want {
					t.Errorf("%d by %s, want %d", got.Count, got.Path, tc.want)
				}
			}
			sets, err := o.FitSets(context.Background(), SetQuestion{Parts: []Part{{tc.pod, 1}, {podWith("q", 0, nil), 1}}, Budget: time.Hour})
			if err != nil || sets.Count != tc.want {
				t.Errorf("%d sets, %v, want %d", sets.Count, err, tc.want)
			}
		})
	}
}

func TestForeseenPodsAreAdmittedFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		admit func(*corev1.Pod) (*corev1.Pod, error)
		want  int64
	}{
		"a LimitRange raises what they ask": {func(pod *corev1.Pod) (*corev1.Pod, error) {
			pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("3")
			return pod, nil
		}, 4},
		"refused, they never come": {func(*corev1.Pod) (*corev1.Pod, error) { return nil, errors.New("no PriorityClass") }, 16},
	} {
		t.Run(name, func(t *testing.T) {
			c := fourNodes()
			c.objects = append(c.objects, daemonSet("agent", 1000))
			c.admit = tc.admit
			if got := ask(t, c.start(t), Question{Pod: podWith("p", 1000, web)}); got.Count != tc.want {
				t.Errorf("%d, want %d", got.Count, tc.want)
			}
		})
	}
}

// A DaemonSet rolled out to a whole large member costs a question little.
func TestForeseenPodsAreRemembered(t *testing.T) {
	c := &cluster{objects: nil}
	for i := range 300 {
		c.objects = append(c.objects, node(fmt.Sprintf("n%d", i), 4, 10, nil))
	}
	c.objects = append(c.objects, daemonSet("agent", 1000))
	o := c.start(t)
	if first := ask(t, o, Question{Pod: podWith("p", 1000, web)}); first.Count != 900 || first.Computed != 300 {
		t.Errorf("%+v, want 900, asking 300 nodes", first)
	}
	if again := ask(t, o, Question{Pod: podWith("p", 1000, web)}); again.Count != 900 || again.Computed != 0 {
		t.Errorf("%+v, want 900, asking none", again)
	}
}
