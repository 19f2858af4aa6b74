package fedhpa

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	testingclock "k8s.io/utils/clock/testing"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/conditions"
)

// TestALongWaitIsTold by the event of its reason: nemesis, run 3 of the covering design, saw books that waited for a dead scheduler for 81
// seconds without one.
func TestALongWaitIsTold(t *testing.T) {
	g := NewWithT(t)
	clock, recorder := testingclock.NewFakeClock(time.Date(2026, 11, 29, 15, 11, 30, 0, time.UTC)), record.NewFakeRecorder(2)
	c, fed := &Controller{clock: clock, recorder: recorder}, makeFedHPA()
	fed.Status.Conditions = []metav1.Condition{
		{Type: api.FedHPABooksAgree, Status: metav1.ConditionFalse, Reason: api.FedHPAReasonSchedulerBusy, Message: "the books wait for it"},
	}
	g.Expect(c.tellLasting(fed, nil)).To(Equal(conditions.ToldAfter))
	clock.Step(conditions.ToldAfter)
	g.Expect(c.tellLasting(fed, nil)).To(BeZero())
	g.Expect(recorder.Events).To(Receive(Equal("Warning SchedulerBusy BooksAgree: the books wait for it")))
	g.Expect(recorder.Events).NotTo(Receive())
}
