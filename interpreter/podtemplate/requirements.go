package podtemplate

import (
	"fmt"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/argosy-dev/argosy/interpreter/field"
)

// Requirements is what one pod of the template at path asks of the scheduler: resources as the scheduler sums them
// (init containers, sidecars, overhead, pod-level resources), node selection, tolerations, priority class, and the
// namespace whose quota it falls under.
func Requirements(object map[string]any, namespace string, path ...string) (*workv1alpha2.ReplicaRequirements, error) {
	template, err := field.Map(object, path...)
	if err != nil {
		return nil, err
	}
	spec, err := field.Map(template, "spec")
	if err != nil {
		return nil, field.Under(err, path...)
	}
	pod, err := read(spec)
	if err != nil {
		return nil, field.Under(field.Under(err, "spec"), path...)
	}
	out := &workv1alpha2.ReplicaRequirements{
		NodeClaim:         nodeClaim(&pod.Spec),
		ResourceRequest:   resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}),
		Namespace:         namespace,
		PriorityClassName: pod.Spec.PriorityClassName,
	}
	if len(out.ResourceRequest) == 0 {
		out.ResourceRequest = nil
	}
	return out, nil
}

func nodeClaim(spec *corev1.PodSpec) *workv1alpha2.NodeClaim {
	claim := workv1alpha2.NodeClaim{NodeSelector: spec.NodeSelector, Tolerations: spec.Tolerations}
	if spec.Affinity != nil && spec.Affinity.NodeAffinity != nil {
		claim.HardNodeAffinity = spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	if claim.NodeSelector == nil && claim.Tolerations == nil && claim.HardNodeAffinity == nil {
		return nil
	}
	return &claim
}

// read is a pod with those fields alone that the scheduler looks at; converting all of a template costs ten times more.
func read(spec map[string]any) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	var err error
	if pod.Spec.InitContainers, err = containers(spec, "initContainers"); err != nil {
		return nil, err
	}
	if pod.Spec.Containers, err = containers(spec, "containers"); err != nil {
		return nil, err
	}
	if pod.Spec.Overhead, err = ResourceList(spec, "overhead"); err != nil {
		return nil, err
	}
	if pod.Spec.PriorityClassName, err = field.String(spec, "priorityClassName"); err != nil {
		return nil, err
	}
	resources, err := requirements(spec)
	if err != nil {
		return nil, err
	}
	if resources.Requests != nil || resources.Limits != nil {
		pod.Spec.Resources = &resources
	}
	return pod, placement(spec, &pod.Spec)
}

func containers(spec map[string]any, name string) ([]corev1.Container, error) {
	list, err := field.Slice(spec, name)
	if list == nil {
		return nil, err
	}
	out := make([]corev1.Container, len(list))
	for i, item := range list {
		container, ok := item.(map[string]any)
		if !ok {
			return nil, field.Errorf(field.Index([]string{name}, i), "want an object, have %v", item)
		}
		if out[i].Resources, err = requirements(container); err != nil {
			return nil, field.Under(err, field.Index([]string{name}, i)...)
		}
		policy, err := field.String(container, "restartPolicy")
		if err != nil {
			return nil, field.Under(err, field.Index([]string{name}, i)...)
		}
		if policy != "" {
			always := corev1.ContainerRestartPolicy(policy)
			out[i].RestartPolicy = &always
		}
	}
	return out, nil
}

// requirements reads resources, with requests as Kubernetes defaults them when the pod is made: from the limits.
func requirements(holder map[string]any) (out corev1.ResourceRequirements, err error) {
	if out.Limits, err = ResourceList(holder, "resources", "limits"); err != nil {
		return out, err
	}
	if out.Requests, err = ResourceList(holder, "resources", "requests"); err != nil {
		return out, err
	}
	for name, limit := range out.Limits {
		if _, ok := out.Requests[name]; ok {
			continue
		}
		if out.Requests == nil {
			out.Requests = make(corev1.ResourceList, len(out.Limits))
		}
		out.Requests[name] = limit
	}
	return out, nil
}

// ResourceList is the amounts at path, by resource; nil when absent.
func ResourceList(holder map[string]any, path ...string) (corev1.ResourceList, error) {
	amounts, err := field.Map(holder, path...)
	if amounts == nil {
		return nil, err
	}
	out := make(corev1.ResourceList, len(amounts))
	for name, value := range amounts {
		quantity, err := parse(value)
		if err != nil {
			return nil, field.Errorf(append(path, name), "want a quantity such as 500m or 1Gi, have %v", value)
		}
		out[corev1.ResourceName(name)] = quantity
	}
	return out, nil
}

// parse accepts the text of a quantity, and the bare number YAML makes of `cpu: 2`.
func parse(value any) (resource.Quantity, error) {
	switch v := value.(type) {
	case string:
		return resource.ParseQuantity(v)
	case int64:
		return *resource.NewQuantity(v, resource.DecimalSI), nil
	case float64:
		return resource.ParseQuantity(fmt.Sprint(v))
	}
	return resource.Quantity{}, resource.ErrFormatWrong
}

// placement reads node selector, tolerations and the hard node affinity.
func placement(spec map[string]any, into *corev1.PodSpec) error {
	selector, err := field.Map(spec, "nodeSelector")
	if err != nil {
		return err
	}
	if len(selector) > 0 {
		into.NodeSelector = make(map[string]string, len(selector))
		for key := range selector {
			if into.NodeSelector[key], err = field.String(selector, key); err != nil {
				return field.Under(err, "nodeSelector")
			}
		}
	}
	tolerations, err := field.Slice(spec, "tolerations")
	if err != nil {
		return err
	}
	for i, item := range tolerations {
		var toleration corev1.Toleration
		if err := convert(item, &toleration); err != nil {
			return field.Errorf(field.Index([]string{"tolerations"}, i), "%v", err)
		}
		into.Tolerations = append(into.Tolerations, toleration)
	}
	hard := []string{"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"}
	required, err := field.Map(spec, hard...)
	if required == nil {
		return err
	}
	nodes := &corev1.NodeSelector{}
	if err := convert(required, nodes); err != nil {
		return field.Errorf(hard, "%v", err)
	}
	into.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: nodes}}
	return nil
}

// convert is for the small parts that are carried whole.
func convert(from, to any) error {
	object, ok := from.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, have %v", from)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object, to)
}
