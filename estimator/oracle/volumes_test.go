package oracle

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

func claimOf(generation int64) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data-web-0", Generation: generation}}
}

// TestClaimsArrive: a copy is placed when the informer holds the claim made up for it, the member's own instead of it, and not one of a run
// before. What has not arrived is unknown, never refused.
func TestClaimsArrive(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		held    *corev1.PersistentVolumeClaim
		arrived bool
	}{
		"none":                {nil, false},
		"the one made up":     {claimOf(-7), true},
		"one of a run before": {claimOf(-6), false},
		"the member's own":    {claimOf(0), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
			if tc.held != nil {
				if err := store.Add(tc.held); err != nil {
					t.Fatal(err)
				}
			}
			s := (&Oracle{volumes: corelisters.NewPersistentVolumeClaimLister(store)}).newVolumes()
			ended := errors.New("the time for an answer is up")
			ctx, cancel := context.WithCancelCause(t.Context())
			if !tc.arrived {
				cancel(ended)
			}
			err := s.arrive(ctx, []*corev1.PersistentVolumeClaim{claimOf(-7)})
			if tc.arrived && err != nil || !tc.arrived && !errors.Is(err, ended) {
				t.Errorf("arrived with %v", err)
			}
			if has, want := s.o.hasClaim(claimOf(0)), tc.held != nil && tc.held.Generation == 0; has != want {
				t.Errorf("the member has it: %v, want %v", has, want)
			}
			cancel(nil)
		})
	}
}
