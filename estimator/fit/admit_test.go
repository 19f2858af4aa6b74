package fit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1defaults "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/utils/ptr"
)

// limits are a LimitRange as an API server stores it.
func limits(items ...corev1.LimitRangeItem) AdmissionRules {
	stored := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "lr"}, Spec: corev1.LimitRangeSpec{Limits: items}}
	corev1defaults.SetObjectDefaults_LimitRange(stored)
	return AdmissionRules{LimitRanges: []*corev1.LimitRange{stored}}
}

// wholePod limits the pod as a whole, not its containers.
func wholePod(cpu string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Resources = &corev1.ResourceRequirements{Limits: list("cpu", cpu)} }
}

// seen is what the tests look at of an admitted pod.
type seen struct {
	Requests, Limits map[string]string
	Whole            map[string]string
	Priority         int32
	Class            string
	Overhead         map[string]string
	Selector         map[string]string
	Tolerations      []string
	Scheduler        string
}

func see(pod *corev1.Pod) seen {
	spell := func(list corev1.ResourceList) map[string]string {
		var out map[string]string
		for name, quantity := range list {
			if out == nil {
				out = map[string]string{}
			}
			out[string(name)] = quantity.String()
		}
		return out
	}
	s := seen{Requests: spell(pod.Spec.Containers[0].Resources.Requests), Limits: spell(pod.Spec.Containers[0].Resources.Limits),
		Priority: *pod.Spec.Priority,
		Class:    pod.Spec.PriorityClassName, Overhead: spell(pod.Spec.Overhead), Selector: pod.Spec.NodeSelector,
		Scheduler: pod.Spec.SchedulerName}
	if pod.Spec.Resources != nil {
		s.Whole = spell(pod.Spec.Resources.Requests)
	}
	for _, toleration := range pod.Spec.Tolerations {
		s.Tolerations = append(s.Tolerations, strings.TrimPrefix(toleration.Key, "node.kubernetes.io/"))
	}
	return s
}

func TestAdmit(t *testing.T) {
	container := corev1.LimitTypeContainer
	classes := AdmissionRules{PriorityClasses: []*schedulingv1.PriorityClass{
		{ObjectMeta: metav1.ObjectMeta{Name: "low"}, Value: -5, GlobalDefault: true}, {ObjectMeta: metav1.ObjectMeta{Name: "urgent"}, Value: 9}}}
	gvisor := AdmissionRules{RuntimeClasses: []*nodev1.RuntimeClass{{ObjectMeta: metav1.ObjectMeta{Name: "gvisor"},
		Overhead: &nodev1.Overhead{PodFixed: list("cpu", "250m")},
		Scheduling: &nodev1.Scheduling{NodeSelector: map[string]string{"runtime": "gvisor"},
			Tolerations: []corev1.Toleration{{Key: "sandboxed"}}}}}}
	tolerated := []string{"not-ready", "unreachable"}
	tests := map[string]struct {
		pod   *corev1.Pod
		rules AdmissionRules
		want  seen
	}{
		"a pod as it is": {
			podOf(list("cpu", "1"), nil), AdmissionRules{}, seen{
				Requests: map[string]string{"cpu": "1"}, Tolerations: tolerated, Scheduler: "default-scheduler",
			},
		},
		"a limit is a request": {podOf(nil, list("cpu", "2")), AdmissionRules{},
			seen{Requests: map[string]string{"cpu": "2"}, Limits: map[string]string{"cpu": "2"}, Tolerations: tolerated,
				Scheduler: "default-scheduler"}},
		"LimitRange's defaults": {podOf(nil, nil),
			limits(corev1.LimitRangeItem{Type: container, Default: list("cpu", "2"), DefaultRequest: list("cpu", "500m")}),
			seen{Requests: map[string]string{"cpu": "500m"}, Limits: map[string]string{"cpu": "2"}, Tolerations: tolerated,
				Scheduler: "default-scheduler"}},
		"LimitRange's default limit alone is the request too": {podOf(nil, nil),
			limits(corev1.LimitRangeItem{Type: container, Default: list("memory", "1Gi")}),
			seen{Requests: map[string]string{"memory": "1Gi"}, Limits: map[string]string{"memory": "1Gi"}, Tolerations: tolerated,
				Scheduler: "default-scheduler"}},
		"a limit of its own beats a default request": {podOf(nil, list("cpu", "2")),
			limits(corev1.LimitRangeItem{Type: container, DefaultRequest: list("cpu", "500m")}),
			seen{Requests: map[string]string{"cpu": "2"}, Limits: map[string]string{"cpu": "2"}, Tolerations: tolerated,
				Scheduler: "default-scheduler"}},
		"the default priority class": {
			podOf(nil, nil), classes, seen{Priority: -5, Class: "low", Tolerations: tolerated, Scheduler: "default-scheduler"},
		},
		"its priority class": {podOf(nil, nil, func(p *corev1.Pod) { p.Spec.PriorityClassName = "urgent" }), classes,
			seen{Priority: 9, Class: "urgent", Tolerations: tolerated, Scheduler: "default-scheduler"}},
		"a runtime class": {podOf(nil, nil, func(p *corev1.Pod) { p.Spec.RuntimeClassName = ptr.To("gvisor") }), gvisor,
			seen{Overhead: map[string]string{"cpu": "250m"}, Selector: map[string]string{"runtime": "gvisor"},
				Tolerations: append([]string{"sandboxed"}, tolerated...), Scheduler: "default-scheduler"}},
		"the pod's own limit is a request of no container": {
			podOf(nil, nil, wholePod("3")), AdmissionRules{}, seen{
				Whole: map[string]string{"cpu": "3"}, Tolerations: tolerated, Scheduler: "default-scheduler",
			},
		},
		"a scheduler of its own, all tolerated": {podOf(nil, nil, func(p *corev1.Pod) {
			p.Spec.SchedulerName, p.Spec.Tolerations = "packing", []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		}), AdmissionRules{}, seen{Scheduler: "packing", Tolerations: []string{""}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := tc.pod.DeepCopy()
			pod, err := Admit(tc.pod, tc.rules)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, see(pod)); diff != "" {
				t.Errorf("admitted (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tc.pod); diff != "" {
				t.Errorf("the template itself was changed:\n%s", diff)
			}
		})
	}
}

func TestAdmitRefuses(t *testing.T) {
	container, whole := corev1.LimitTypeContainer, corev1.LimitTypePod
	tests := map[string]struct {
		pod   *corev1.Pod
		rules AdmissionRules
		want  string
	}{
		"an unknown priority class": {
			podOf(nil, nil, func(p *corev1.Pod) { p.Spec.PriorityClassName = "none" }), AdmissionRules{}, `no PriorityClass "none"`,
		},
		"an unknown runtime class": {
			podOf(nil, nil, func(p *corev1.Pod) { p.Spec.RuntimeClassName = ptr.To("none") }), AdmissionRules{}, `no RuntimeClass "none"`,
		},
		"a runtime class of other nodes": {podOf(nil, nil, func(p *corev1.Pod) {
			p.Spec.RuntimeClassName, p.Spec.NodeSelector = ptr.To("kata"), map[string]string{"arch": "arm"}
		}), AdmissionRules{RuntimeClasses: []*nodev1.RuntimeClass{{ObjectMeta: metav1.ObjectMeta{Name: "kata"},
			Scheduling: &nodev1.Scheduling{NodeSelector: map[string]string{"arch": "amd"}}}}}, "contradicts RuntimeClass kata"},
		"less than the minimum": {
			podOf(list("cpu", "1"), nil), limits(corev1.LimitRangeItem{Type: container, Min: list("cpu", "2")}),
			"LimitRange lr: minimum cpu usage per Container is 2, but request is 1",
		},
		"more than the maximum": {
			podOf(nil, list("cpu", "3")), limits(corev1.LimitRangeItem{Type: container, Max: list("cpu", "2")}),
			"maximum cpu usage per Container is 2, but limit is 3",
		},
		"no limit where a maximum is set": {
			podOf(list("cpu", "1"), nil), limits(corev1.LimitRangeItem{Type: whole, Max: list("cpu", "2")}),
			"maximum cpu usage per Pod is 2.  No limit is specified",
		},
		"a limit too far above its request": {
			podOf(list("cpu", "1"), list("cpu", "3")), limits(corev1.LimitRangeItem{Type: container, MaxLimitRequestRatio: list("cpu", "2")}),
			"cpu max limit to request ratio per Container is 2, but provided ratio is 3",
		},
		"the pod as a whole": {podOf(list("cpu", "1"), list("cpu", "1"),
			func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, p.Spec.Containers[0]) }),
			limits(corev1.LimitRangeItem{Type: whole, Max: list("cpu", "1500m")}), "maximum cpu usage per Pod is 1500m, but limit is 2"},
		"the pod's own limit": {podOf(list("cpu", "1"), list("cpu", "1"), wholePod("3")),
			limits(corev1.LimitRangeItem{Type: whole, Max: list("cpu", "1500m")}),
			"maximum cpu usage per Pod is 1500m, but limit is 3"},
		"a negative request": {podOf(list("cpu", "-1"), nil), AdmissionRules{}, "requests -1 of cpu"},
		"an absurd request":  {podOf(list("memory", "10E"), nil), AdmissionRules{}, "more than any node has"},
		"an absurd init container": {
			podOf(nil, nil, func(p *corev1.Pod) { p.Spec.InitContainers = podOf(list("cpu", "1E"), nil).Spec.Containers }), AdmissionRules{},
			"more than any node has",
		},
		"an absurd extended demand": {
			podOf(corev1.ResourceList{"x.io/y": *resource.NewQuantity(1<<62, resource.DecimalSI)}, nil), AdmissionRules{}, "more than any node has",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Admit(tc.pod, tc.rules); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q in it", err, tc.want)
			}
		})
	}
}
