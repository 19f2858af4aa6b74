package fit

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	helper "k8s.io/component-helpers/resource"
	"k8s.io/kubernetes/pkg/apis/core/v1/helper/qos"
	"k8s.io/utils/ptr"
)

// Replica is what a namespace's quotas see of one replica: its pod and the claims that come with it.
type Replica struct {
	Pod    *corev1.Pod
	Claims []corev1.PersistentVolumeClaim
}

// QuotaRoom is how many more replicas the namespace's ResourceQuotas let in, and which quota says so. Without one that applies it is Unlimited.
//
// A quota's status counts every pod that exists, bound or not, so pods promised and not yet created are taken off by the caller.
func QuotaRoom(replica Replica, quotas []*corev1.ResourceQuota) (int64, string) {
	room, by := Unlimited, ""
	for _, quota := range quotas {
		for name, hard := range quota.Status.Hard {
			use := replica.usage(quota, name)
			here := Unlimited
			switch {
			case use.missing:
				here = 0
			case use.counts:
				here = times(hard, quota.Status.Used[name], use.each)
			}
			if here < room {
				room, by = here, fmt.Sprintf("ResourceQuota %s: %s", quota.Name, name)
			}
		}
	}
	return room, by
}

// Charge adds to the quotas' use what count such replicas will use: replicas promised to the member that it has not counted yet.
func Charge(quotas []*corev1.ResourceQuota, replica Replica, count int) []*corev1.ResourceQuota {
	charged := make([]*corev1.ResourceQuota, 0, len(quotas))
	for _, quota := range quotas {
		quota = quota.DeepCopy()
		for name := range quota.Status.Hard {
			use := replica.usage(quota, name)
			if !use.counts || use.missing {
				continue
			}
			if quota.Status.Used == nil {
				quota.Status.Used = corev1.ResourceList{}
			}
			used := quota.Status.Used[name]
			use.each.Mul(int64(count))
			used.Add(use.each)
			quota.Status.Used[name] = used
		}
		charged = append(charged, quota)
	}
	return charged
}

// use of a quota's resource by one replica. missing: the quota demands a value of every pod and this one has none, so it is refused.
type use struct {
	each            resource.Quantity
	counts, missing bool
}

func (r Replica) usage(quota *corev1.ResourceQuota, name corev1.ResourceName) use {
	if u := claimUsage(r.Claims, string(name)); u.counts {
		return u
	}
	if !inScope(r.Pod, quota) {
		return use{}
	}
	return podUsage(r.Pod, name)
}

// podUsage follows the quota plugin's pod evaluator (k8s.io/kubernetes/pkg/quota/v1/evaluator/core/pods.go), which demands values of CPU and memory only.
func podUsage(pod *corev1.Pod, name corev1.ResourceName) use {
	options := helper.PodResourcesOptions{}
	requests, limits := helper.PodRequests(pod, options), helper.PodLimits(pod, options)
	request := corev1.ResourceName(strings.TrimPrefix(string(name), corev1.DefaultResourceRequestsPrefix))
	switch name {
	case corev1.ResourcePods, "count/pods":
		return use{each: *resource.NewQuantity(1, resource.DecimalSI), counts: true}
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory:
		each, ok := requests[request]
		return use{each: each, counts: true, missing: !ok}
	case corev1.ResourceLimitsCPU:
		each, ok := limits[corev1.ResourceCPU]
		return use{each: each, counts: true, missing: !ok}
	case corev1.ResourceLimitsMemory:
		each, ok := limits[corev1.ResourceMemory]
		return use{each: each, counts: true, missing: !ok}
	case corev1.ResourceLimitsEphemeralStorage:
		each, ok := limits[corev1.ResourceEphemeralStorage]
		return use{each: each, counts: ok}
	}
	// Ephemeral storage, huge pages and extended resources, the last only as requests.<name>.
	named := request != name || name == corev1.ResourceEphemeralStorage || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
	each, ok := requests[request]
	return use{each: each, counts: ok && named}
}

// claimUsage follows the evaluator of PersistentVolumeClaims. Scopes are about pods and do not touch it.
func claimUsage(claims []corev1.PersistentVolumeClaim, name string) use {
	class, resourceName, ofClass := strings.Cut(name, ".storageclass.storage.k8s.io/")
	if !ofClass {
		resourceName = name
	}
	u := use{}
	for i := range claims {
		if ofClass && ptr.Deref(claims[i].Spec.StorageClassName, "") != class {
			continue
		}
		switch resourceName {
		case "persistentvolumeclaims", "count/persistentvolumeclaims":
			u.counts = true
			u.each.Add(*resource.NewQuantity(1, resource.DecimalSI))
		case "requests.storage":
			u.counts = true
			u.each.Add(claims[i].Spec.Resources.Requests[corev1.ResourceStorage])
		}
	}
	return u
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
		return qos.ComputePodQOS(pod) == corev1.PodQOSBestEffort
	case corev1.ResourceQuotaScopeNotBestEffort:
		return qos.ComputePodQOS(pod) != corev1.PodQOSBestEffort
	case corev1.ResourceQuotaScopePriorityClass:
		return matchesPriority(pod.Spec.PriorityClassName, requirement)
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return crossesNamespaces(pod)
	}
	// A scope of a later Kubernetes: count the quota rather than ignore it.
	return true
}

func matchesPriority(class string, requirement corev1.ScopedResourceSelectorRequirement) bool {
	listed := slices.Contains(requirement.Values, class)
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

// QuotaPart is Count replicas of a set that is placed whole.
type QuotaPart struct {
	Replica
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
			room, quota := QuotaRoom(part.Replica, charged)
			if room < need {
				by = quota
				return false
			}
			charged = Charge(charged, part.Replica, int(need))
		}
		return true
	}
	return LocalCap(1<<20, takes), by
}
