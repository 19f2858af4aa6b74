package fit

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// AdmissionRules are what a member's API server would read when a pod is created in one namespace.
type AdmissionRules struct {
	LimitRanges     []*corev1.LimitRange
	PriorityClasses []*schedulingv1.PriorityClass
	RuntimeClasses  []*nodev1.RuntimeClass
}

// Admit makes of a template's pod the pod that the member would store: priority, runtime overhead, limit defaults, and the tolerations every pod gets.
// An error says that the member would refuse the pod: no copy fits. Webhooks of the member are not known here; a live pod of the same workload
// is the better model where there is one.
func Admit(pod *corev1.Pod, rules AdmissionRules) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	if pod.Spec.SchedulerName == "" {
		pod.Spec.SchedulerName = corev1.DefaultSchedulerName
	}
	if err := prioritize(pod, rules.PriorityClasses); err != nil {
		return nil, err
	}
	if err := runtimeClass(pod, rules.RuntimeClasses); err != nil {
		return nil, err
	}
	requestsFromLimits(pod)
	for _, limits := range rules.LimitRanges {
		for _, item := range limits.Spec.Limits {
			if item.Type == corev1.LimitTypeContainer {
				defaultContainers(pod, item)
			}
		}
	}
	requestsFromLimits(pod)
	for _, limits := range rules.LimitRanges {
		for _, item := range limits.Spec.Limits {
			if err := within(pod, item); err != nil {
				return nil, fmt.Errorf("LimitRange %s: %w", limits.Name, err)
			}
		}
	}
	tolerateBrokenNodes(pod)
	return pod, CheckRequests(pod)
}

// most is more than any node has of anything, in the scheduler's smallest units (milli-CPU, bytes), and far below where its int64 arithmetic ends.
const most = int64(1) << 53

// CheckRequests refuses quantities that no pod can have: negative ones, and ones so large that the scheduler's own integers overflow to something small.
func CheckRequests(pod *corev1.Pod) error {
	for _, list := range containerLists(pod) {
		for i := range list {
			for name, quantity := range list[i].Resources.Requests {
				if quantity.Sign() < 0 {
					return fmt.Errorf("container %s requests %s of %s", list[i].Name, quantity.String(), name)
				}
				if quantity.CmpInt64(most/1000) > 0 && (name == corev1.ResourceCPU || quantity.CmpInt64(most) > 0) {
					return fmt.Errorf("container %s requests %s of %s, more than any node has", list[i].Name, quantity.String(), name)
				}
			}
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

// requestsFromLimits is the API server's own default.
func requestsFromLimits(pod *corev1.Pod) {
	for _, list := range containerLists(pod) {
		for i := range list {
			fill(&list[i].Resources.Requests, list[i].Resources.Limits)
		}
	}
}

// defaultContainers follows the LimitRanger admission plugin.
func defaultContainers(pod *corev1.Pod, item corev1.LimitRangeItem) {
	for _, list := range containerLists(pod) {
		for i := range list {
			// A request defaulted below is not a limit's: the plugin merges limits first, then requests.
			fill(&list[i].Resources.Limits, item.Default)
			fill(&list[i].Resources.Requests, item.DefaultRequest)
		}
	}
}

func fill(list *corev1.ResourceList, from corev1.ResourceList) {
	for name, quantity := range from {
		if _, ok := (*list)[name]; ok {
			continue
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = quantity.DeepCopy()
	}
}

// within checks minimum and maximum of containers, and of the pod as the sum of its containers.
func within(pod *corev1.Pod, item corev1.LimitRangeItem) error {
	switch item.Type {
	case corev1.LimitTypeContainer:
		for _, list := range containerLists(pod) {
			for i := range list {
				if err := bounded("container "+list[i].Name, list[i].Resources, item); err != nil {
					return err
				}
			}
		}
	case corev1.LimitTypePod:
		total := corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
		for i := range pod.Spec.Containers {
			add(total.Requests, pod.Spec.Containers[i].Resources.Requests)
			add(total.Limits, pod.Spec.Containers[i].Resources.Limits)
		}
		return bounded("pod", total, item)
	}
	return nil
}

func add(total, more corev1.ResourceList) {
	for name, quantity := range more {
		sum := total[name]
		sum.Add(quantity)
		total[name] = sum
	}
}

func bounded(what string, resources corev1.ResourceRequirements, item corev1.LimitRangeItem) error {
	for name, least := range item.Min {
		request, ok := resources.Requests[name]
		if !ok || request.Cmp(least) < 0 {
			return fmt.Errorf("%s requests less %s than %s", what, name, least.String())
		}
	}
	for name, most := range item.Max {
		limit, ok := resources.Limits[name]
		if !ok || limit.Cmp(most) > 0 {
			return fmt.Errorf("%s has no limit of %s up to %s", what, name, most.String())
		}
	}
	for name, most := range item.MaxLimitRequestRatio {
		limit, request := resources.Limits[name], resources.Requests[name]
		if request.IsZero() || ratio(limit, request) > most.AsApproximateFloat64() {
			return fmt.Errorf("%s: limit of %s over %s times its request", what, name, most.String())
		}
	}
	return nil
}

func ratio(limit, request resource.Quantity) float64 {
	return limit.AsApproximateFloat64() / request.AsApproximateFloat64()
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
