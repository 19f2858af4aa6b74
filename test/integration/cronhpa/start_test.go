package cronhpa

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestStartOfACronHPAWithACalendar: it waits until its calendar is there, applies the rule whose time it is by that, and stands still when
// the calendar can no longer be read.
func TestStartOfACronHPAWithACalendar(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.lead(nil)()
	w.deployment("web", 1)
	holiday := w.start.Add(-time.Hour)
	sale := replicasAt("sale", w.schedule(-time.Hour), 30)
	sale.ExcludeCalendarRef = &v1alpha1.CalendarReference{Name: "holidays"}
	usual := replicasAt("usual", w.schedule(-48*time.Hour), 7)
	w.create(&v1alpha1.CronHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"},
		Spec: v1alpha1.CronHPASpec{
			ScaleTargetRef: workloadRef("web"), ApplyAtStart: v1alpha1.CronHPAStartInForce, Rules: []v1alpha1.CronHPARule{sale, usual},
		},
	})
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/CalendarUnreadable"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(1)), "a rule was applied before it was known which")

	calendar := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "holidays"},
		Data:       map[string]string{"days": holiday.Format("2006-01-02") + " today\n"},
	}
	w.create(calendar)
	label := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+v1alpha1.CronHPACalendarLabel+`":"true"}}}`))
	w.Expect(apiserver.Patch(w.ctx, calendar, label)).To(gomega.Succeed())
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(7)))
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
	status := w.cronStatus("web")
	w.Expect(status.RuleInForce).To(gomega.Equal("usual"))
	w.Expect(status.LastResult).To(gomega.Equal(v1alpha1.FiringApplied))
	w.Expect(w.measured("argosy_cronhpa_firing_lateness_seconds")[""]).
		To(gomega.BeZero(), "what was in force before the CronHPA was made is not late")

	w.Expect(apiserver.Delete(w.ctx, calendar)).To(gomega.Succeed())
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/CalendarUnreadable"))
	w.Expect(w.cronStatus("web").RuleInForce).To(gomega.Equal("usual"))
}
