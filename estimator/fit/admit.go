package fit

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	core "k8s.io/kubernetes/pkg/apis/core"
	corev1defaults "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/plugin/pkg/admission/limitranger"
)

// AdmissionRules are what a member's API server would read when a pod is created in one namespace.
type AdmissionRules struct {
	LimitRanges     []*corev1.LimitRange
	PriorityClasses []*schedulingv1.PriorityClass
	RuntimeClasses  []*nodev1.RuntimeClass
}

// Admit makes of a template's pod the pod that the member would store: priority, runtime overhead, limit defaults, and the tolerations
// every pod gets. An error says that the member would refuse the pod: no copy fits. Webhooks of the member are not known here; a live pod
// of the same workload shows what they add.
//
// Defaults and LimitRanges are Kubernetes' own code, of the version this program is built with.
func Admit(pod *corev1.Pod, rules AdmissionRules) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	corev1defaults.SetObjectDefaults_Pod(pod)
	if err := prioritize(pod, rules.PriorityClasses); err != nil {
		return nil, err
	}
	if err := runtimeClass(pod, rules.RuntimeClasses); err != nil {
		return nil, err
	}
	if err := limitRanges(pod, rules.LimitRanges); err != nil {
		return nil, err
	}
	tolerateBrokenNodes(pod)
	return pod, CheckRequests(pod)
}

// limitRanges asks the LimitRanger admission plugin: all LimitRanges add their defaults before the first one judges.
func limitRanges(pod *corev1.Pod, ranges []*corev1.LimitRange) error {
	if len(ranges) == 0 {
		return nil
	}
	internal := &core.Pod{}
	if err := corev1defaults.Convert_v1_Pod_To_core_Pod(pod, internal, nil); err != nil {
		return fmt.Errorf("converting the pod: %w", err)
	}
	for _, limits := range ranges {
		if err := limitranger.PodMutateLimitFunc(limits, internal); err != nil {
			return fmt.Errorf("LimitRange %s: %w", limits.Name, err)
		}
	}
	for _, limits := range ranges {
		if err := limitranger.PodValidateLimitFunc(limits, internal); err != nil {
			return fmt.Errorf("LimitRange %s: %w", limits.Name, err)
		}
	}
	if err := corev1defaults.Convert_core_Pod_To_v1_Pod(internal, pod, nil); err != nil {
		return fmt.Errorf("converting the pod: %w", err)
	}
	return nil
}

// most is more than any node has of anything, in the scheduler's smallest units (milli-CPU, bytes), and far below where its int64
// arithmetic ends.
const most = int64(1) << 53

// CheckRequests refuses quantities that no pod can have: negative ones, and ones so large that the scheduler's own integers overflow to
// something small.
func CheckRequests(pod *corev1.Pod) error {
	if pod.Spec.Resources != nil {
		if err := checkRequests("the pod", pod.Spec.Resources.Requests); err != nil {
			return err
		}
	}
	for _, list := range containerLists(pod) {
		for i := range list {
			if err := checkRequests("container "+list[i].Name, list[i].Resources.Requests); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkRequests(whose string, requests corev1.ResourceList) error {
	for name, quantity := range requests {
		if quantity.Sign() < 0 {
			return fmt.Errorf("%s requests %s of %s", whose, quantity.String(), name)
		}
		if quantity.CmpInt64(most/1000) > 0 && (name == corev1.ResourceCPU || quantity.CmpInt64(most) > 0) {
			return fmt.Errorf("%s requests %s of %s, more than any node has", whose, quantity.String(), name)
		}
	}
	return nil
}

func containerLists(pod *corev1.Pod) [][]corev1.Container {
	return [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers}
}

// prioritize follows the Priority admission plugin.
func prioritize(pod *corev1.Pod, classes []*schedulingv1.PriorityClass) error {
	if pod.Spec.Priority != nil {
		return nil
	}
	var chosen *schedulingv1.PriorityClass
	for _, class := range classes {
		switch {
		case pod.Spec.PriorityClassName == class.Name:
			chosen = class
		case pod.Spec.PriorityClassName == "" && class.GlobalDefault && (chosen == nil || class.Value < chosen.Value):
			chosen = class
		}
	}
	value := int32(0)
	if chosen != nil {
		value, pod.Spec.PriorityClassName = chosen.Value, chosen.Name
		if pod.Spec.PreemptionPolicy == nil {
			pod.Spec.PreemptionPolicy = chosen.PreemptionPolicy
		}
	} else if pod.Spec.PriorityClassName != "" {
		return fmt.Errorf("the member has no PriorityClass %q", pod.Spec.PriorityClassName)
	}
	pod.Spec.Priority = &value
	return nil
}

// runtimeClass follows the RuntimeClass admission plugin.
func runtimeClass(pod *corev1.Pod, classes []*nodev1.RuntimeClass) error {
	if pod.Spec.RuntimeClassName == nil || pod.Spec.Overhead != nil {
		return nil
	}
	for _, class := range classes {
		if class.Name != *pod.Spec.RuntimeClassName {
			continue
		}
		if class.Overhead != nil {
			pod.Spec.Overhead = class.Overhead.PodFixed
		}
		if class.Scheduling != nil {
			for key, value := range class.Scheduling.NodeSelector {
				if pod.Spec.NodeSelector == nil {
					pod.Spec.NodeSelector = map[string]string{}
				}
				if own, ok := pod.Spec.NodeSelector[key]; ok && own != value {
					return fmt.Errorf("node selector %s=%s contradicts RuntimeClass %s", key, own, class.Name)
				}
				pod.Spec.NodeSelector[key] = value
			}
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, class.Scheduling.Tolerations...)
		}
		return nil
	}
	return fmt.Errorf("the member has no RuntimeClass %q", *pod.Spec.RuntimeClassName)
}

// tolerateBrokenNodes follows the DefaultTolerationSeconds admission plugin, on by default.
func tolerateBrokenNodes(pod *corev1.Pod) {
	seconds := int64(300)
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		tolerated := false
		for _, t := range pod.Spec.Tolerations {
			sameKey := t.Key == key || t.Key == ""
			tolerated = tolerated || sameKey && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "")
		}
		if !tolerated {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists,
				Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds})
		}
	}
}
