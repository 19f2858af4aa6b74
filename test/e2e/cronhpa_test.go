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

// inTheNextMinutes are the schedules of the next minutes: a minute that is about to begin could pass while the object is on
// its way.
func inTheNextMinutes(count int) []string {
	first := clock.RealClock{}.Now().UTC().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
	var out []string
	for i := range count {
		out = append(out, first.Add(time.Duration(i)*time.Minute).Format("4 15 2 1 *"))
	}
	return out
}

// TestTimetableToZeroAndBack: at zero Karmada takes the workload off its members, as the condition says beforehand; the next
// rule brings it back.
func TestTimetableToZeroAndBack(t *testing.T) {
	d := newDivided(t)
	due := inTheNextMinutes(2)
	cron := &api.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web"}, Spec: api.CronHPASpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
		Rules: []api.CronHPARule{
			{Name: "night", Schedule: due[0], TargetReplicas: ptr.To[int32](0)},
			{Name: "morning", Schedule: due[1], TargetReplicas: ptr.To[int32](6)},
		},
	}}
	d.Expect(d.karmada.Create(t.Context(), cron)).To(Succeed())
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
	}), "2m", "200ms").Should(ContainSubstring("--enable-empty-workload-propagation"))
	inForce := status(func(s api.CronHPAStatus) string { return s.RuleInForce + " " + string(s.LastResult) })
	d.Eventually(inForce, "3m", "200ms").Should(Equal("night Applied"))
	for _, member := range d.members {
		d.Eventually(func() bool {
			return apierrors.IsNotFound(member.Get(t.Context(), d.key(), &kruisev1alpha1.CloneSet{}))
		}, "40s", "200ms").Should(BeTrue())
	}
	d.Eventually(inForce, "3m", "200ms").Should(Equal("morning Applied"))
	d.Eventually(d.books, "2m", "200ms").Should(Equal("template 6, binding 2+2+2 of 6, members 2+2+2, pods 2+2+2"))
}

// TestTimetableMovesTheBoundsOfAFedHPA: a rule raises the least number of replicas; the FedHPA divides it over the members'
// autoscalers, its own spec stays as its user wrote it, and comes back into force when the CronHPA goes.
func TestTimetableMovesTheBoundsOfAFedHPA(t *testing.T) {
	a := newAutoscaled(t)
	bounds := func() (string, error) {
		fed, err := a.fed()
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("spec %d-%d, in force %d-%d from %q", fed.Spec.MinReplicas, fed.Spec.MaxReplicas,
			fed.Status.MinReplicas, fed.Status.MaxReplicas, fed.Status.BoundsFrom), nil
	}
	a.g.Eventually(bounds, "2m", "200ms").Should(Equal(`spec 4-20, in force 4-20 from ""`))
	cron := &api.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: "peaks"}, Spec: api.CronHPASpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: api.GroupVersion.String(), Kind: "FedHPA", Name: "web"},
		Rules: []api.CronHPARule{{
			Name: "peak", Schedule: inTheNextMinutes(1)[0], TargetMinReplicas: ptr.To[int32](8), TargetMaxReplicas: ptr.To[int32](30),
		}},
	}}
	a.g.Expect(a.karmada.Create(t.Context(), cron)).To(Succeed())
	a.g.Eventually(bounds, "3m", "200ms").Should(Equal(`spec 4-20, in force 8-30 from "CronHPA peaks, rule peak"`))
	a.g.Eventually(a.members, slow, "500ms").Should(Equal("member1=4 member2=4"))
	a.g.Expect(a.karmada.Delete(t.Context(), cron)).To(Succeed())
	a.g.Eventually(bounds, "2m", "200ms").Should(Equal(`spec 4-20, in force 4-20 from ""`))
}
