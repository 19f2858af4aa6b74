package template

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
)

// Replica is the pod with one ordinal of a workload whose replicas have claims of their own, and those claims.
func Replica(pod *corev1.Pod, templates []corev1.PersistentVolumeClaim, ordinal int) (*corev1.Pod, []*corev1.PersistentVolumeClaim) {
	pod = pod.DeepCopy()
	var claims []*corev1.PersistentVolumeClaim
	owner := pod.Name
	if controller := metav1.GetControllerOf(pod); controller != nil {
		owner = controller.Name
	}
	for i := range templates {
		claim := templates[i].DeepCopy()
		volume := claim.Name
		claim.Namespace, claim.Name = pod.Namespace, fmt.Sprintf("%s-%s-%d", volume, owner, ordinal)
		claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
		claims = append(claims, claim)
		pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == volume })
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}})
	}
	return pod, claims
}

// Ordinals numbers the replicas of a StatefulSet, Kubernetes' or OpenKruise's. It matters: a claim that an earlier replica of the number
// left behind binds the next one to that claim's volume.
type Ordinals struct {
	start    int
	reserved sets.Set[int]
	ranges   [][2]int
}

func ordinalsOf(start int, reserved []intstr.IntOrString) Ordinals {
	o := Ordinals{start: start, reserved: sets.New[int]()}
	for _, one := range reserved {
		from, to, isRange := strings.Cut(one.String(), "-")
		first, err := strconv.Atoi(strings.TrimSpace(from))
		if err != nil {
			continue // OpenKruise's admission refuses it
		}
		if !isRange {
			o.reserved.Insert(first)
		} else if last, err := strconv.Atoi(strings.TrimSpace(to)); err == nil {
			o.ranges = append(o.ranges, [2]int{first, last})
		}
	}
	return o
}

// Free returns the numbers of the replicas to come, one after another: those that no live pod has and that are not reserved.
func (o Ordinals) Free(live []*corev1.Pod) func(i int) int {
	taken := sets.New[int]()
	for _, pod := range live {
		if number, err := strconv.Atoi(pod.Name[strings.LastIndex(pod.Name, "-")+1:]); err == nil {
			taken.Insert(number)
		}
	}
	var free []int
	next := o.start
	return func(i int) int {
		for len(free) <= i {
			if last, inside := o.inRange(next); inside {
				next = last + 1
				continue
			}
			if !taken.Has(next) && !o.reserved.Has(next) {
				free = append(free, next)
			}
			next++
		}
		return free[i]
	}
}

func (o Ordinals) inRange(number int) (int, bool) {
	for _, r := range o.ranges {
		if r[0] <= number && number <= r[1] {
			return r[1], true
		}
	}
	return 0, false
}
