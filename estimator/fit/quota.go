package fit

import (
	"fmt"
	"math/big"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	helper "k8s.io/component-helpers/resource"
)

// QuotaRoom is how many more copies the namespace's ResourceQuotas let in, and which quota says so. Without one that applies it is Unlimited.
//
// A quota's status counts every pod that exists, bound or not, so pods promised and not yet created are taken off by the caller.
func QuotaRoom(pod *corev1.Pod, quotas []*corev1.ResourceQuota) (int64, string) {
	room, by := Unlimited, ""
	for _, quota := range quotas {
		if !inScope(pod, quota) {
			continue
		}
		for name, hard := range quota.Status.Hard {
			each, counts, missing := usage(pod, name)
			if !counts {
				continue
			}
			here := int64(0)
			if !missing {
				used := quota.Status.Used[name]
				here = times(hard, used, each)
			}
			if here < room {
				room, by = here, fmt.Sprintf("ResourceQuota %s: %s", quota.Name, name)
			}
		}
	}
	return room, by
}

// Charge adds to the quotas' use what count pods like pod will use: pods promised to the member that it has not counted yet.
func Charge(quotas []*corev1.ResourceQuota, pod *corev1.Pod, count int) []*corev1.ResourceQuota {
	charged := make([]*corev1.ResourceQuota, 0, len(quotas))
	for _, quota := range quotas {
		if inScope(pod, quota) {
			quota = quota.DeepCopy()
			if quota.Status.Used == nil {
				quota.Status.Used = corev1.ResourceList{}
			}
			for name := range quota.Status.Hard {
				if each, counts, missing := usage(pod, name); counts && !missing {
					used := quota.Status.Used[name]
					each.Mul(int64(count))
					used.Add(each)
					quota.Status.Used[name] = used
				}
			}
		}
		charged = append(charged, quota)
	}
	return charged
}

// usage is what one copy uses of a quota's resource; missing: the quota demands a value of every pod and this one has none.
func usage(pod *corev1.Pod, name corev1.ResourceName) (each resource.Quantity, counts, missing bool) {
	text := string(name)
	switch {
	case name == corev1.ResourcePods || text == "count/pods":
		return *resource.NewQuantity(1, resource.DecimalSI), true, false
	case strings.HasPrefix(text, "limits."):
		return sumOf(pod, corev1.ResourceName(strings.TrimPrefix(text, "limits.")), helper.PodLimits)
	case name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage:
		return sumOf(pod, name, helper.PodRequests)
	case text == "requests.storage" || strings.HasPrefix(text, "count/") || strings.Contains(text, "storageclass"):
		return resource.Quantity{}, false, false
	case strings.HasPrefix(text, "requests."):
		resourceName := corev1.ResourceName(strings.TrimPrefix(text, "requests."))
		each, counts, missing = sumOf(pod, resourceName, helper.PodRequests)
		if strings.Contains(string(resourceName), "/") && missing {
			return each, false, false // extended resources are not demanded of every pod
		}
		return each, counts, missing
	}
	return resource.Quantity{}, false, false
}

func sumOf(pod *corev1.Pod, name corev1.ResourceName, sum func(*corev1.Pod, helper.PodResourcesOptions) corev1.ResourceList) (resource.Quantity, bool, bool) {
	each, ok := sum(pod, helper.PodResourcesOptions{})[name]
	return each, true, !ok
}

// times is how often each goes into hard - used.
func times(hard, used, each resource.Quantity) int64 {
	free := hard.DeepCopy()
	free.Sub(used)
	if each.Sign() <= 0 {
		return Unlimited
	}
	if free.Sign() <= 0 {
		return 0
	}
	quotient := new(big.Int).Quo(milli(free), milli(each))
	if !quotient.IsInt64() || quotient.Int64() > Unlimited {
		return Unlimited
	}
	return quotient.Int64()
}

// milli is the quantity in thousandths, exact where the API allows no finer.
func milli(q resource.Quantity) *big.Int {
	d := q.AsDec()
	scaled := new(big.Int).Mul(d.UnscaledBig(), big.NewInt(1000))
	ten := big.NewInt(10)
	scale := int64(d.Scale())
	factor := new(big.Int).Exp(ten, big.NewInt(max(scale, -scale)), nil)
	if scale >= 0 {
		return scaled.Quo(scaled, factor)
	}
	return scaled.Mul(scaled, factor)
}

// inScope follows the quota plugin's pod evaluator.
func inScope(pod *corev1.Pod, quota *corev1.ResourceQuota) bool {
	for _, scope := range quota.Spec.Scopes {
		if !matchesScope(pod, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}) {
			return false
		}
	}
	if quota.Spec.ScopeSelector == nil {
		return true
	}
	for _, requirement := range quota.Spec.ScopeSelector.MatchExpressions {
		if !matchesScope(pod, requirement) {
			return false
		}
	}
	return true
}

func matchesScope(pod *corev1.Pod, requirement corev1.ScopedResourceSelectorRequirement) bool {
	switch requirement.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return pod.Spec.ActiveDeadlineSeconds != nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return pod.Spec.ActiveDeadlineSeconds == nil
	case corev1.ResourceQuotaScopeBestEffort:
		return bestEffort(pod)
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !bestEffort(pod)
	case corev1.ResourceQuotaScopePriorityClass:
		return matchesPriority(pod.Spec.PriorityClassName, requirement)
	}
	if requirement.ScopeName == corev1.ResourceQuotaScopeCrossNamespacePodAffinity {
		return crossesNamespaces(pod)
	}
	// A scope of a later Kubernetes: count the quota rather than ignore it.
	return true
}

func matchesPriority(class string, requirement corev1.ScopedResourceSelectorRequirement) bool {
	listed := false
	for _, value := range requirement.Values {
		listed = listed || value == class
	}
	switch requirement.Operator {
	case corev1.ScopeSelectorOpIn:
		return class != "" && listed
	case corev1.ScopeSelectorOpNotIn:
		return !listed
	case corev1.ScopeSelectorOpDoesNotExist:
		return class == ""
	}
	return class != ""
}

func bestEffort(pod *corev1.Pod) bool {
	return len(helper.PodRequests(pod, helper.PodResourcesOptions{ExcludeOverhead: true})) == 0 &&
		len(helper.PodLimits(pod, helper.PodResourcesOptions{ExcludeOverhead: true})) == 0
}

// crossesNamespaces: the pod has affinity terms that look into other namespaces.
func crossesNamespaces(pod *corev1.Pod) bool {
	if pod.Spec.Affinity == nil {
		return false
	}
	var terms []corev1.PodAffinityTerm
	if a := pod.Spec.Affinity.PodAffinity; a != nil {
		terms = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...)
		for _, weighted := range a.PreferredDuringSchedulingIgnoredDuringExecution {
			terms = append(terms, weighted.PodAffinityTerm)
		}
	}
	if a := pod.Spec.Affinity.PodAntiAffinity; a != nil {
		terms = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...)
		for _, weighted := range a.PreferredDuringSchedulingIgnoredDuringExecution {
			terms = append(terms, weighted.PodAffinityTerm)
		}
	}
	for _, term := range terms {
		if len(term.Namespaces) > 0 || term.NamespaceSelector != nil {
			return true
		}
	}
	return false
}

// QuotaPart is Count pods like Pod of a set that is placed whole.
type QuotaPart struct {
	Pod   *corev1.Pod
	Count int
}

// QuotaSets is how many whole sets quotas let in: the largest number whose pods, all together, they take. What quotas take only shrinks with more sets, so
// bisection finds it.
func QuotaSets(parts []QuotaPart, quotas []*corev1.ResourceQuota) (int64, string) {
	by := ""
	takes := func(sets int64) bool {
		charged := quotas
		for _, part := range parts {
			if part.Count == 0 {
				continue
			}
			need := sets * int64(part.Count)
			room, quota := QuotaRoom(part.Pod, charged)
			if room < need {
				by = quota
				return false
			}
			charged = Charge(charged, part.Pod, int(need))
		}
		return true
	}
	return LocalCap(1<<20, takes), by
}
