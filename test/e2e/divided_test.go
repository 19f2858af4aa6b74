package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/process"
)

const fleet = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: $NS, name: web}
spec:
  replicas: 9
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:v1
        resources: {requests: {cpu: 10m, memory: 16Mi}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web-cloneset}
spec:
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 1}
        - {targetCluster: {clusterNames: [member2]}, weight: 1}
        - {targetCluster: {clusterNames: [member3]}, weight: 1}
`

// divided is CloneSet web, nine replicas over three members.
type divided struct {
	planes
	Gomega
	t  *testing.T
	ns string
	// argosyctl is the program.
	argosyctl string
}

func newDivided(t *testing.T) divided {
	t.Helper()
	p := federation(t)
	programs, err := binaries.BuildOwn(t.Context(), binaries.Options{Root: p.lab.Root}, "argosyctl")
	if err != nil {
		t.Fatal(err)
	}
	d := divided{planes: p, Gomega: NewWithT(t), t: t, ns: newNamespace(t, p), argosyctl: programs["argosyctl"]}
	p.apply(t, d.ns, fleet)
	d.Eventually(d.books, "2m", "200ms").Should(Equal("template 9, binding 3+3+3 of 9, members 3+3+3, pods 3+3+3"))
	// Karmada may try to create what it has just created, and says so until it has seen it.
	d.Eventually(d.applied, "2m", "200ms").Should(Equal("True True True"))
	return d
}

// run runs argosyctl against the control plane.
func (d divided) run(args ...string) (string, error) {
	return process.Run(d.t.Context(), d.argosyctl, append(args, "-n", d.ns, "--kubeconfig", d.lab.Kubeconfigs[lab.KarmadaPlaneName])...)
}

func (d divided) key() client.ObjectKey { return client.ObjectKey{Namespace: d.ns, Name: "web"} }

func (d divided) binding() (*workv1alpha2.ResourceBinding, error) {
	binding := &workv1alpha2.ResourceBinding{}
	err := d.karmada.Get(d.t.Context(), client.ObjectKey{Namespace: d.ns, Name: "web-cloneset"}, binding)
	return binding, err
}

// books are the places that must tell the same.
func (d divided) books() (string, error) {
	var template kruisev1alpha1.CloneSet
	if err := d.karmada.Get(d.t.Context(), d.key(), &template); err != nil {
		return "", err
	}
	binding, err := d.binding()
	if err != nil {
		return "", err
	}
	booked := map[string]int32{}
	for _, c := range binding.Spec.Clusters {
		booked[c.Name] = c.Replicas
	}
	pods, err := d.pods()
	if err != nil {
		return "", err
	}
	var shares [3][]string
	for _, name := range d.lab.Members {
		var in kruisev1alpha1.CloneSet
		if err := d.members[name].Get(d.t.Context(), d.key(), &in); err != nil {
			return "", err
		}
		for i, number := range []int32{booked[name], *in.Spec.Replicas, int32(len(pods[name]))} {
			shares[i] = append(shares[i], fmt.Sprint(number))
		}
	}
	return fmt.Sprintf("template %d, binding %s of %d, members %s, pods %s", *template.Spec.Replicas,
		strings.Join(shares[0], "+"), binding.Spec.Replicas, strings.Join(shares[1], "+"), strings.Join(shares[2], "+")), nil
}

// pods that run, by member.
func (d divided) pods() (map[string][]string, error) {
	out := map[string][]string{}
	for name, member := range d.members {
		var pods corev1.PodList
		if err := member.List(d.t.Context(), &pods, client.InNamespace(d.ns)); err != nil {
			return nil, err
		}
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp == nil {
				out[name] = append(out[name], pod.Name)
			}
		}
		slices.Sort(out[name])
	}
	return out, nil
}

// applied is what the Works say of the last update of each member: "True True True". An update that met a newer object,
// which Karmada makes again by itself, does not count as refused.
func (d divided) applied() (string, error) {
	var out []string
	for _, name := range d.lab.Members {
		var work workv1alpha1.Work
		key := client.ObjectKey{Namespace: names.GenerateExecutionSpaceName(name), Name: names.GenerateWorkName("CloneSet", "web", d.ns)}
		if err := d.karmada.Get(d.t.Context(), key, &work); err != nil {
			return "", err
		}
		state := "Unknown"
		if c := meta.FindStatusCondition(work.Status.Conditions, workv1alpha1.WorkApplied); c != nil {
			state = string(c.Status) + ": " + c.Message
			if c.Status == metav1.ConditionTrue || strings.Contains(c.Message, "the object has been modified") {
				state = "True"
			}
		}
		out = append(out, state)
	}
	return strings.Join(out, " "), nil
}

// patch changes an object as kubectl patch does.
func (d divided) patch(plane client.Client, o client.Object, format string, args ...any) {
	d.t.Helper()
	if err := plane.Patch(d.t.Context(), o, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...))); err != nil && d.t.Context().Err() == nil {
		d.t.Errorf("patching %T %s: %v", o, o.GetName(), err)
	}
}

func (d divided) cloneSet() *kruisev1alpha1.CloneSet {
	return &kruisev1alpha1.CloneSet{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web"}}
}

// push changes the template over and over, as a release pipeline may, until stop is called, which tells how often.
func (d divided) push() (stop func() int) {
	ctx, cancel := context.WithCancel(d.t.Context())
	var group sync.WaitGroup
	pushes := 0
	group.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				pushes++
				d.patch(d.karmada, d.cloneSet(), `{"metadata":{"labels":{"release":"r%d"}}}`, pushes)
			}
		}
	})
	stop = func() int {
		cancel()
		group.Wait()
		return pushes
	}
	d.t.Cleanup(func() { stop() })
	return stop
}

// update is one state of a member's CloneSet.
type update struct {
	replicas     int32
	podsToDelete []string
}

// record keeps every state of the members' CloneSets from now on.
func (d divided) record() (states func() map[string][]update) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	var mu sync.Mutex
	var group sync.WaitGroup
	seen := map[string][]update{}
	for _, name := range d.lab.Members {
		watcher := d.watch(ctx, name)
		group.Go(func() {
			defer watcher.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case event, open := <-watcher.ResultChan():
					if !open {
						d.t.Errorf("the watch of %s ended", name)
						return
					}
					if in, ok := event.Object.(*kruisev1alpha1.CloneSet); ok {
						mu.Lock()
						seen[name] = append(seen[name], update{*in.Spec.Replicas, in.Spec.ScaleStrategy.PodsToDelete})
						mu.Unlock()
					}
				}
			}
		})
	}
	d.t.Cleanup(cancel)
	return func() map[string][]update {
		cancel()
		group.Wait()
		return seen
	}
}

func (d divided) watch(ctx context.Context, member string) watch.Interface {
	d.t.Helper()
	config, err := d.lab.Config(member)
	d.Expect(err).NotTo(HaveOccurred())
	scheme, err := demo.NewScheme()
	d.Expect(err).NotTo(HaveOccurred())
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	d.Expect(err).NotTo(HaveOccurred())
	watcher, err := c.Watch(ctx, &kruisev1alpha1.CloneSetList{}, client.InNamespace(d.ns))
	d.Expect(err).NotTo(HaveOccurred())
	return watcher
}

// arrivals tells how replicas changed, and whether names came with the change: "3 1+names". Names that come by themselves
// are told as such.
func arrivals(states []update) string {
	var out []string
	last := update{replicas: -1}
	for _, state := range states {
		names := len(state.podsToDelete) > 0 && len(last.podsToDelete) == 0
		switch {
		case state.replicas != last.replicas && names:
			out = append(out, fmt.Sprintf("%d+names", state.replicas))
		case state.replicas != last.replicas:
			out = append(out, fmt.Sprint(state.replicas))
		case names:
			out = append(out, "names")
		}
		last = state
	}
	return strings.Join(out, " ")
}

// complete is an order's phase with its condition Complete.
func (d divided) complete(order string) (string, error) {
	object := &v1alpha1.PodScaleIn{}
	err := d.karmada.Get(d.t.Context(), client.ObjectKey{Namespace: d.ns, Name: order}, object)
	c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.PodScaleInComplete)
	if c == nil {
		return string(object.Status.Phase), err
	}
	return strings.Join([]string{string(object.Status.Phase), c.Reason, c.Message}, " "), err
}
