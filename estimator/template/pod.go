package template

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	helper "k8s.io/component-helpers/resource"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/estimator/wire"
)

// Pod is what a workload's replicas are made of.
type Pod struct {
	Template *corev1.Pod
	// Claims are the claims that each replica brings (a StatefulSet's volumeClaimTemplates), named without the replica.
	Claims []corev1.PersistentVolumeClaim
	// Ordinals number the replicas that bring claims.
	Ordinals Ordinals
}

// Of reads the pod template of any workload that has one at spec.template: Deployment, StatefulSet and Job, OpenKruise's CloneSet and
// StatefulSet, and others built alike; and what a Component says of the workload it becomes. ok is false for a workload without
// (VMReplicaSet: its request says all there is to say, and its replicas become pods only in the member).
func Of(workload *unstructured.Unstructured) (pod Pod, ok bool, err error) {
	named := func(err error) error {
		return fmt.Errorf("%s %s/%s: %w", workload.GetKind(), workload.GetNamespace(), workload.GetName(), err)
	}
	if kind := workload.GroupVersionKind(); kind.Group == componentv1alpha1.GroupVersion.Group && kind.Kind == "Component" {
		made, err := rendered(workload)
		if err != nil {
			return Pod{}, false, named(err)
		}
		workload = made
	}
	spec, found, err := unstructured.NestedMap(workload.Object, "spec", "template", "spec")
	if err != nil {
		return Pod{}, false, named(fmt.Errorf("spec.template: %w", err))
	}
	if containers, has := spec["containers"]; !found || !has || containers == nil {
		return Pod{}, false, nil
	}
	var parsed struct {
		Spec struct {
			Template             corev1.PodTemplateSpec         `json:"template"`
			VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
			Ordinals             struct {
				Start int `json:"start"`
			} `json:"ordinals"`
			ReserveOrdinals []intstr.IntOrString `json:"reserveOrdinals"`
		} `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(workload.Object, &parsed); err != nil {
		return Pod{}, false, named(fmt.Errorf("spec.template does not decode: %w", err))
	}
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: workload.GetNamespace(), Name: workload.GetName(),
			Labels: parsed.Spec.Template.Labels, Annotations: parsed.Spec.Template.Annotations},
		Spec: parsed.Spec.Template.Spec,
	}
	nextRevision(made)
	mergeLabelKeys(made)
	return Pod{Template: made, Claims: append(parsed.Spec.VolumeClaimTemplates, ephemeralClaims(made)...),
		Ordinals: ordinalsOf(parsed.Spec.Ordinals.Start, parsed.Spec.ReserveOrdinals)}, true, nil
}

// nextRevision gives the pod the labels that controllers add and constraints may select by (matchLabelKeys), with a value that no pod in
// the member has: a template that no live pod matches is a revision of which there are no pods yet.
func nextRevision(pod *corev1.Pod) {
	for _, key := range []string{appsv1.DefaultDeploymentUniqueLabelKey, appsv1.ControllerRevisionHashLabelKey} {
		wanted := false
		for _, constraint := range pod.Spec.TopologySpreadConstraints {
			wanted = wanted || slices.Contains(constraint.MatchLabelKeys, key)
		}
		for _, term := range requiredTerms(pod) {
			wanted = wanted || slices.Contains(term.MatchLabelKeys, key) || slices.Contains(term.MismatchLabelKeys, key)
		}
		if _, has := pod.Labels[key]; wanted && !has {
			if pod.Labels == nil {
				pod.Labels = map[string]string{}
			}
			pod.Labels[key] = "argosy-next"
		}
	}
}

// mergeLabelKeys does what the API server does on creation: the keys of affinity terms become expressions of their selectors.
func mergeLabelKeys(pod *corev1.Pod) {
	for _, term := range requiredTerms(pod) {
		if term.LabelSelector == nil {
			continue
		}
		merge := func(keys []string, operator metav1.LabelSelectorOperator) {
			for _, key := range keys {
				if value, ok := pod.Labels[key]; ok {
					term.LabelSelector.MatchExpressions = append(term.LabelSelector.MatchExpressions,
						metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: []string{value}})
				}
			}
		}
		merge(term.MatchLabelKeys, metav1.LabelSelectorOpIn)
		merge(term.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
	}
}

func requiredTerms(pod *corev1.Pod) []*corev1.PodAffinityTerm {
	var terms []*corev1.PodAffinityTerm
	if pod.Spec.Affinity == nil {
		return nil
	}
	if a := pod.Spec.Affinity.PodAffinity; a != nil {
		for i := range a.RequiredDuringSchedulingIgnoredDuringExecution {
			terms = append(terms, &a.RequiredDuringSchedulingIgnoredDuringExecution[i])
		}
	}
	if a := pod.Spec.Affinity.PodAntiAffinity; a != nil {
		for i := range a.RequiredDuringSchedulingIgnoredDuringExecution {
			terms = append(terms, &a.RequiredDuringSchedulingIgnoredDuringExecution[i])
		}
	}
	return terms
}

// Synthetic is a pod of the requirements alone.
func Synthetic(requirements wire.Requirements, namespace, name string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			NodeSelector: requirements.NodeSelector, Tolerations: requirements.Tolerations, PriorityClassName: requirements.PriorityClassName,
			Containers: []corev1.Container{{Name: "replica", Resources: corev1.ResourceRequirements{Requests: requirements.Requests}}},
		},
	}
	if requirements.NodeAffinity != nil {
		pod.Spec.Affinity = &corev1.Affinity{
			NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: requirements.NodeAffinity},
		}
	}
	return pod
}

// AtLeast raises the pod's requests to what the scheduler asks for: its figures are of the binding, which may be newer than the template,
// or counted by an interpreter that knows better. The greater of the two never over-estimates.
func AtLeast(pod *corev1.Pod, asked corev1.ResourceList) {
	if len(pod.Spec.Containers) == 0 {
		return
	}
	have := helper.PodRequests(pod, helper.PodResourcesOptions{ExcludeOverhead: true})
	// An init container runs before the others and hides what is added to them up to its own size.
	running := pod.DeepCopy()
	running.Spec.InitContainers = slices.DeleteFunc(running.Spec.InitContainers, func(c corev1.Container) bool {
		return c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways
	})
	together := helper.PodRequests(running, helper.PodResourcesOptions{ExcludeOverhead: true, SkipPodLevelResources: true})
	for name, want := range asked {
		got := have[name]
		if got.Cmp(want) >= 0 || name == corev1.ResourcePods {
			continue
		}
		if whole := pod.Spec.Resources; whole != nil && helper.IsSupportedPodLevelResource(name) && helper.IsPodLevelRequestsSet(pod) {
			// What a pod asks for as a whole is what counts, whatever its containers ask for.
			whole.Requests[name] = want.DeepCopy()
			continue
		}
		requests := &pod.Spec.Containers[0].Resources.Requests
		if *requests == nil {
			*requests = corev1.ResourceList{}
		}
		more := want.DeepCopy()
		more.Sub(together[name])
		sum := (*requests)[name]
		sum.Add(more)
		(*requests)[name] = sum
	}
}

// Matches says how far a template's requests are those asked for: to choose between two kinds of one name.
func Matches(pod *corev1.Pod, asked corev1.ResourceList) bool {
	have := helper.PodRequests(pod, helper.PodResourcesOptions{})
	return equality.Semantic.DeepEqual(nonZero(have), nonZero(asked))
}

func nonZero(list corev1.ResourceList) map[corev1.ResourceName]string {
	out := map[corev1.ResourceName]string{}
	for name, quantity := range list {
		if !quantity.IsZero() {
			out[name] = resource.NewMilliQuantity(quantity.MilliValue(), resource.DecimalSI).String()
		}
	}
	return out
}
