package fedhpa

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	testingclock "k8s.io/utils/clock/testing"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
)

func TestLasting(t *testing.T) {
	at := time.Date(2026, 11, 29, 15, 11, 30, 0, time.UTC)
	say := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "words"}
	}
	busy := say(api.FedHPABooksAgree, metav1.ConditionFalse, api.FedHPAReasonSchedulerBusy)
	syncing := say(api.FedHPABooksAgree, metav1.ConditionFalse, api.FedHPAReasonSyncing)
	fine := say(api.FedHPABooksAgree, metav1.ConditionTrue, api.FedHPABooksAgree)
	away := say(api.FedHPAMembersScaling, metav1.ConditionUnknown, api.FedHPAReasonMemberUnreachable)
	unread := say(api.FedHPABooksAgree, metav1.ConditionUnknown, api.FedHPAReasonMemberUnreachable)
	type look struct {
		after  time.Duration
		said   []metav1.Condition
		events []decide.Event
		told   []string
		again  time.Duration
	}
	for name, looks := range map[string][]look{
		"told once, within a minute": {
			{said: []metav1.Condition{busy}, again: toldAfter},
			{after: 30 * time.Second, said: []metav1.Condition{busy}, again: 10 * time.Second},
			{after: 40 * time.Second, said: []metav1.Condition{busy}, told: []string{"BooksAgree: words"}},
			{after: 90 * time.Second, said: []metav1.Condition{busy}},
		},
		"again when it comes again": {
			{said: []metav1.Condition{busy}, again: toldAfter},
			{after: 40 * time.Second, said: []metav1.Condition{busy}, told: []string{"BooksAgree: words"}},
			{after: 50 * time.Second, said: []metav1.Condition{fine}},
			{after: 60 * time.Second, said: []metav1.Condition{busy}, again: toldAfter},
		},
		"another reason has its own time, though the status stays": {
			{said: []metav1.Condition{syncing}, again: toldAfter},
			{after: 39 * time.Second, said: []metav1.Condition{busy}, again: toldAfter},
			{after: 50 * time.Second, said: []metav1.Condition{busy}, again: 29 * time.Second},
		},
		"an event when it began is word enough, for every condition of the reason": {
			{said: []metav1.Condition{away}, events: []decide.Event{{Reason: api.FedHPAReasonMemberUnreachable}}},
			{after: 50 * time.Second, said: []metav1.Condition{unread, away}},
		},
		"one word for two conditions": {
			{said: []metav1.Condition{unread, away}, again: toldAfter},
			{after: 41 * time.Second, said: []metav1.Condition{unread, away}, told: []string{"BooksAgree: words"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, fed := NewWithT(t), types.NamespacedName{Namespace: "shop", Name: "web"}
			var l lasting
			for _, look := range looks {
				untold, again := l.look(fed, look.said, look.events, at.Add(look.after))
				var words []string
				for _, e := range untold {
					g.Expect(e.Warning).To(BeTrue())
					words = append(words, e.Message)
				}
				g.Expect(words).To(Equal(look.told), "after %s", look.after)
				g.Expect(again).To(Equal(look.again), "after %s", look.after)
			}
			l.forget(fed)
			g.Expect(l.of).To(BeEmpty())
		})
	}
}

// TestALongWaitIsTold by the event of its reason: nemesis, run 3 of the covering design, saw books that waited for a dead scheduler for 81
// seconds without one.
func TestALongWaitIsTold(t *testing.T) {
	g := NewWithT(t)
	clock, recorder := testingclock.NewFakeClock(time.Date(2026, 11, 29, 15, 11, 30, 0, time.UTC)), record.NewFakeRecorder(2)
	c, fed := &Controller{clock: clock, recorder: recorder}, makeFedHPA()
	fed.Status.Conditions = []metav1.Condition{
		{Type: api.FedHPABooksAgree, Status: metav1.ConditionFalse, Reason: api.FedHPAReasonSchedulerBusy, Message: "the books wait for it"},
	}
	g.Expect(c.tellLasting(fed, nil)).To(Equal(toldAfter))
	clock.Step(toldAfter)
	g.Expect(c.tellLasting(fed, nil)).To(BeZero())
	g.Expect(recorder.Events).To(Receive(Equal("Warning SchedulerBusy BooksAgree: the books wait for it")))
	g.Expect(recorder.Events).NotTo(Receive())
}
