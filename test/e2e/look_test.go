package e2e

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// How stories look at what may be late, or silent for a moment, without that being the product's doing.

// answered is a look for Consistently: that nobody answers for a moment is not yet a change of what is looked at.
func answered[T any](t *testing.T, look func() (T, error)) func() (T, error) {
	return func() (T, error) {
		return machine.Answered(t.Context(), func(context.Context) (T, error) { return look() })
	}
}

// follow tells what is in a member's namespace and how it changes, until the context ends; a watch that breaks off goes on where it was.
func follow(t *testing.T, ctx context.Context, p planes, member, namespace string, list client.ObjectList) <-chan watch.Event {
	t.Helper()
	g := NewWithT(t)
	config, err := p.lab.Config(member)
	g.Expect(err).NotTo(HaveOccurred())
	scheme, err := demo.NewScheme()
	g.Expect(err).NotTo(HaveOccurred())
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	kind := list.DeepCopyObject().(client.ObjectList)
	changes, err := toolswatch.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, kind, &client.ListOptions{Namespace: namespace, Raw: &options})
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	out := make(chan watch.Event)
	send := func(event watch.Event) {
		select {
		case out <- event:
		case <-ctx.Done():
		}
	}
	go func() {
		defer close(out)
		_ = meta.EachListItem(list, func(object runtime.Object) error {
			send(watch.Event{Type: watch.Added, Object: object})
			return nil
		})
		for event := range changes.ResultChan() {
			send(event)
		}
	}()
	return out
}
