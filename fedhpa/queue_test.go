package fedhpa

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// TestWhatAnEventTakesFromAWake: what decision 0086 rests on. The queue that controllers have since controller-runtime 0.23 holds one entry
// for each object, so that an event takes the place of a wake that was asked for; the one they had before kept both.
func TestWhatAnEventTakesFromAWake(t *testing.T) {
	g := NewWithT(t)
	now := priorityqueue.New[string]("now")
	defer now.ShutDown()
	now.AddWithOpts(priorityqueue.AddOpts{After: 2 * time.Second}, "web")
	now.Add("web")
	item, _ := now.Get()
	now.Done(item)
	g.Consistently(now.Len, "3s", "100ms").Should(BeZero(), "the wake is gone")

	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	before := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[string]{Clock: clock})
	defer before.ShutDown()
	before.AddAfter("web", 2*time.Second)
	before.Add("web")
	item, _ = before.Get()
	before.Done(item)
	g.Eventually(func() int { clock.Step(3 * time.Second); return before.Len() }, "3m", "50ms").Should(Equal(1), "the wake came")
}
