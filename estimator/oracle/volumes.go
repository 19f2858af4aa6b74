package oracle

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// volumes are the claims made up for one run of copies that bring claims of their own.
type volumes struct {
	o    *Oracle
	made map[types.NamespacedName]*corev1.PersistentVolumeClaim
	// prepared is how many copies have their claims.
	prepared int
}

const (
	// claimPatience bounds how long a made-up claim may take to reach the scheduler, while which the turn is held. It is memory all the way,
	// unless the informer's watch broke just now.
	claimPatience = time.Second
	// claimsAhead is for how many copies claims are made at once, so that they have arrived when their copy is placed.
	claimsAhead = 16
)

var errClaimsLate = errors.New("the claims made up for it have not reached the scheduler")

func (o *Oracle) newVolumes() *volumes {
	return &volumes{o: o, made: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}}
}

// place places the i-th copy, after making the claims it needs and the member lacks.
func (s *volumes) place(ctx context.Context, q *inquiry, i int) (*placed, *refused, error) {
	if q.Each == nil {
		return s.o.place(ctx, q.view, copyOf(q.Pod, i))
	}
	for ; s.prepared <= i; s.prepared += claimsAhead {
		for copyNumber := range claimsAhead {
			_, claims := q.Each(s.prepared + copyNumber)
			s.make(claims)
		}
	}
	pod, claims := q.Each(i)
	pod, made := s.provide(copyOf(pod, i), claims)
	if len(made) == 0 {
		return s.o.place(ctx, q.view, pod)
	}
	if err := s.arrive(ctx, made); err != nil {
		return nil, nil, err
	}
	p, why, err := s.o.place(ctx, q.view, pod)
	if err != nil && ctx.Err() == nil {
		// With the claims there an error is the plugins' last word: the copy cannot be placed.
		return nil, &refused{message: err.Error()}, nil
	}
	return p, why, err
}

// arrive waits until the informer holds the claims: the plugins' caches are views of its store. What did not arrive leaves it unknown
// whether the copy can be placed.
func (s *volumes) arrive(ctx context.Context, made []*corev1.PersistentVolumeClaim) error {
	ctx, cancel := context.WithTimeoutCause(ctx, claimPatience, errClaimsLate)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, time.Millisecond, true, func(context.Context) (bool, error) {
		for _, claim := range made {
			held, err := s.o.volumes.PersistentVolumeClaims(claim.Namespace).Get(claim.Name)
			if err != nil || MadeUp(held) && held.Generation != claim.Generation {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// MadeUp tells a claim of a run from the member's own, and its number from those of other runs, by a generation below zero, which no API
// server gives.
func MadeUp(claim *corev1.PersistentVolumeClaim) bool { return claim.Generation < 0 }

// hasClaim: the member has a claim of its own by that name.
func (o *Oracle) hasClaim(claim *corev1.PersistentVolumeClaim) bool {
	held, err := o.volumes.PersistentVolumeClaims(claim.Namespace).Get(claim.Name)
	return err == nil && !MadeUp(held)
}

// make makes up the claims that do not exist. Those provisioned at once are left out, see provide.
func (s *volumes) make(claims []*corev1.PersistentVolumeClaim) {
	for _, claim := range claims {
		key := types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}
		if s.made[key] != nil || s.o.claimStore == nil || s.o.provisionsAtOnce(claim) != nil {
			continue
		}
		if s.o.hasClaim(claim) {
			continue
		}
		claim = claim.DeepCopy()
		s.o.claimsMade++
		claim.Generation = -s.o.claimsMade
		s.made[key] = claim
		s.o.claimStore.Add(claim)
	}
}

// provide gives a copy its claims, and tells which are made up. A volume that is provisioned at once is taken off the copy, as if it
// turned up where the copy goes; fitConfined sees to where it may.
func (s *volumes) provide(pod *corev1.Pod, claims []*corev1.PersistentVolumeClaim) (*corev1.Pod, []*corev1.PersistentVolumeClaim) {
	var made []*corev1.PersistentVolumeClaim
	for _, claim := range claims {
		if own := s.made[types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}]; own != nil {
			made = append(made, own)
		}
		if s.o.provisionsAtOnce(claim) != nil {
			dropVolume(pod, claim.Name)
		}
	}
	return pod, made
}

func dropVolume(pod *corev1.Pod, claim string) {
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
		return volume.PersistentVolumeClaim != nil && volume.PersistentVolumeClaim.ClaimName == claim
	})
}

// remove takes the made-up claims back. A run that makes claims of the same names does not take these for its own.
func (s *volumes) remove() {
	if len(s.made) > 0 {
		s.o.claimStore.Remove(slices.Collect(maps.Values(s.made))...)
	}
}
