package lock

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	held := func(holder, operation string) *v1alpha1.Lock {
		return &v1alpha1.Lock{Holder: holder, OperationID: operation, Sequence: 7, LeaseSeconds: 30, RenewTime: metav1.NewMicroTime(noon)}
	}
	for name, tc := range map[string]struct {
		lock     *v1alpha1.Lock
		after    time.Duration
		floor    int64
		want     Verb
		sequence int64
		wake     time.Duration
	}{
		"free":                             {want: Take, sequence: 1, wake: 10 * time.Second},
		"lost with its object":             {floor: 9, want: Take, sequence: 10, wake: 10 * time.Second},
		"released":                         {lock: held("", "op-1"), want: Take, sequence: 8, wake: 10 * time.Second},
		"one's own, fresh":                 {lock: held("me", "op-2"), after: 9 * time.Second, want: Work, wake: time.Second},
		"one's own, due":                   {lock: held("me", "op-2"), after: 10 * time.Second, want: Renew, sequence: 7, wake: 10 * time.Second},
		"one's own, of the last operation": {lock: held("me", "op-1"), want: Take, sequence: 8, wake: 10 * time.Second},
		"another's":                        {lock: held("you", "op-1"), after: 29 * time.Second, want: Wait, wake: time.Second},
		"another's, expired": {
			lock:     held("you", "op-1"),
			after:    30 * time.Second,
			want:     TakeOver,
			sequence: 8,
			wake:     10 * time.Second,
		},
		"another's of the same operation": {
			lock:     held("you", "op-2"),
			after:    30 * time.Second,
			want:     TakeOver,
			sequence: 8,
			wake:     10 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon.Add(tc.after)
			step := Decide(Observed{}.See(tc.lock, noon), Wish{Holder: "me", OperationID: "op-2", LeaseSeconds: 30, Floor: tc.floor}, now)
			if step.Verb != tc.want || !step.Wake.Equal(now.Add(tc.wake)) {
				t.Errorf("%s, looks again in %s; want %s in %s", step.Verb, step.Wake.Sub(now), tc.want, tc.wake)
			}
			if have := step.Lock; tc.sequence != 0 &&
				(have == nil || have.Sequence != tc.sequence || have.Holder != "me" || have.OperationID != "op-2") {
				t.Errorf("writes %+v, want sequence %d", have, tc.sequence)
			}
		})
	}
}

// holder is a process with a clock of its own, which may be paused with what it knows, or restarted without.
type holder struct {
	wish   Wish
	offset time.Duration
	seen   Observed
	// version it saw, and the sequence it believes to work under.
	version int
	working int64
}

// Holders with clocks of their own, paused, restarted and looking at old copies: a number is one holder's for one operation, nobody is
// taken over before their lease is over, and the machine never does work of a lower number after a higher.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stored *v1alpha1.Lock
		version, now, written := 0, noon, noon
		owners := map[int64]string{}
		var fence Fence
		holders := []*holder{}
		for i := range 3 {
			holders = append(holders, &holder{
				wish:   Wish{Holder: string(rune('a' + i)), OperationID: "op-0", LeaseSeconds: 30},
				offset: time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "clock")) * time.Second,
			})
		}
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			h := holders[rapid.IntRange(0, 2).Draw(t, "holder")]
			own := now.Add(h.offset)
			switch rapid.IntRange(0, 6).Draw(t, "event") {
			case 0:
				now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			case 1, 2:
				h.seen, h.version = h.seen.See(stored, own), version
			case 3: // what it saw may be old by now
				step := Decide(h.seen, h.wish, own)
				if step.Verb == Work {
					h.working = h.seen.Lock.Sequence
				}
				if step.Lock == nil || h.version != version || h.seen.Since.IsZero() {
					continue // refused by the resourceVersion, or it never looked
				}
				if step.Verb == TakeOver && now.Sub(written) < lease(stored) {
					t.Fatalf("%s takes over from %s after %s", h.wish.Holder, stored.Holder, now.Sub(written))
				}
				owner := step.Lock.Holder + "/" + step.Lock.OperationID
				if before, known := owners[step.Lock.Sequence]; known && before != owner {
					t.Fatalf("sequence %d is %s's and %s's", step.Lock.Sequence, before, owner)
				}
				owners[step.Lock.Sequence] = owner
				stored, written, h.working = step.Lock, now, step.Lock.Sequence
				version++
				h.seen, h.version = h.seen.See(stored, own), version
			case 4:
				if h.working == 0 {
					continue
				}
				before := fence
				var admitted bool
				if fence, admitted = fence.Admit(h.working); admitted && h.working < int64(before) || fence < before {
					t.Fatalf("work of %d after %d", h.working, before)
				}
			case 5:
				h.seen, h.version, h.working = Observed{}, -1, 0
			case 6:
				if stored != nil && stored.Holder == h.wish.Holder && h.version == version {
					stored, written = Release(stored, own), now
					version++
				}
				h.wish.OperationID = rapid.SampledFrom([]string{"op-0", "op-1", "op-2"}).Draw(t, "operation")
			}
		}
	})
}
