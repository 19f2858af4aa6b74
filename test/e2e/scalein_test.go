package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
)

// TestScaleInUnderPushes names three pods in two members with argosyctl while the template is pushed ten times a second. It
// looks at every state a member goes through: names and lowered replicas come in one update, the names come once, no
// update of a member is refused, and the scheduler does not run.
func TestScaleInUnderPushes(t *testing.T) {
	d := newDivided(t)
	before, err := answered(t, d.pods)()
	d.Expect(err).NotTo(HaveOccurred())
	scheduled, err := answered(t, d.binding)()
	d.Expect(err).NotTo(HaveOccurred())
	untilImage, stop := d.record(), d.push()

	start := clock.RealClock{}.Now()
	out, err := d.run("scalein", "web", "--pod", "member1/"+before["member1"][0], "--pod", "member1/"+before["member1"][2], "--pod",
		before["member2"][1], "--reason", "bad disks")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Expect(out).To(ContainSubstring("Succeeded: member1 3 -> 1"))
	t.Logf("done in %.1f s; argosyctl said:\n%s", clock.RealClock{}.Since(start).Seconds(), out)
	// The finished names have left the members' lists by now: pushes that go on must not bring them back.
	d.Consistently(answered(t, d.applied), "5s", "100ms").Should(Equal("True True True"))
	stop(20)

	d.Eventually(d.books, slow, "200ms").Should(Equal("template 6, binding 1+2+3 of 6, members 1+2+3, pods 1+2+3"))
	d.Expect(answered(t, d.pods)()).To(Equal(map[string][]string{
		"member1": {before["member1"][1]}, "member2": {before["member2"][0], before["member2"][2]}, "member3": before["member3"],
	}))
	after, err := answered(t, d.binding)()
	d.Expect(err).NotTo(HaveOccurred())
	d.Expect(after.Status.LastScheduledTime).To(Equal(scheduled.Status.LastScheduledTime), "the scheduler ran")
	d.Eventually(func() (map[string]string, error) {
		released, err := d.binding()
		return released.Annotations, err
	}, soon, "200ms").ShouldNot(HaveKey(v1alpha1.ScaleInLoweredAnnotation), "left on the binding")

	// An image still reaches every member.
	d.patch(d.karmada, d.cloneSet(),
		`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:v2",`+
			`"resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}}}`)
	states := untilImage(":v2")
	for member, want := range map[string]string{"member1": "3 1+names", "member2": "3 2+names", "member3": "3"} {
		d.Expect(arrivals(states[member])).To(Equal(want), member)
	}
}

// TestAMembersLastPods: a member that gives up all its pods stays in the binding with 0 replicas and an empty CloneSet, until
// Karmada's scheduler has a reason to divide again.
func TestAMembersLastPods(t *testing.T) {
	t.Parallel()
	d := newDivided(t)
	before, err := answered(t, d.pods)()
	d.Expect(err).NotTo(HaveOccurred())
	args := []string{"scalein", "web"}
	for _, pod := range before["member3"] {
		args = append(args, "--pod", "member3/"+pod)
	}
	out, err := d.run(args...)
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 6, binding 3+3+0 of 6, members 3+3+0, pods 3+3+0"))
	d.Expect(answered(t, d.pods)()).To(Equal(map[string][]string{"member1": before["member1"], "member2": before["member2"]}))
	stop := d.push()
	d.Consistently(answered(t, d.books), "3s", "200ms").Should(Equal("template 6, binding 3+3+0 of 6, members 3+3+0, pods 3+3+0"))
	stop(5)
	d.patch(d.karmada, d.cloneSet(), `{"spec":{"replicas":12}}`)
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 12, binding 4+4+4 of 12, members 4+4+4, pods 4+4+4"))
}

// TestAPodVanishesOnTheWay: member1's Work holds the names, but is not dispatched yet, when one of the pods goes by itself.
// Pushed as it was, OpenKruise would refuse the member's update for the name that is gone, images and all.
func TestAPodVanishesOnTheWay(t *testing.T) {
	t.Parallel()
	d := newDivided(t)
	before, err := answered(t, d.pods)()
	d.Expect(err).NotTo(HaveOccurred())
	policy := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web-cloneset"}}
	d.patch(d.karmada, policy, `{"spec":{"suspension":{"dispatchingOnClusters":{"clusterNames":["member1"]}}}}`)
	d.Eventually(func() (bool, error) {
		binding, err := d.binding()
		return binding.Spec.Suspension != nil && binding.Spec.Suspension.DispatchingOnClusters != nil, err
	}, slow, "200ms").Should(BeTrue())

	out, err := d.run("scalein", "web", "--pod", "member1/"+before["member1"][0], "--pod", "member1/"+before["member1"][1], "--wait=false")
	d.Expect(err).NotTo(HaveOccurred(), out)
	order := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out), "podscalein/"), " created")
	d.Eventually(func() (string, error) { return d.complete(order) }, slow, "200ms").
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
	}, slow, "200ms").Should(Equal([]string{before["member1"][1]}), "the name that is gone is taken off the request")

	d.patch(d.karmada, policy, `{"spec":{"suspension":null}}`)
	d.Eventually(func() (string, error) { return d.complete(order) }, slow, "200ms").Should(HavePrefix("Succeeded PodsGone"))
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 7, binding 1+3+3 of 7, members 1+3+3, pods 1+3+3"))
	d.Eventually(d.applied, slow, "200ms").Should(Equal("True True True"))
}

// TestScaleInRefused is what a person sees who asks for what cannot be.
func TestScaleInRefused(t *testing.T) {
	t.Parallel()
	d := newDivided(t)
	before, err := answered(t, d.pods)()
	d.Expect(err).NotTo(HaveOccurred())
	out, err := d.run("scalein", "web", "--pod", "member1/web-nobody")
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("Refused: pod web-nobody of member1 does not exist"))
	out, err = d.run("scalein", "web", "--pod", "member1/"+before["member2"][0])
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("Refused: pod " + before["member2"][0] + " does not exist in member1: it runs in member2"))

	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "keeper"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
			MaxReplicas:    20,
		}}
	d.Expect(d.karmada.Create(t.Context(), hpa)).To(Succeed())
	// An order comes seconds after the autoscaler in life; here it waits until the controller knows it.
	d.Eventually(func() string {
		out, _ := d.run("scalein", "web", "--pod", "member1/web-nobody")
		return out
	}, slow, "500ms").Should(ContainSubstring("HorizontalPodAutoscaler keeper"))
	out, err = d.run("scalein", "web", "--pod", "member1/"+before["member1"][0])
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("HorizontalPodAutoscaler keeper: it would put the removed ones back"))
	d.Expect(answered(t, d.pods)()).To(Equal(before))
}

// TestAdoption: a member is scaled in by hand, names and all; the control plane's books follow, and no other pod goes.
func TestAdoption(t *testing.T) {
	t.Parallel()
	d := newDivided(t)
	out, err := d.run("scalein", "adopt", "web")
	d.Expect(err).To(HaveOccurred())
	d.Expect(out).To(ContainSubstring("kubectl label cloneset/web " + mark.RetainReplicas + "=true"))

	d.patch(d.karmada, d.cloneSet(), `{"metadata":{"labels":{%q:"true"}}}`, mark.RetainReplicas)
	for _, member := range d.members {
		d.Eventually(func() (string, error) {
			in := d.cloneSet()
			err := member.Get(t.Context(), d.key(), in)
			return in.Labels[mark.RetainReplicas], err
		}, slow, "200ms").Should(Equal("true"))
	}
	out, err = d.run("scalein", "adopt", "web")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Expect(out).To(And(ContainSubstring("9 replicas, 9 before"), ContainSubstring("no member holds fewer replicas")))

	want, err := answered(t, d.pods)()
	d.Expect(err).NotTo(HaveOccurred())
	byHand := func(member string) {
		named := want[member][1]
		d.patch(d.members[member], d.cloneSet(), `{"spec":{"replicas":2,"scaleStrategy":{"podsToDelete":[%q]}}}`, named)
		want = maps.Clone(want)
		want[member] = slices.DeleteFunc(slices.Clone(want[member]), func(name string) bool { return name == named })
		d.Eventually(d.pods, slow, "200ms").Should(Equal(want))
	}
	byHand("member1")
	out, err = d.run("scalein", "adopt", "web")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Expect(out).To(And(ContainSubstring("8 replicas, 9 before"), ContainSubstring("MemberScaleInAdopted: member1 3 -> 2")))
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 8, binding 2+3+3 of 8, members 2+3+3, pods 2+3+3"))

	// From now on without being asked.
	d.patch(d.karmada, d.cloneSet(), `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ScaleInAdoptAnnotation, v1alpha1.AdoptAlways)
	byHand("member3")
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 7, binding 2+3+2 of 7, members 2+3+2, pods 2+3+2"))
	d.Consistently(answered(t, d.pods), "3s", "200ms").Should(Equal(want), "adoption touched a pod")
}
