package cronhpa

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// TestAKindIsAskedForAlone: while karmada-apiserver takes its time to say whether a kind may be listed, firings of other kinds go on; and
// of several that ask at once one begins the watch.
func TestAKindIsAskedForAlone(t *testing.T) {
	started := 0
	kinds := &targets{clock: clocktesting.NewFakePassiveClock(time.Unix(100000, 0)), kinds: map[schema.GroupVersionKind]watchedKind{},
		start: func(*metav1.PartialObjectMetadata) error { started++; return nil }}
	deployment := &metav1.PartialObjectMetadata{}
	deployment.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	asked := 0
	kinds.reader = interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		List: func(ctx context.Context, _ client.WithWatch, _ client.ObjectList, _ ...client.ListOption) error {
			if !kinds.mu.TryLock() {
				t.Fatal("everybody waits for the answer about one kind")
			}
			kinds.mu.Unlock()
			if asked++; asked > 1 {
				return nil
			}
			_, err := kinds.watch(ctx, deployment) // another CronHPA, meanwhile
			return err
		},
	})
	for range 2 {
		if watched, err := kinds.watch(t.Context(), deployment); err != nil || !watched {
			t.Errorf("watched %t, %v", watched, err)
		}
	}
	if started != 1 || asked != 2 {
		t.Errorf("the watch began %d times, want once; asked %d times, want 2", started, asked)
	}
}
