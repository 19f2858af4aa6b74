package component

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/member/component"
)

// writers are who wrote what for which Component, and what was wrong with it.
type writers struct {
	mu    sync.Mutex
	wrote map[string]int
	wrong []string
}

// watched sees every object that manager id applies: the Component that it is for must be its own at that moment.
func (w *world) watched(id string, seen *writers) *interceptor.Funcs {
	return &interceptor.Funcs{
		Apply: func(ctx context.Context, under client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if o, ok := object.(client.Object); ok && o.GetLabels()[v1alpha1.LabelComponent] != "" {
				name := o.GetLabels()[v1alpha1.LabelComponent]
				live := w.five(name)
				err := api.Get(ctx, client.ObjectKeyFromObject(live), live)
				seen.mu.Lock()
				seen.wrote[id+" "+name]++
				if err == nil && live.Status.ControllerID != id {
					seen.wrong = append(seen.wrong, fmt.Sprintf("%s wrote %s of %s, which is %s's", id, o.GetName(), name, live.Status.ControllerID))
				}
				seen.mu.Unlock()
			}
			return under.Apply(ctx, object, options...)
		},
	}
}

// leadAs starts the controllers of a manager with a controllerID and a Lease of its own.
func (w *world) leadAs(id string, seen *writers) (kill func()) {
	w.t.Helper()
	return fixture.Leader{
		Config: config, Scheme: scheme, Namespace: w.namespace, Requests: w.watched(id, seen), Election: component.LeaseName("managers", id),
		Add: func(ctx context.Context, mgr ctrl.Manager) error {
			return component.AddToManager(ctx, mgr, component.Options{
				Concurrency: 4, Namespace: w.namespace, Metrics: prometheus.NewRegistry(), ID: id,
				Election: &component.Election{Namespace: w.namespace, Name: "managers", Length: fixture.LeaseLength},
			})
		},
	}.Start(w.t)
}

// wants labels a Component for a manager; default takes the label off.
func (w *world) wants(name, id string) {
	w.t.Helper()
	change(w, w.five(name), func(c *v1alpha1.Component) {
		delete(c.Labels, v1alpha1.LabelControllerID)
		if id != component.DefaultControllerID {
			c.Labels[v1alpha1.LabelControllerID] = id
		}
	})
}

// owned waits until each Component is the manager's.
func (w *world) owned(id string, names ...string) {
	w.t.Helper()
	w.Eventually(func() []string {
		var out []string
		for _, name := range names {
			c := w.five(name)
			w.get(c)
			if c.Status.ControllerID != id {
				out = append(out, name+" is "+c.Status.ControllerID+"'s")
			}
		}
		return out
	}).Should(gomega.BeEmpty())
}

// TestSecondManager: a second manager takes three Components, then all; nobody's pods are touched by that, each is kept by its owner alone,
// a mistyped name stops nobody, and those of a manager that is gone go to whoever is wanted.
func TestSecondManager(t *testing.T) {
	w := newWorld(t)
	seen := &writers{wrote: map[string]int{}}
	killFirst := w.leadAs(component.DefaultControllerID, seen)
	var names []string
	generations := map[string]int64{}
	for i := range 6 {
		name := fmt.Sprintf("demo-%d", i)
		names = append(names, name)
		w.create(w.five(name))
	}
	w.owned(component.DefaultControllerID, names...)
	for _, name := range names {
		generations[name] = w.deployment(name).Generation
	}

	killSecond := w.leadAs("v2", seen)
	for _, name := range names[:3] {
		w.wants(name, "v2")
	}
	w.owned("v2", names[:3]...)
	w.owned(component.DefaultControllerID, names[3:]...)
	w.setImage(names[0], "python-demo:v2")
	w.setImage(names[5], "python-demo:v2")
	w.runsImage(names[0], "python-demo:v2")
	w.runsImage(names[5], "python-demo:v2")
	for _, name := range names[1:5] {
		w.Expect(w.deployment(name).Generation).To(gomega.Equal(generations[name]), "the pods of "+name)
	}

	// Nobody of that name asks: the service goes on being kept.
	w.wants(names[4], "mistyped")
	w.setImage(names[4], "python-demo:kept")
	w.runsImage(names[4], "python-demo:kept")
	w.owned(component.DefaultControllerID, names[4])

	for _, name := range names[3:] {
		w.wants(name, "v2")
	}
	w.owned("v2", names...)
	killFirst()
	w.setImage(names[5], "python-demo:v3")
	w.runsImage(names[5], "python-demo:v3")

	// The second is gone, and did not hand over.
	killSecond()
	for _, name := range names[:2] {
		w.wants(name, component.DefaultControllerID)
	}
	w.leadAs(component.DefaultControllerID, seen)
	w.owned(component.DefaultControllerID, names[:2]...)
	w.setImage(names[0], "python-demo:v4")
	w.runsImage(names[0], "python-demo:v4")
	w.owned("v2", names[2:]...)

	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.wrong) > 0 {
		t.Errorf("not the owner: %v", seen.wrong)
	}
	for _, want := range []string{"default demo-5", "v2 demo-0", "v2 demo-5", "default demo-0"} {
		if seen.wrote[want] == 0 {
			t.Errorf("%s: nothing was written, so that nothing was seen; there is %v", want, seen.wrote)
		}
	}
}

func (w *world) setImage(name, image string) {
	w.t.Helper()
	change(w, w.five(name), func(c *v1alpha1.Component) { c.Spec.Image = image })
}
