package mirror

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
)

func claim(name string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
}

// TestClaimsOfCopies: claims made up for copies come and go beside the member's own, also where the watch of those breaks in between.
func TestClaimsOfCopies(t *testing.T) {
	client := fake.NewClientset(claim("real"))
	watches := make(chan *watch.RaceFreeFakeWatcher, 10)
	client.PrependWatchReactor("persistentvolumeclaims", func(clienttesting.Action) (bool, watch.Interface, error) {
		w := watch.NewRaceFreeFake()
		watches <- w
		return true, w, nil
	})
	lists := make(chan struct{}, 10)
	client.PrependReactor("list", "persistentvolumeclaims", func(clienttesting.Action) (bool, runtime.Object, error) {
		lists <- struct{}{}
		return false, nil, nil
	})
	source := newClaims(client)
	informer := source.informer()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); informer.RunWithContext(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("not synced")
	}
	holds := func(want ...string) {
		t.Helper()
		var keys []string
		err := wait.PollUntilContextTimeout(ctx, time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			keys = informer.GetStore().ListKeys()
			for _, name := range want {
				if _, has, _ := informer.GetStore().GetByKey("shop/" + name); !has {
					return false, nil
				}
			}
			return len(keys) == len(want), nil
		})
		if err != nil {
			t.Fatalf("%v: holds %v, want %v", err, keys, want)
		}
	}
	holds("real")
	source.Add(claim("data-web-0"), claim("data-web-1"))
	holds("real", "data-web-0", "data-web-1")

	// The watch ends in an error, as with a version that is too old, and the reflector lists anew.
	first := <-watches
	<-lists
	first.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired})
	<-lists
	<-watches
	holds("real", "data-web-0", "data-web-1")

	source.Remove(claim("data-web-0"))
	holds("real", "data-web-1")
	source.Remove(claim("data-web-1"))
	holds("real")
}
