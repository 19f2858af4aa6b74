package servers

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// taking takes every status, and nothing else.
type taking struct{ client.Client }

func (taking) Status() client.SubResourceWriter { return takingStatus{} }

type takingStatus struct{ client.SubResourceWriter }

func (takingStatus) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return nil
}

// TestHeartbeats: of Servers to which nothing happens at most five are written in any second, also when all of them were last written in
// the same one, a while ago, and this process has just begun. Each is written all the same, and again.
func TestHeartbeats(t *testing.T) {
	const servers, looks, period = 800, 11, time.Minute
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for name, asked := range map[string]int{"each look asks the driver": 1, "lists stand in for questions": int(byItself / period)} {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakePassiveClock(noon)
			r := New(Options{Options: control.Options{Clock: clock}, Period: period},
				control.Means{Writer: taking{}, Recorder: &record.FakeRecorder{}})
			long := metav1.NewTime(noon.Add(-time.Hour))
			all := make([]*v1alpha1.Server, servers)
			for i := range all {
				all[i] = &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("web-", i), UID: types.UID(fmt.Sprint(i))}}
				all[i].Status = v1alpha1.ServerStatus{
					Creation: &v1alpha1.Creation{State: v1alpha1.CreationDone}, LastHeartbeatTime: &long,
					Machine: &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning, ObservedAt: &long},
				}
				facts.Hearing{Answer: facts.Heard}.Write(&all[i].Status, 0, long.Time)
			}
			var beats []time.Time
			written := make([]int, servers)
			for n := range looks * servers {
				i, round := n%servers, n/servers
				clock.SetTime(noon.Add(time.Duration(n) * period / servers))
				w := &work{before: all[i], after: all[i].DeepCopy(), mind: r.mind(all[i].UID), now: clock.Now()}
				if (round+i)%asked == 0 {
					r.take(w, facts.Reading{Machine: machine.Machine{State: v1alpha1.MachineRunning}})
				}
				facts.Hearing{Answer: facts.Heard, Beat: r.beat()}.Write(&w.after.Status, 0, w.now)
				wrote, err := r.writeStatus(t.Context(), w)
				if err != nil {
					t.Fatal(err)
				}
				if wrote {
					all[i], beats, written[i] = w.after, append(beats, w.now), written[i]+1
				}
			}
			for i := range beats[beatsPerSecond:] {
				if within := beats[i+beatsPerSecond].Sub(beats[i]); within < time.Second {
					t.Fatalf("%d writes within %s, %s after the first look", beatsPerSecond+1, within, beats[i].Sub(noon))
				}
			}
			for i, n := range written {
				if n < 2 || n > 3 { // in 660 s, of which it takes 160 to write each Server once, and 300 pass before the next time
					t.Errorf("%s was written %d times", all[i].Name, n)
				}
			}
		})
	}
}
