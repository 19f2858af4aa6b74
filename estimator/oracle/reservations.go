package oracle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// reservations gathers who takes room before the question's pod: the member's pending pods of the same or a higher priority, in the
// scheduler's order, and then what is promised to others. Pods for another scheduler take room like any: the first profile stands in for
// it. Pods nominated to a node hold that node's room and are returned apart.
func (o *Oracle) reservations(q Question) ([]Reservation, map[string][]fwk.PodInfo) {
	objects, _ := o.pods.ByIndex(PendingIndex, PendingIndex)
	var pending []*corev1.Pod
	var nominated map[string][]fwk.PodInfo
	for _, object := range objects {
		pod := object.(*corev1.Pod)
		if pod.DeletionTimestamp != nil || priorityOf(pod) < priorityOf(q.Pod) || o.foreseen.has(pod) {
			continue
		}
		if node := pod.Status.NominatedNodeName; node != "" {
			if info, err := framework.NewPodInfo(pod); err == nil {
				if nominated == nil {
					nominated = map[string][]fwk.PodInfo{}
				}
				nominated[node] = append(nominated[node], info)
			}
			continue
		}
		pending = append(pending, pod)
	}
	slices.SortFunc(pending, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(priorityOf(b), priorityOf(a)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time))
	})
	var reservations []Reservation
	for _, pod := range pending {
		reservations = append(reservations, Reservation{Pod: pod, Count: 1, For: "pending pod " + klog.KObj(pod).String()})
	}
	for _, reservation := range q.Ahead {
		if reservation.Count > 0 {
			reservations = append(reservations, reservation)
		}
	}
	return o.hopeless(reservations), nominated
}

// hopeless drops the reservations for which there is no room anyway: clusters carry pods that stay pending for days, and they take nothing
// from anyone. Found by closed form on the last snapshot, which remembers the nodes; a reservation that is not surely hopeless stays and is
// placed.
func (o *Oracle) hopeless(reservations []Reservation) []Reservation {
	var kept []Reservation
	verdicts := map[string]bool{}
	for _, reservation := range reservations {
		v, _ := o.view(reservation.Pod)
		if v.gated(context.Background(), reservation.Pod) != nil {
			continue
		}
		pod, err := newCountedPod(v.relevant(reservation.Pod))
		if err != nil {
			continue
		}
		key, err := v.localKey(pod)
		if err != nil {
			kept = append(kept, reservation)
			continue
		}
		hopeless, asked := verdicts[key]
		if !asked {
			hopeless = o.noRoom(v, pod)
			verdicts[key] = hopeless
		}
		if !hopeless {
			kept = append(kept, reservation)
		}
	}
	return kept
}

// noRoom: the node-local plugins alone turn the pod away everywhere. The other plugins can only turn away more.
func (o *Oracle) noRoom(v *view, pod *countedPod) bool {
	if v.orderedWhy != "" {
		return false
	}
	ctx := context.Background()
	if err := o.refreshIfFree(ctx); err != nil {
		return false
	}
	o.guard.RLock()
	defer o.guard.RUnlock()
	c := o.newClosedForm(v, pod, &o.shared)
	if err := c.local(ctx); err != nil {
		return false
	}
	for _, room := range c.caps {
		if room > 0 {
			return false
		}
	}
	return true
}

// reserve places what is ahead, and returns what its time did not suffice for.
func (p *pass) reserve(ctx context.Context, reservations []Reservation, budget time.Duration) (left []Reservation, err error) {
	ahead := &reservationsLine{o: p.o, reservations: reservations, refused: map[string]bool{}}
	timeUp, err := p.place(ctx, ahead, p.o.until(budget))
	if timeUp {
		left = ahead.left()
	}
	return left, err
}

// kindOf names the pods that are alike to the scheduler: those of one controller and revision. A workload may have hundreds of pending
// pods, refused for one and the same reason; trying each would use up the time of every question. Pods with claims differ from each other
// and have no kind.
func kindOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return ""
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil || volume.Ephemeral != nil {
			return ""
		}
	}
	return fmt.Sprintf("%s|%d|%s|%s", owner.UID, priorityOf(pod), pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey],
		pod.Labels[appsv1.ControllerRevisionHashLabelKey])
}
