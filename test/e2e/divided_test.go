package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
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
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 9, binding 3+3+3 of 9, members 3+3+3, pods 3+3+3"))
	d.Eventually(d.applied, slow, "200ms").Should(Equal("True True True"))
	d.Eventually(func() (bool, error) {
		binding, err := d.binding()
		return binding.Status.SchedulerObservedGeneration == binding.Generation && binding.Status.LastScheduledTime != nil, err
	}, slow, "200ms").Should(BeTrue(), "the scheduler has said that it is done")
	return d
}

// run runs argosyctl against the control plane.
func (d divided) run(args ...string) (string, error) {
	return process.Run(d.t.Context(), d.argosyctl, append(args, "-n", d.ns, "--kubeconfig", patient)...)
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
		replicas := "none"
		switch err := d.members[name].Get(d.t.Context(), d.key(), &in); {
		case err == nil:
			replicas = fmt.Sprint(*in.Spec.Replicas)
		case !apierrors.IsNotFound(err):
			return "", err
		}
		for i, number := range []string{fmt.Sprint(booked[name]), replicas, fmt.Sprint(len(pods[name]))} {
			shares[i] = append(shares[i], number)
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

// passing are words of what Karmada does again by itself: an update that met a newer object, or came while the member or a
// webhook did not answer in time, and the creation of what its informer has not shown it yet.
var passing = []string{
	"the object has been modified", "already exists",
	"context deadline exceeded", "Client.Timeout exceeded", "request timed out", "did not complete within",
}

// applied is what the Works say of the last update of each member: "True True True". An update that Karmada makes again by itself
// does not count as refused.
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
			if c.Status == metav1.ConditionTrue ||
				slices.ContainsFunc(passing, func(words string) bool { return strings.Contains(c.Message, words) }) {
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
	if err := plane.Patch(d.t.Context(), o, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...))); err != nil &&
		d.t.Context().Err() == nil {
		d.t.Errorf("patching %T %s: %v", o, o.GetName(), err)
	}
}

func (d divided) cloneSet() *kruisev1alpha1.CloneSet {
	return &kruisev1alpha1.CloneSet{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web"}}
}

// push changes the template over and over, as a release pipeline may, until stop is called, after the given number of times at least.
func (d divided) push() (stop func(least int)) {
	ctx, cancel := context.WithCancel(d.t.Context())
	var group sync.WaitGroup
	var pushes atomic.Int64
	group.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				d.patch(d.karmada, d.cloneSet(), `{"metadata":{"labels":{"release":"r%d"}}}`, pushes.Add(1))
			}
		}
	})
	d.t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	return func(least int) {
		d.Eventually(pushes.Load, slow, "100ms").Should(BeNumerically(">=", least), "fewer pushes test nothing")
		cancel()
		group.Wait()
	}
}

// update is one state of a member's CloneSet.
type update struct {
	replicas     int32
	podsToDelete []string
	image        string
}

// record keeps every state of the members' CloneSets from now on, until each has the given image: what came before has been seen then.
func (d divided) record() (untilImage func(suffix string) map[string][]update) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	var mu sync.Mutex
	var group sync.WaitGroup
	seen := map[string][]update{}
	for _, name := range d.lab.Members {
		events := follow(d.t, ctx, d.planes, name, d.ns, &kruisev1alpha1.CloneSetList{})
		group.Go(func() {
			for event := range events {
				if in, ok := event.Object.(*kruisev1alpha1.CloneSet); ok {
					mu.Lock()
					seen[name] = append(seen[name], update{
						*in.Spec.Replicas, in.Spec.ScaleStrategy.PodsToDelete, in.Spec.Template.Spec.Containers[0].Image,
					})
					mu.Unlock()
				}
			}
		})
	}
	d.t.Cleanup(cancel)
	return func(suffix string) map[string][]update {
		for _, name := range d.lab.Members {
			d.Eventually(func() string {
				mu.Lock()
				defer mu.Unlock()
				if len(seen[name]) == 0 {
					return "nothing"
				}
				return seen[name][len(seen[name])-1].image
			}, slow, "200ms").Should(HaveSuffix(suffix), name)
		}
		cancel()
		group.Wait()
		return seen
	}
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
