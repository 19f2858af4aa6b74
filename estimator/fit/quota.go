package fit

import (
	"fmt"
	"math/big"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	quotav1 "k8s.io/apiserver/pkg/quota/v1"
	quotacore "k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
)

// Replica is what a namespace's quotas see of one replica: its pod and the claims that come with it.
type Replica struct {
	Pod    *corev1.Pod
	Claims []corev1.PersistentVolumeClaim
}

// QuotaRoom is how many more replicas the namespace's ResourceQuotas let in, and which quota says so. Without one that applies it is
// Unlimited. What a replica uses, and whether a quota concerns it, is asked of the evaluators of Kubernetes' own quota admission.
//
// A quota's status counts every pod that exists, bound or not, so pods promised and not yet created are taken off by the caller.
func QuotaRoom(replica Replica, quotas []*corev1.ResourceQuota) (int64, string) {
	room, by := Unlimited, ""
	for _, quota := range quotas {
		uses, err := replica.uses(quota)
		if err != nil {
			return 0, fmt.Sprintf("ResourceQuota %s: %v", quota.Name, err)
		}
		for name, each := range uses {
			if here := times(quota.Status.Hard[name], quota.Status.Used[name], each); here < room {
				room, by = here, fmt.Sprintf("ResourceQuota %s: %s", quota.Name, name)
			}
		}
	}
	return room, by
}

// Charge adds to the quotas' use what count such replicas will use: replicas promised to the member that it has not counted yet. What a
// quota refuses uses nothing of it.
func Charge(quotas []*corev1.ResourceQuota, replica Replica, count int) []*corev1.ResourceQuota {
	charged := make([]*corev1.ResourceQuota, 0, len(quotas))
	for _, quota := range quotas {
		quota = quota.DeepCopy()
		// A refused replica is not created.
		uses, _ := replica.uses(quota)
		for name, each := range uses {
			if quota.Status.Used == nil {
				quota.Status.Used = corev1.ResourceList{}
			}
			used := quota.Status.Used[name]
			each.Mul(int64(count))
			used.Add(each)
			quota.Status.Used[name] = used
		}
		charged = append(charged, quota)
	}
	return charged
}

// uses is what one replica, its pod and its claims, takes of the quota's resources. An error says that the quota demands something of every
// pod that this one does not have. Quota admission does not ask that of resources without a limit.
func (r Replica) uses(quota *corev1.ResourceQuota) (corev1.ResourceList, error) {
	// The evaluators look at their clock for deleted pods only, and list pods only to count a namespace anew: neither happens here.
	pods, claims := quotacore.NewPodEvaluator(nil, nil), quotacore.NewPersistentVolumeClaimEvaluator(nil)
	total := corev1.ResourceList{}
	add := func(evaluator quotav1.Evaluator, object runtime.Object) error {
		matches, err := evaluator.Matches(quota, object)
		if err != nil || !matches {
			return err
		}
		names := quotav1.ResourceNames(quota.Status.Hard)
		if err := evaluator.Constraints(evaluator.MatchingResources(names), object); err != nil {
			return err
		}
		usage, err := evaluator.Usage(object)
		if err != nil {
			return err
		}
		total = quotav1.Add(total, quotav1.Mask(usage, names))
		return nil
	}
	if err := add(pods, r.Pod); err != nil {
		return nil, err
	}
	for i := range r.Claims {
		if err := add(claims, &r.Claims[i]); err != nil {
			return nil, err
		}
	}
	return total, nil
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

// QuotaPart is Count replicas of a set that is placed whole.
type QuotaPart struct {
	Replica
	Count int
}

// QuotaSets is how many whole sets quotas let in: the largest number whose pods, all together, they take. What quotas take only shrinks
// with more sets, so bisection finds it.
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
