package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
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
	d.Eventually(d.books, "60s", "200ms").Should(Equal("template 9, binding 3+3+3 of 9, members 3+3+3, pods 3+3+3"))
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
	if err := plane.Patch(d.t.Context(), o, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...))); err != nil {
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
	return func() int {
		cancel()
		group.Wait()
		return pushes
	}
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

// TestScaleInUnderPushes names three pods in two members with argosyctl while the template is pushed ten times a second. It
// looks at every state a member goes through: names and lowered replicas come in one update, the names come once, no
// update of a member is refused, and the scheduler does not run.
func TestScaleInUnderPushes(t *testing.T) {
	d := newDivided(t)
	before, err := d.pods()
	d.Expect(err).NotTo(HaveOccurred())
	scheduled, err := d.binding()
	d.Expect(err).NotTo(HaveOccurred())
	states, stop := d.record(), d.push()

	start := clock.RealClock{}.Now()
	out, err := d.run("scalein", "web", "--pod", "member1/"+before["member1"][0], "--pod", "member1/"+before["member1"][2], "--pod", before["member2"][1], "--reason", "bad disks")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Expect(out).To(ContainSubstring("Succeeded: member1 3 -> 1"))
	t.Logf("done in %.1f s; argosyctl said:\n%s", clock.RealClock{}.Since(start).Seconds(), out)
	// The finished names have left the members' lists by now: pushes that go on must not bring them back.
	d.Consistently(d.applied, "5s", "100ms").Should(Equal("True True True"))
	pushes := stop()

	d.Eventually(d.books, "20s", "200ms").Should(Equal("template 6, binding 1+2+3 of 6, members 1+2+3, pods 1+2+3"))
	d.Expect(d.pods()).To(Equal(map[string][]string{
		"member1": {before["member1"][1]}, "member2": {before["member2"][0], before["member2"][2]}, "member3": before["member3"],
	}))
	after, err := d.binding()
	d.Expect(err).NotTo(HaveOccurred())
	d.Expect(after.Status.LastScheduledTime).To(Equal(scheduled.Status.LastScheduledTime), "the scheduler ran")
	d.Expect(after.Annotations).NotTo(HaveKey(v1alpha1.ScaleInLoweredAnnotation))
	if pushes < 20 {
		t.Errorf("%d pushes: the test no longer tests", pushes)
	}
	for member, want := range map[string]string{"member1": "3 1+names", "member2": "3 2+names", "member3": "3"} {
		d.Expect(arrivals(states()[member])).To(Equal(want), member)
	}

	// An image still reaches every member.
	d.patch(d.karmada, d.cloneSet(), `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:v2","resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}}}`)
	for _, member := range d.members {
		d.Eventually(func() (string, error) {
			in := d.cloneSet()
			err := member.Get(t.Context(), d.key(), in)
			return in.Spec.Template.Spec.Containers[0].Image, err
		}, "30s", "200ms").Should(HaveSuffix(":v2"))
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

// TestAMembersLastPods: a member that gives up all its pods stays in the binding with 0 replicas and an empty CloneSet, until
// Karmada's scheduler has a reason to divide again.
func TestAMembersLastPods(t *testing.T) {
	d := newDivided(t)
	before, err := d.pods()
	d.Expect(err).NotTo(HaveOccurred())
	args := []string{"scalein", "web"}
	for _, pod := range before["member3"] {
		args = append(args, "--pod", "member3/"+pod)
	}
	out, err := d.run(args...)
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Expect(d.books()).To(Equal("template 6, binding 3+3+0 of 6, members 3+3+0, pods 3+3+0"))
	d.Expect(d.pods()).To(Equal(map[string][]string{"member1": before["member1"], "member2": before["member2"]}))
	stop := d.push()
	d.Consistently(d.books, "3s", "200ms").Should(Equal("template 6, binding 3+3+0 of 6, members 3+3+0, pods 3+3+0"))
	stop()
	d.patch(d.karmada, d.cloneSet(), `{"spec":{"replicas":12}}`)
	d.Eventually(d.books, "60s", "200ms").Should(Equal("template 12, binding 4+4+4 of 12, members 4+4+4, pods 4+4+4"))
}

// TestAPodVanishesOnTheWay: member1's Work holds the names, but is not dispatched yet, when one of the pods goes by itself.
// Pushed as it was, OpenKruise would refuse the member's update for the name that is gone, images and all.
func TestAPodVanishesOnTheWay(t *testing.T) {
	d := newDivided(t)
	before, err := d.pods()
	d.Expect(err).NotTo(HaveOccurred())
	policy := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web-cloneset"}}
	d.patch(d.karmada, policy, `{"spec":{"suspension":{"dispatchingOnClusters":{"clusterNames":["member1"]}}}}`)
	d.Eventually(func() (bool, error) {
		binding, err := d.binding()
		return binding.Spec.Suspension != nil && binding.Spec.Suspension.DispatchingOnClusters != nil, err
	}, "30s", "200ms").Should(BeTrue())

	out, err := d.run("scalein", "web", "--pod", "member1/"+before["member1"][0], "--pod", "member1/"+before["member1"][1], "--wait=false")
	d.Expect(err).NotTo(HaveOccurred(), out)
	order := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out), "podscalein/"), " created")
	d.Eventually(func() (string, error) { return d.complete(order) }, "30s", "200ms").
		Should(Equal("Following WaitingForPods member1 has not taken the names yet"))
	gone := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: before["member1"][0]}}
	d.Expect(d.members["member1"].Delete(t.Context(), gone, client.GracePeriodSeconds(0))).To(Succeed())
	d.Eventually(func() ([]string, error) {
		template := d.cloneSet()
		err := d.karmada.Get(t.Context(), d.key(), template)
		request, parseErr := v1alpha1.ParseScaleInRequest(template.Annotations[v1alpha1.ScaleInRequestAnnotation])
		if parseErr != nil {
			return nil, parseErr
		}
		return request.Members["member1"].Pods, err
	}, "30s", "200ms").Should(Equal([]string{before["member1"][1]}), "the name that is gone is taken off the request")

	d.patch(d.karmada, policy, `{"spec":{"suspension":null}}`)
	d.Eventually(func() (string, error) { return d.complete(order) }, "60s", "200ms").Should(HavePrefix("Succeeded PodsGone"))
	d.Eventually(d.books, "20s", "200ms").Should(Equal("template 7, binding 1+3+3 of 7, members 1+3+3, pods 1+3+3"))
	d.Expect(d.applied()).To(Equal("True True True"))
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

// TestScaleInRefused is what a person sees who asks for what cannot be.
func TestScaleInRefused(t *testing.T) {
	d := newDivided(t)
	before, err := d.pods()
	d.Expect(err).NotTo(HaveOccurred())
	out, err := d.run("scalein", "web", "--pod", "member1/web-nobody")
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("Refused: pod web-nobody of member1 does not exist"))
	out, err = d.run("scalein", "web", "--pod", "member1/"+before["member2"][0])
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("Refused: pod " + before["member2"][0] + " of member1 does not exist"))

	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "keeper"}, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"}, MaxReplicas: 20,
	}}
	d.Expect(d.karmada.Create(t.Context(), hpa)).To(Succeed())
	out, err = d.run("scalein", "web", "--pod", "member1/"+before["member1"][0])
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("HorizontalPodAutoscaler keeper: it would put the removed ones back"))
	d.Expect(d.pods()).To(Equal(before))
}

// TestAdoption: a member is scaled in by hand, names and all; the control plane's books follow, and no other pod goes.
func TestAdoption(t *testing.T) {
	d := newDivided(t)
	out, err := d.run("scalein", "adopt", "web")
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("kubectl label cloneset/web " + mark.RetainReplicas + "=true"))

	d.patch(d.karmada, d.cloneSet(), `{"metadata":{"labels":{%q:"true"}}}`, mark.RetainReplicas)
	d.Eventually(func() (string, error) {
		in := d.cloneSet()
		err := d.members["member1"].Get(t.Context(), d.key(), in)
		return in.Labels[mark.RetainReplicas], err
	}, "30s", "200ms").Should(Equal("true"))
	out, err = d.run("scalein", "adopt", "web")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Expect(out).To(And(ContainSubstring("9 replicas, 9 before"), ContainSubstring("no member holds fewer replicas")))

	want, err := d.pods()
	d.Expect(err).NotTo(HaveOccurred())
	byHand := func(member string) {
		named := want[member][1]
		d.patch(d.members[member], d.cloneSet(), `{"spec":{"replicas":2,"scaleStrategy":{"podsToDelete":[%q]}}}`, named)
		want = maps.Clone(want)
		want[member] = slices.DeleteFunc(slices.Clone(want[member]), func(name string) bool { return name == named })
		d.Eventually(d.pods, "30s", "200ms").Should(Equal(want))
	}
	byHand("member1")
	out, err = d.run("scalein", "adopt", "web")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Expect(out).To(And(ContainSubstring("8 replicas, 9 before"), ContainSubstring("MemberScaleInAdopted: member1 3 -> 2")))
	d.Eventually(d.books, "20s", "200ms").Should(Equal("template 8, binding 2+3+3 of 8, members 2+3+3, pods 2+3+3"))

	// From now on without being asked.
	d.patch(d.karmada, d.cloneSet(), `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ScaleInAdoptAnnotation, v1alpha1.AdoptAlways)
	byHand("member3")
	d.Eventually(d.books, "30s", "200ms").Should(Equal("template 7, binding 2+3+2 of 7, members 2+3+2, pods 2+3+2"))
	d.Consistently(d.pods, "3s", "200ms").Should(Equal(want), "adoption touched a pod")
}
