package conditions

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestLasting(t *testing.T) {
	at := time.Date(2026, 11, 29, 15, 11, 30, 0, time.UTC)
	say := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "words"}
	}
	busy := say("BooksAgree", metav1.ConditionFalse, "SchedulerBusy")
	syncing := say("BooksAgree", metav1.ConditionFalse, "Syncing")
	fine := say("BooksAgree", metav1.ConditionTrue, "BooksAgree")
	away := say("MembersScaling", metav1.ConditionUnknown, "MemberUnreachable")
	unread := say("BooksAgree", metav1.ConditionUnknown, "MemberUnreachable")
	type look struct {
		after  time.Duration
		said   []metav1.Condition
		events []string
		told   []string
		again  time.Duration
	}
	for name, looks := range map[string][]look{
		"told once, within a minute": {
			{said: []metav1.Condition{busy}, again: ToldAfter},
			{after: 30 * time.Second, said: []metav1.Condition{busy}, again: 10 * time.Second},
			{after: 40 * time.Second, said: []metav1.Condition{busy}, told: []string{"BooksAgree: words"}},
			{after: 90 * time.Second, said: []metav1.Condition{busy}},
		},
		"again when it comes again": {
			{said: []metav1.Condition{busy}, again: ToldAfter},
			{after: 40 * time.Second, said: []metav1.Condition{busy}, told: []string{"BooksAgree: words"}},
			{after: 50 * time.Second, said: []metav1.Condition{fine}},
			{after: 60 * time.Second, said: []metav1.Condition{busy}, again: ToldAfter},
		},
		"another reason has its own time, though the status stays": {
			{said: []metav1.Condition{syncing}, again: ToldAfter},
			{after: 39 * time.Second, said: []metav1.Condition{busy}, again: ToldAfter},
			{after: 50 * time.Second, said: []metav1.Condition{busy}, again: 29 * time.Second},
		},
		"an event when it began is word enough, for every condition of the reason": {
			{said: []metav1.Condition{away}, events: []string{"MemberUnreachable"}},
			{after: 50 * time.Second, said: []metav1.Condition{unread, away}},
		},
		"one word for two conditions": {
			{said: []metav1.Condition{unread, away}, again: ToldAfter},
			{after: 41 * time.Second, said: []metav1.Condition{unread, away}, told: []string{"BooksAgree: words"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, web := NewWithT(t), types.NamespacedName{Namespace: "shop", Name: "web"}
			var l Lasting
			for _, look := range looks {
				untold, again := l.Look(web, look.said, look.events, at.Add(look.after))
				var words []string
				for _, one := range untold {
					words = append(words, one.Type+": "+one.Message)
				}
				g.Expect(words).To(Equal(look.told), "after %s", look.after)
				g.Expect(again).To(Equal(look.again), "after %s", look.after)
			}
			l.Forget(web)
			g.Expect(l.of).To(BeEmpty())
		})
	}
}
