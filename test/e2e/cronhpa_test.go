package e2e

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// inTheNextMinute is the schedule of a minute to come, not of one that is about to begin.
func inTheNextMinute() (string, time.Time) {
	due := clock.RealClock{}.Now().UTC().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
	return due.Format("4 15 2 1 *"), due
}

// createWith creates the CronHPA with its first rule due in the next minute, anew if that minute came first.
func createWith(t *testing.T, p planes, cron *api.CronHPA) {
	t.Helper()
	g := NewWithT(t)
	for before := cron.DeepCopy(); ; before.DeepCopyInto(cron) {
		schedule, due := inTheNextMinute()
		cron.Spec.Rules[0].Schedule = schedule
		g.Expect(p.karmada.Create(t.Context(), cron)).To(Succeed())
		if cron.CreationTimestamp.Time.Before(due) {
			return
		}
		g.Expect(p.karmada.Delete(t.Context(), cron)).To(Succeed())
	}
}

// reschedule moves a rule to the next minute. A rule starts afresh when the controller sees that it was moved: if the minute came first, to
// the one after.
func reschedule(t *testing.T, p planes, cron *api.CronHPA, index int) {
	t.Helper()
	due := time.Time{}
	NewWithT(t).Eventually(func() (bool, error) {
		if err := p.karmada.Get(t.Context(), client.ObjectKeyFromObject(cron), cron); err != nil {
			return false, err
		}
		if !due.IsZero() && cron.Status.ObservedGeneration == cron.Generation && handledUntil(cron, cron.Spec.Rules[index].Name).Before(due) {
			return true, nil
		}
		if now := (clock.RealClock{}).Now(); now.Before(due) {
			return false, nil
		}
		before := cron.DeepCopy()
		cron.Spec.Rules[index].Schedule, due = inTheNextMinute()
		return false, p.karmada.Patch(t.Context(), cron, client.MergeFrom(before))
	}, "10m", "200ms").Should(BeTrue(), "the rule is moved before it is due")
}

// handledUntil is how far the controller has handled a rule's firings.
func handledUntil(cron *api.CronHPA, rule string) time.Time {
	for _, r := range cron.Status.Rules {
		if r.Name == rule && r.HandledUntil != nil {
			return r.HandledUntil.Time
		}
	}
	return cron.CreationTimestamp.AddDate(100, 0, 0)
}

// TestTimetableToZeroAndBack: at zero Karmada takes the workload off its members, as the condition says beforehand; the next
// rule brings it back.
func TestTimetableToZeroAndBack(t *testing.T) {
	t.Parallel()
	d := newDivided(t)
	cron := &api.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web"}, Spec: api.CronHPASpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
		Rules: []api.CronHPARule{
			{Name: "night", TargetReplicas: ptr.To[int32](0)},
			{Name: "morning", Schedule: clock.RealClock{}.Now().UTC().AddDate(0, 0, -2).Format("4 15 2 1 *"), TargetReplicas: ptr.To[int32](6)},
		},
	}}
	createWith(t, d.planes, cron)
	status := func(read func(api.CronHPAStatus) string) func() (string, error) {
		return func() (string, error) {
			err := d.karmada.Get(t.Context(), client.ObjectKeyFromObject(cron), cron)
			return read(cron.Status), err
		}
	}
	d.Eventually(status(func(s api.CronHPAStatus) string {
		if c := meta.FindStatusCondition(s.Conditions, api.CronHPATargetScalable); c != nil {
			return c.Message
		}
		return ""
	}), slow, "200ms").Should(ContainSubstring("--enable-empty-workload-propagation"))
	inForce := status(func(s api.CronHPAStatus) string { return s.RuleInForce + " " + string(s.LastResult) })
	d.Eventually(inForce, slow, "200ms").Should(Equal("night Applied"))
	for _, member := range d.members {
		d.Eventually(func() bool {
			return apierrors.IsNotFound(member.Get(t.Context(), d.key(), &kruisev1alpha1.CloneSet{}))
		}, slow, "200ms").Should(BeTrue())
	}
	reschedule(t, d.planes, cron, 1)
	d.Eventually(inForce, slow, "200ms").Should(Equal("morning Applied"))
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 6, binding 2+2+2 of 6, members 2+2+2, pods 2+2+2"))
}

// timetableMovesBounds: a rule raises the least number of replicas; the FedHPA divides it over the members'
// autoscalers, its own spec stays as its user wrote it, and comes back into force when the CronHPA goes.
func timetableMovesBounds(t *testing.T) {
	a := newAutoscaled(t)
	bounds := func() (string, error) {
		fed, err := a.fed()
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("spec %d-%d, in force %d-%d from %q", fed.Spec.MinReplicas, fed.Spec.MaxReplicas,
			fed.Status.MinReplicas, fed.Status.MaxReplicas, fed.Status.BoundsFrom), nil
	}
	a.g.Eventually(bounds, slow, "200ms").Should(Equal(`spec 4-20, in force 4-20 from ""`))
	cron := &api.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: "peaks"}, Spec: api.CronHPASpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: api.GroupVersion.String(), Kind: "FedHPA", Name: "web"},
		Rules: []api.CronHPARule{{
			Name: "peak", TargetMinReplicas: ptr.To[int32](8), TargetMaxReplicas: ptr.To[int32](30),
		}},
	}}
	createWith(t, a.planes, cron)
	a.g.Eventually(bounds, slow, "200ms").Should(Equal(`spec 4-20, in force 8-30 from "CronHPA peaks, rule peak"`))
	a.g.Eventually(a.members, slow, "500ms").Should(Equal("member1=4 member2=4"))
	a.g.Expect(a.karmada.Delete(t.Context(), cron)).To(Succeed())
	a.g.Eventually(bounds, slow, "200ms").Should(Equal(`spec 4-20, in force 4-20 from ""`))
}
