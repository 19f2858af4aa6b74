package fit

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"
)

func list(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func podOf(requests, limits corev1.ResourceList, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits}}},
		},
	}
	for _, apply := range change {
		apply(pod)
	}
	return pod
}

func quota(hard, used corev1.ResourceList, change ...func(*corev1.ResourceQuota)) *corev1.ResourceQuota {
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "q"}, Status: corev1.ResourceQuotaStatus{Hard: hard, Used: used}}
	for _, apply := range change {
		apply(q)
	}
	return q
}

func scoped(scopes ...corev1.ResourceQuotaScope) func(*corev1.ResourceQuota) {
	return func(q *corev1.ResourceQuota) { q.Spec.Scopes = scopes }
}

func ofClass(operator corev1.ScopeSelectorOperator, values ...string) func(*corev1.ResourceQuota) {
	return func(q *corev1.ResourceQuota) {
		q.Spec.ScopeSelector = &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{
			{ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: operator, Values: values}}}
	}
}

func claim(class *string, size string) corev1.PersistentVolumeClaim {
	return corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: class,
		Resources: corev1.VolumeResourceRequirements{Requests: list("storage", size)}}}
}

func beside(requests corev1.ResourceList) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, podOf(requests, nil).Spec.Containers...)
	}
}

func before(requests corev1.ResourceList) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.InitContainers = podOf(requests, nil).Spec.Containers }
}

func asAWhole(requests corev1.ResourceList) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Resources = &corev1.ResourceRequirements{Requests: requests} }
}

func TestQuotaRoom(t *testing.T) {
	oneCPU := podOf(list("cpu", "1", "memory", "1Gi"), nil)
	crossing := func(pod *corev1.Pod) {
		pod.Spec.Affinity = &corev1.Affinity{
			PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{Namespaces: []string{"other"}}},
			},
		}
	}
	urgent := func(pod *corev1.Pod) { pod.Spec.PriorityClassName = "urgent" }
	tests := map[string]struct {
		pod    *corev1.Pod
		claims []corev1.PersistentVolumeClaim
		quota  *corev1.ResourceQuota
		want   int64
	}{
		"no quota applies":              {oneCPU, nil, quota(list("services", "1"), nil), Unlimited},
		"pods":                          {oneCPU, nil, quota(list("pods", "5"), list("pods", "2")), 3},
		"count/pods":                    {oneCPU, nil, quota(list("count/pods", "5"), nil), 5},
		"cpu is requests.cpu":           {oneCPU, nil, quota(list("cpu", "2500m"), nil), 2},
		"the tightest of several":       {oneCPU, nil, quota(list("requests.cpu", "8", "requests.memory", "3Gi"), nil), 3},
		"used up":                       {oneCPU, nil, quota(list("requests.cpu", "2"), list("requests.cpu", "3")), 0},
		"limits demanded and missing":   {oneCPU, nil, quota(list("limits.cpu", "8"), nil), 0},
		"limits":                        {podOf(nil, list("cpu", "2")), nil, quota(list("limits.cpu", "8"), nil), 4},
		"requests demanded and missing": {podOf(nil, nil), nil, quota(list("requests.memory", "8Gi"), nil), 0},
		"requests demanded of each container": {
			podOf(list("memory", "1Gi"), nil, beside(nil)), nil, quota(list("requests.memory", "8Gi"), nil), 0,
		},
		"requests in each container": {
			podOf(list("memory", "1Gi"), nil, beside(list("memory", "1Gi"))), nil, quota(list("requests.memory", "8Gi"), nil), 4,
		},
		"demanded of init containers too": {
			podOf(list("memory", "1Gi"), nil, before(nil)), nil, quota(list("requests.memory", "8Gi"), nil), 0,
		},
		"an init container that needs more": {
			podOf(list("memory", "1Gi"), nil, before(list("memory", "2Gi"))), nil, quota(list("requests.memory", "8Gi"), nil), 4,
		},
		"the pod's own requests are enough": {
			podOf(nil, nil, asAWhole(list("memory", "2Gi"))), nil, quota(list("requests.memory", "8Gi"), nil), 4,
		},
		"ephemeral storage is not demanded": {
			oneCPU, nil, quota(list("requests.ephemeral-storage", "1Gi", "limits.ephemeral-storage", "1Gi"), nil), Unlimited,
		},
		"ephemeral storage": {
			podOf(list("ephemeral-storage", "1Gi"), nil), nil, quota(list("ephemeral-storage", "3Gi"), nil), 3,
		},
		"huge pages": {podOf(list("hugepages-2Mi", "4Mi"), nil), nil, quota(list("hugepages-2Mi", "16Mi"), nil), 4},
		"huge pages as requests": {
			podOf(list("hugepages-2Mi", "4Mi"), nil), nil, quota(list("requests.hugepages-2Mi", "12Mi"), nil), 3,
		},
		"extended resource": {
			podOf(list("nvidia.com/gpu", "2"), nil), nil, quota(list("requests.nvidia.com/gpu", "7"), nil), 3,
		},
		"extended resource not demanded": {oneCPU, nil, quota(list("requests.nvidia.com/gpu", "0"), nil), Unlimited},
		"not best effort": {
			oneCPU, nil, quota(list("pods", "2"), nil, scoped(corev1.ResourceQuotaScopeBestEffort)), Unlimited,
		},
		"a GPU alone is best effort": {
			podOf(list("nvidia.com/gpu", "1"), nil), nil, quota(list("pods", "2"), nil, scoped(corev1.ResourceQuotaScopeBestEffort)), 2,
		},
		"out of scope: not terminating": {
			oneCPU, nil, quota(list("pods", "2"), nil, scoped(corev1.ResourceQuotaScopeTerminating)), Unlimited,
		},
		"in scope: not terminating": {oneCPU, nil, quota(list("pods", "2"), nil, scoped(corev1.ResourceQuotaScopeNotTerminating)), 2},
		"a Job's deadline": {
			podOf(nil, nil, func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = ptr.To[int64](9) }), nil,
			quota(list("pods", "2"), nil, scoped(corev1.ResourceQuotaScopeTerminating)), 2,
		},
		"its priority class": {
			podOf(nil, nil, urgent), nil, quota(list("pods", "2"), nil, ofClass(corev1.ScopeSelectorOpIn, "urgent")), 2,
		},
		"another priority class": {
			podOf(nil, nil, urgent), nil, quota(list("pods", "2"), nil, ofClass(corev1.ScopeSelectorOpIn, "batch")), Unlimited,
		},
		"any class but": {
			podOf(nil, nil, urgent), nil, quota(list("pods", "2"), nil, ofClass(corev1.ScopeSelectorOpNotIn, "urgent")), Unlimited,
		},
		"no class": {oneCPU, nil, quota(list("pods", "2"), nil, ofClass(corev1.ScopeSelectorOpDoesNotExist)), 2},
		"any class": {
			podOf(nil, nil, urgent), nil, quota(list("pods", "2"), nil, ofClass(corev1.ScopeSelectorOpExists)), 2,
		},
		"affinity across namespaces": {
			podOf(nil, nil, crossing), nil, quota(list("pods", "2"), nil, scoped(corev1.ResourceQuotaScopeCrossNamespacePodAffinity)), 2,
		},
		"affinity within the namespace": {
			oneCPU, nil, quota(list("pods", "2"), nil, scoped(corev1.ResourceQuotaScopeCrossNamespacePodAffinity)), Unlimited,
		},
		"claims, two a replica": {
			oneCPU, []corev1.PersistentVolumeClaim{claim(nil, "1Gi"), claim(nil, "1Gi")}, quota(list("persistentvolumeclaims", "7"), nil), 3,
		},
		"storage": {
			oneCPU, []corev1.PersistentVolumeClaim{claim(nil, "1Gi"), claim(nil, "2Gi")}, quota(list("requests.storage", "10Gi"), nil), 3,
		},
		"storage of the class": {
			oneCPU, []corev1.PersistentVolumeClaim{claim(ptr.To("ssd"), "1Gi"), claim(ptr.To("hdd"), "9Gi")},
			quota(list("ssd.storageclass.storage.k8s.io/requests.storage", "4Gi"), nil), 4,
		},
		"claims of another class": {
			oneCPU, []corev1.PersistentVolumeClaim{claim(ptr.To("hdd"), "9Gi")},
			quota(list("ssd.storageclass.storage.k8s.io/persistentvolumeclaims", "0"), nil), Unlimited,
		},
		"a sliver of CPU": {podOf(list("cpu", "1m"), nil), nil, quota(list("cpu", "7m"), nil), 7},
		"a demand of zero": {
			podOf(list("cpu", "0", "memory", "0"), nil), nil, quota(list("requests.cpu", "1"), list("requests.cpu", "1")), Unlimited,
		},
		"more than any int64 holds of anything": {podOf(list("memory", "1"), nil), nil, quota(list("requests.memory", "100E"), nil), Unlimited},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			room, by := QuotaRoom(Replica{tc.pod, tc.claims}, []*corev1.ResourceQuota{quota(nil, nil), tc.quota})
			if room != tc.want {
				t.Errorf("%d (%s), want %d", room, by, tc.want)
			}
			if (by == "") != (tc.want == Unlimited) {
				t.Errorf("said to be limited by %q", by)
			}
		})
	}
}

// Charging replicas one by one runs out exactly where QuotaRoom says, and leaves the quotas given to it alone.
func TestChargeAgreesWithRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := quota(corev1.ResourceList{
			"requests.cpu": *resource.NewMilliQuantity(rapid.Int64Range(0, 9000).Draw(t, "hard"), resource.DecimalSI),
			"pods":         resource.MustParse("20"),
		},
			corev1.ResourceList{"requests.cpu": *resource.NewMilliQuantity(rapid.Int64Range(0, 5000).Draw(t, "used"), resource.DecimalSI)})
		before := q.DeepCopy()
		pod := podOf(corev1.ResourceList{"cpu": *resource.NewMilliQuantity(rapid.Int64Range(1, 3000).Draw(t, "each"), resource.DecimalSI)}, nil)
		replica, quotas := Replica{Pod: pod}, []*corev1.ResourceQuota{q}
		room, _ := QuotaRoom(replica, quotas)
		taken := int64(0)
		for ; ; taken++ {
			if left, _ := QuotaRoom(replica, quotas); left == 0 {
				break
			}
			quotas = Charge(quotas, replica, 1)
		}
		if taken != room {
			t.Fatalf("%d taken one by one, room said %d", taken, room)
		}
		if q.Status.Used.Cpu().Cmp(*before.Status.Used.Cpu()) != 0 {
			t.Fatal("the quota itself was changed")
		}
	})
}

func TestQuotaSets(t *testing.T) {
	manager, worker := Replica{Pod: podOf(list("cpu", "2"), nil)}, Replica{Pod: podOf(list("cpu", "1"), nil)}
	for name, tc := range map[string]struct {
		parts  []QuotaPart
		quotas []*corev1.ResourceQuota
		want   int64
	}{
		"whole sets only": {
			[]QuotaPart{{manager, 1}, {worker, 3}}, []*corev1.ResourceQuota{quota(list("requests.cpu", "14"), nil)}, 2,
		},
		"two quotas": {
			[]QuotaPart{{manager, 1}, {worker, 3}}, []*corev1.ResourceQuota{quota(list("requests.cpu", "100"), nil),
				quota(list("pods", "15"), list("pods", "3"))}, 3,
		},
		"a part of no replicas":      {[]QuotaPart{{manager, 0}, {worker, 1}}, []*corev1.ResourceQuota{quota(list("requests.cpu", "3"), nil)}, 3},
		"no quota: as many as asked": {[]QuotaPart{{worker, 1}}, nil, 1 << 20},
	} {
		if got, by := QuotaSets(tc.parts, tc.quotas); got != tc.want {
			t.Errorf("%s: %d (%s), want %d", name, got, by, tc.want)
		}
	}
}
