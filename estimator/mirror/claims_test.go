package mirror

import (
	"context"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
)

func claim(name string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
}

// claimsWorld is an informer of claims over a member with one claim, "real", whose watches the test holds in its hands.
type claimsWorld struct {
	*testing.T
	source   *claims
	informer cache.SharedIndexInformer
	watches  chan *watch.RaceFreeFakeWatcher
	lists    chan struct{}
	// connecting is called before each watch begins, after its list.
	connecting func()
}

func newClaimsWorld(t *testing.T) *claimsWorld {
	client := fake.NewClientset(claim("real"))
	w := &claimsWorld{T: t, watches: make(chan *watch.RaceFreeFakeWatcher, 10), lists: make(chan struct{}, 10), connecting: func() {}}
	client.PrependWatchReactor("persistentvolumeclaims", func(clienttesting.Action) (bool, watch.Interface, error) {
		watcher := watch.NewRaceFreeFake()
		w.connecting()
		w.watches <- watcher
		return true, watcher, nil
	})
	client.PrependReactor("list", "persistentvolumeclaims", func(clienttesting.Action) (bool, runtime.Object, error) {
		w.lists <- struct{}{}
		return false, nil, nil
	})
	w.source = newClaims(client)
	w.informer = w.source.informer()
	return w
}

func (w *claimsWorld) run() {
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.informer.RunWithContext(ctx) }()
	w.Cleanup(func() { cancel(); <-ended })
	if !cache.WaitForCacheSync(ctx.Done(), w.informer.HasSynced) {
		w.Fatal("not synced")
	}
}

// breaks ends a watch in an error, as with a version that is too old: the reflector lists anew.
func (w *claimsWorld) breaks(watcher *watch.RaceFreeFakeWatcher) {
	<-w.lists
	watcher.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired})
	<-w.lists
}

func (w *claimsWorld) holds(want ...string) {
	w.Helper()
	var keys []string
	err := wait.PollUntilContextTimeout(w.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		keys = w.informer.GetStore().ListKeys()
		for _, name := range want {
			if _, has, _ := w.informer.GetStore().GetByKey("shop/" + name); !has {
				return false, nil
			}
		}
		return len(keys) == len(want), nil
	})
	if err != nil {
		w.Fatalf("%v: holds %v, want %v", err, keys, want)
	}
}

// TestClaimsOfCopies: claims made up for copies come and go beside the member's own, also where the watch of those breaks in between.
func TestClaimsOfCopies(t *testing.T) {
	w := newClaimsWorld(t)
	w.run()
	w.holds("real")
	w.source.Add(claim("data-web-0"), claim("data-web-1"))
	w.holds("real", "data-web-0", "data-web-1")

	w.breaks(<-w.watches)
	<-w.watches
	w.holds("real", "data-web-0", "data-web-1")

	w.source.Remove(claim("data-web-0"))
	w.holds("real", "data-web-1")
	w.source.Remove(claim("data-web-1"))
	w.holds("real")
}

// TestClaimsWhileNobodyWatches: what comes and goes between a list and its watch, or between two watches, reaches the informer with the
// next one.
func TestClaimsWhileNobodyWatches(t *testing.T) {
	w := newClaimsWorld(t)
	var once sync.Once
	w.source.Add(claim("early"))
	w.connecting = func() {
		once.Do(func() {
			w.source.Remove(claim("early"))
			w.source.Add(claim("between"))
		})
	}
	w.run()
	w.holds("real", "between")

	var again sync.Once
	w.connecting = func() {
		again.Do(func() {
			w.source.Remove(claim("between"))
			w.source.Add(claim("late"))
		})
	}
	w.breaks(<-w.watches)
	w.holds("real", "late")
}

// TestTheMembersClaimWins over one that was made up under its name: it is not taken away with that.
func TestTheMembersClaimWins(t *testing.T) {
	w := newClaimsWorld(t)
	w.run()
	w.source.Add(claim("real"), claim("data-web-0"))
	w.holds("real", "data-web-0")

	watcher := <-w.watches
	own := claim("data-web-0")
	own.UID = "own"
	watcher.Add(own)
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		held, _, err := w.informer.GetStore().GetByKey("shop/data-web-0")
		return held.(*corev1.PersistentVolumeClaim).UID == "own", err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.source.Remove(claim("real"), claim("data-web-0"))
	w.source.Add(claim("last"))
	w.holds("real", "data-web-0", "last")

	watcher.Delete(own)
	w.holds("real", "last")
}

// TestHasClaim: what a question that is just being answered has made up, another does not take for the member's.
func TestHasClaim(t *testing.T) {
	w := newClaimsWorld(t)
	w.run()
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	factory.InformerFor(&corev1.PersistentVolumeClaim{},
		func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer { return w.informer })
	m := &Member{Informers: factory}
	made := claim("data-web-0")
	made.Generation = -1
	w.source.Add(made)
	w.holds("real", "data-web-0")
	if !m.HasClaim("shop", "real") || m.HasClaim("shop", "data-web-0") {
		t.Errorf("has real %v, want true; has the one made up %v, want false", m.HasClaim("shop", "real"), m.HasClaim("shop", "data-web-0"))
	}
}
