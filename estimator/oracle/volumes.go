package oracle

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
)

// volumes are the claims made up for one run of copies that bring claims of their own.
type volumes struct {
	o    *Oracle
	made map[types.NamespacedName]*corev1.PersistentVolumeClaim
	// prepared is how many copies have their claims.
	prepared int
}

const (
	// claimPatience and claimLooks are how long a claim may take from the watch to the scheduler's plugins, and how often is looked meanwhile.
	// It is memory all the way; on a machine that gives this process no processor the time alone would say nothing.
	claimPatience, claimLooks = 200 * time.Millisecond, 30
	// claimsAhead is for how many copies claims are made at once, so that they have arrived when their copy is placed.
	claimsAhead = 16
)

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
	if !made {
		return s.o.place(ctx, q.view, pod)
	}
	// The lister sees a claim at once and the plugins' own caches a moment later; until then they answer with an error or a refusal.
	var p *placed
	var why *refused
	var err error
	patiently(ctx, func() bool {
		p, why, err = s.o.place(ctx, q.view, pod)
		return p != nil || why.final()
	})
	switch {
	case p != nil || why.final():
		return p, why, err
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx) // whether it would have arrived is not known
	case err != nil:
		// What is still an error after all patience is the plugins' last word: the copy cannot be placed.
		return nil, &refused{message: err.Error()}, nil
	}
	return nil, why, nil
}

// patiently looks until it is done, for claimPatience and claimLooks looks at least, or until the context ends.
func patiently(ctx context.Context, done func() bool) {
	patience, cancel := context.WithTimeout(ctx, claimPatience)
	defer cancel()
	looks := 0
	_ = wait.PollUntilContextCancel(ctx, time.Millisecond, true, func(context.Context) (bool, error) {
		looks++
		return done() || looks >= claimLooks && patience.Err() != nil, nil
	})
}

// aboutVolumes are the plugins that may refuse a pod only because a claim has not reached them yet.
var aboutVolumes = sets.New(names.VolumeBinding, names.VolumeRestrictions, names.VolumeZone, names.NodeVolumeLimits)

// final: a refusal that a claim's arrival would not change.
func (r *refused) final() bool {
	if r == nil || len(r.byPlugin) == 0 {
		return false
	}
	for plugin := range r.byPlugin {
		if aboutVolumes.Has(plugin) {
			return false
		}
	}
	return true
}

// make makes up the claims that do not exist. Those provisioned at once are left out, see provide.
func (s *volumes) make(claims []*corev1.PersistentVolumeClaim) {
	for _, claim := range claims {
		key := types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}
		if s.made[key] != nil || s.o.claimStore == nil || s.o.provisionsAtOnce(claim) != nil {
			continue
		}
		if _, err := s.o.volumes.PersistentVolumeClaims(claim.Namespace).Get(claim.Name); err == nil {
			continue
		}
		s.made[key] = claim
		s.o.claimStore.Add(claim)
	}
}

// provide gives a copy its claims, and tells whether some are made up. A volume that is provisioned at once is taken off the copy, as if it
// turned up where the copy goes; fitConfined sees to where it may.
func (s *volumes) provide(pod *corev1.Pod, claims []*corev1.PersistentVolumeClaim) (*corev1.Pod, bool) {
	made := false
	for _, claim := range claims {
		made = made || s.made[types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}] != nil
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

// remove takes the made-up claims back, and waits until they are gone: the next run makes claims of the same names, and must not take these
// for real ones.
func (s *volumes) remove() {
	if len(s.made) == 0 {
		return
	}
	s.o.claimStore.Remove(slices.Collect(maps.Values(s.made))...)
	// Patience runs out only if the informer's watch broke just now; its relist then brings the member's own claims.
	patiently(context.Background(), func() bool {
		for _, claim := range s.made {
			if _, err := s.o.volumes.PersistentVolumeClaims(claim.Namespace).Get(claim.Name); err == nil {
				return false
			}
		}
		return true
	})
}
