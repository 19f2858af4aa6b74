package mirror

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"github.com/argosy-dev/argosy/estimator/fit"
	"github.com/argosy-dev/argosy/estimator/oracle"
)

// AdmissionRules gathers what the member's admission would read for a pod in the namespace. Listers read memory.
func (m *Member) AdmissionRules(namespace string) (fit.AdmissionRules, error) {
	rules := fit.AdmissionRules{}
	var err error
	if rules.LimitRanges, err = m.Informers.Core().V1().LimitRanges().Lister().LimitRanges(namespace).List(labels.Everything()); err != nil {
		return rules, fmt.Errorf("listing limit ranges: %w", err)
	}
	if rules.PriorityClasses, err = m.Informers.Scheduling().V1().PriorityClasses().Lister().List(labels.Everything()); err != nil {
		return rules, fmt.Errorf("listing priority classes: %w", err)
	}
	if rules.RuntimeClasses, err = m.Informers.Node().V1().RuntimeClasses().Lister().List(labels.Everything()); err != nil {
		return rules, fmt.Errorf("listing runtime classes: %w", err)
	}
	return rules, nil
}

// Admit is what the member's admission makes of a new pod, or why it would refuse it.
func (m *Member) Admit(pod *corev1.Pod) (*corev1.Pod, error) {
	rules, err := m.AdmissionRules(pod.Namespace)
	if err != nil {
		return nil, err
	}
	return fit.Admit(pod, rules)
}

// HasClaim says whether the member has the claim, and not only a question that is just being answered.
func (m *Member) HasClaim(namespace, name string) bool {
	held, err := m.Informers.Core().V1().PersistentVolumeClaims().Lister().PersistentVolumeClaims(namespace).Get(name)
	return err == nil && !oracle.MadeUp(held)
}

// AdmitClaims gives claims that name no class the member's default one, as the DefaultStorageClass admission plugin does: the newest of
// those marked.
func (m *Member) AdmitClaims(claims []corev1.PersistentVolumeClaim) ([]corev1.PersistentVolumeClaim, error) {
	classes, err := m.Informers.Storage().V1().StorageClasses().Lister().List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing storage classes: %w", err)
	}
	var byDefault *storagev1.StorageClass
	for _, class := range classes {
		if class.Annotations[defaultClass] != "true" && class.Annotations[betaDefaultClass] != "true" {
			continue
		}
		if byDefault == nil || byDefault.CreationTimestamp.Before(&class.CreationTimestamp) ||
			byDefault.CreationTimestamp.Equal(&class.CreationTimestamp) && class.Name < byDefault.Name {
			byDefault = class
		}
	}
	admitted := slices.Clone(claims)
	for i := range admitted {
		if byDefault != nil && admitted[i].Spec.StorageClassName == nil {
			admitted[i].Spec.StorageClassName = &byDefault.Name
		}
	}
	return admitted, nil
}

const (
	defaultClass     = "storageclass.kubernetes.io/is-default-class"
	betaDefaultClass = "storageclass.beta.kubernetes.io/is-default-class"
)

// Quotas of the namespace.
func (m *Member) Quotas(namespace string) ([]*corev1.ResourceQuota, error) {
	quotas, err := m.Informers.Core().V1().ResourceQuotas().Lister().ResourceQuotas(namespace).List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing resource quotas: %w", err)
	}
	return quotas, nil
}

// podsIn returns the namespace's pods that are not finished.
func (m *Member) podsIn(namespace string) ([]*corev1.Pod, error) {
	objects, err := m.Pods.ByIndex(cache.NamespaceIndex, namespace)
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	pods := make([]*corev1.Pod, 0, len(objects))
	for _, object := range objects {
		pods = append(pods, object.(*corev1.Pod))
	}
	return pods, nil
}

// Unschedulable says whether the scheduler has refused the pod for at least threshold.
func Unschedulable(pod *corev1.Pod, threshold time.Duration, now time.Time) bool {
	if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse &&
			condition.Reason == corev1.PodReasonUnschedulable {
			return now.Sub(condition.LastTransitionTime.Time) >= threshold
		}
	}
	return false
}
