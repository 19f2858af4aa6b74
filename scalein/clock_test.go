package scalein

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// clocks are how far those of leaders may be from the API server's.
var clocks = rapid.SampledFrom([]time.Duration{
	0, -6 * time.Hour, -time.Hour, -40 * time.Second, 40 * time.Second, time.Hour, 6 * time.Hour,
})

// TestAnOrderByAnyClock: however far the clocks of leaders are from the API server's, and from each other, an order that waits is given its
// time, and not much more.
func TestAnOrderByAnyClock(t *testing.T) {
	for name, tc := range map[string]struct {
		// wait is the world in which the order can only wait.
		wait func(*facts)
		want v1alpha1.PodScaleInPhase
	}{
		"before it is accepted": {
			wait: func(f *facts) { f.binding.suspended = true }, want: v1alpha1.PhaseRefused,
		},
		"while its pods stay": {
			wait: func(f *facts) {
				f.order.Status.RequestID = "id"
				f.order.Status.Clusters = []v1alpha1.ClusterScaleIn{
					{Name: "member1", ReplicasBefore: 3, ReplicasAfter: 2, Pods: []string{"member1-pod-0"}},
				}
				f.template.lowered, f.binding.lowered = "id", "id"+released
				f.template.request = requestOf("id", f.order.Status.Clusters).Encode()
				m := f.members["member1"]
				m.delivered = "id"
				f.members["member1"] = m
			},
			want: v1alpha1.PhaseFailed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				f := newFederation(map[string]int32{"member1": 3, "member2": 2}, "member1-pod-0").facts()
				tc.wait(&f)
				created := f.order.CreationTimestamp.Time
				f.order.Spec.TimeoutSeconds = ptr.To[int32](600)
				skew := clocks.Draw(t, "first leader")
				if f.order.Status.RequestID != "" {
					f.order.Status.StartTime = &metav1.Time{Time: created.Add(skew)}
				}
				change := time.Duration(rapid.IntRange(1, 60).Draw(t, "another leader after")) * 10 * time.Second
				other := rapid.Bool().Draw(t, "another leader")
				for took := time.Duration(0); ; took += 10 * time.Second {
					if other && took == change {
						skew = clocks.Draw(t, "second leader")
					}
					f.now = created.Add(took + skew)
					notAhead(&f.order.Status, f.now)
					s := next(f)
					f.order.Status = settle(f, s)
					ended := s.phase == tc.want
					switch {
					case ended && took < 10*time.Minute && (!other || took < change):
						t.Fatalf("given up after %s: %s", took, s.message)
					case ended:
						return
					case took > 21*time.Minute:
						t.Fatalf("not given up after %s: %s %s", took, s.phase, s.message)
					}
				}
			})
		})
	}
}

// TestStampsOfAClockAhead are brought back once, and left alone after that.
func TestStampsOfAClockAhead(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	ahead := metav1.NewTime(now.Add(6 * time.Hour))
	s := v1alpha1.PodScaleInStatus{StartTime: ahead.DeepCopy(), CompletionTime: ahead.DeepCopy(),
		Conditions: []metav1.Condition{{Type: v1alpha1.PodScaleInComplete, LastTransitionTime: ahead}}}
	if !notAhead(&s, now) || !s.StartTime.Time.Equal(now) || !s.CompletionTime.Time.Equal(now) ||
		!s.Conditions[0].LastTransitionTime.Time.Equal(now) {
		t.Errorf("not put right: %+v", s)
	}
	if notAhead(&s, now.Add(time.Minute)) || !s.StartTime.Time.Equal(now) {
		t.Errorf("put right twice: %+v", s)
	}
}

// TestTheSameFailureAgain: a member that cannot be asked in the same way, but for the connection's own port, is no news.
func TestTheSameFailureAgain(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 3, "member2": 2}, "member1-pod-0").facts()
	look := func(port string) v1alpha1.PodScaleInStatus {
		f.members["member1"] = member{unreachable: "read tcp 10.0.0.1:" + port + "->10.0.0.2:6443: i/o timeout"}
		f.now = f.now.Add(time.Second)
		f.order.Status = settle(f, next(f))
		return *f.order.Status.DeepCopy()
	}
	first := look("53422")
	if diff := cmp.Diff(first, look("40118")); diff != "" {
		t.Errorf("the second look is news (-first +second):\n%s", diff)
	}
}
