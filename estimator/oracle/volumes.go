package oracle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// volumes are the claims made up for one run of copies that bring claims of their own.
type volumes struct {
	o    *Oracle
	made []*corev1.PersistentVolumeClaim
}

// claimPatience is how long a claim may take from the watch to the scheduler's plugins; it is memory all the way.
const claimPatience = 50 * time.Millisecond

func (o *Oracle) newVolumes() *volumes { return &volumes{o: o} }

// place places the i-th copy, after making the claims it needs and the member lacks.
func (s *volumes) place(ctx context.Context, q *inquiry, i int) (*placed, *refused, error) {
	if q.Each == nil {
		return s.o.place(ctx, q.view, copyOf(q.Pod, i))
	}
	pod, claims := q.Each(i)
	pod, made := s.provide(copyOf(pod, i), claims)
	if !made {
		return s.o.place(ctx, q.view, pod)
	}
	// The lister sees a claim at once and the plugins' own caches a moment later; until then they answer with an error or a refusal.
	var p *placed
	var why *refused
	var err error
	patience, cancel := context.WithTimeout(ctx, claimPatience)
	defer cancel()
	waited := wait.PollUntilContextCancel(patience, time.Millisecond, true, func(context.Context) (bool, error) {
		p, why, err = s.o.place(ctx, q.view, pod)
		return p != nil, nil
	})
	if waited != nil && p == nil && err != nil && ctx.Err() == nil {
		// What is still an error after all patience is the plugins' last word: the copy cannot be placed.
		return nil, &refused{message: err.Error()}, nil
	}
	return p, why, err
}

// provide makes up the claims that do not exist. A claim of a class that provisions at once would be bound before its pod is scheduled, to a volume that
// nobody knows yet: that volume is taken off the copy, as if it turned up wherever the copy goes.
func (s *volumes) provide(pod *corev1.Pod, claims []*corev1.PersistentVolumeClaim) (*corev1.Pod, bool) {
	var fresh []*corev1.PersistentVolumeClaim
	for _, claim := range claims {
		if _, err := s.o.volumes.PersistentVolumeClaims(claim.Namespace).Get(claim.Name); err == nil {
			continue
		}
		if s.provisionsAtOnce(claim) {
			dropVolume(pod, claim.Name)
			continue
		}
		if s.o.claimStore != nil {
			fresh = append(fresh, claim)
		}
	}
	if len(fresh) == 0 {
		return pod, false
	}
	s.o.claimStore.Add(fresh...)
	s.made = append(s.made, fresh...)
	return pod, true
}

func (s *volumes) provisionsAtOnce(claim *corev1.PersistentVolumeClaim) bool {
	if claim.Spec.StorageClassName == nil {
		return false
	}
	class, err := s.o.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || class.Provisioner == "kubernetes.io/no-provisioner" {
		return false
	}
	return class.VolumeBindingMode == nil || *class.VolumeBindingMode == storagev1.VolumeBindingImmediate
}

func dropVolume(pod *corev1.Pod, claim string) {
	var kept []corev1.Volume
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil || volume.PersistentVolumeClaim.ClaimName != claim {
			kept = append(kept, volume)
		}
	}
	pod.Spec.Volumes = kept
}

func (s *volumes) remove() {
	if len(s.made) > 0 {
		s.o.claimStore.Remove(s.made...)
	}
}
