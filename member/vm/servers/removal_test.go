package servers

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/lock"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// eraser is a driver that counts the machines it was told to remove.
type eraser struct {
	machine.Driver
	removed int
}

func (e *eraser) Delete(context.Context, machine.Call) error {
	e.removed++
	return nil
}

func (e *eraser) Get(context.Context, machine.Call) (machine.Machine, error) {
	return machine.Machine{}, fmt.Errorf("it went: %w", machine.ErrGone)
}

// TestAMachineGoesByTheSetOfNow: a cache that does not know yet that the set was deleted, or how, removes no machine by what it shows. What
// a set that is gone, whoever took its finalizer off, wanted for its machines nobody knows: a person is asked.
func TestAMachineGoesByTheSetOfNow(t *testing.T) {
	noon := metav1.NewTime(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	set := func(edit func(*v1alpha1.VMReplicaSet)) *v1alpha1.VMReplicaSet {
		out := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web", UID: "s", Finalizers: []string{v1alpha1.FinalizerServers},
		}}
		out.Spec.RemovalPolicy = v1alpha1.RemovalApprove
		edit(out)
		return out
	}
	stays := set(func(*v1alpha1.VMReplicaSet) {})
	goes := set(func(s *v1alpha1.VMReplicaSet) { s.DeletionTimestamp = &noon })
	for name, tc := range map[string]struct {
		cached, live *v1alpha1.VMReplicaSet
		removed      int
	}{
		"as it is":            {cached: stays, live: stays, removed: 1},
		"deleted since":       {cached: stays, live: goes},
		"gone since":          {cached: stays},
		"another of its name": {cached: stays, live: set(func(s *v1alpha1.VMReplicaSet) { s.UID = "other" })},
		"kept since": {
			cached: goes, live: set(func(s *v1alpha1.VMReplicaSet) {
				s.DeletionTimestamp, s.Spec.RemovalPolicy = &noon, v1alpha1.RemovalKeep
			}),
		},
		"taken back since": {live: goes, cached: set(func(s *v1alpha1.VMReplicaSet) {
			s.DeletionTimestamp, s.Spec.Approvals = &noon, []gatev1alpha1.Approval{{Gate: gatev1alpha1.GateRemoval, OperationID: "op-1"}}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "web-1", UID: "u", DeletionTimestamp: &noon, Finalizers: []string{v1alpha1.FinalizerMachine},
				OwnerReferences: []metav1.OwnerReference{{Kind: "VMReplicaSet", Name: "web", UID: "s", Controller: ptr.To(true)}},
			}}
			server.Status.Creation = &v1alpha1.Creation{State: v1alpha1.CreationDone}
			server.Status.Operation = &v1alpha1.Operation{ID: "op-1"}
			server.Status.Lock = &v1alpha1.Lock{Holder: "me", OperationID: "op-1", Sequence: 1, LeaseSeconds: 15}
			objects := []client.Object{server}
			if tc.live != nil {
				objects = append(objects, tc.live)
			}
			api := fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(objects...).Build()
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(server), server); err != nil {
				t.Fatal(err)
			}
			driver := &eraser{}
			r := New(Options{Holder: "me"}, control.Means{Cache: api, Live: api, Writer: api})
			w := &work{
				before: server, after: server.DeepCopy(), set: tc.cached, now: noon.Time, driver: driver,
				mind: &mind{lock: lock.Observed{Lock: server.Status.Lock, Since: noon.Time}},
			}
			task := &v1alpha1.Task{Type: v1alpha1.TaskDeleteMachine, State: v1alpha1.TaskPending}
			if err := r.remove(t.Context(), w, task); err != nil {
				t.Fatal(err)
			}
			if driver.removed != tc.removed || tc.removed == 0 && w.wake.IsZero() {
				t.Errorf("%d machines were removed, want %d; it wakes at %s", driver.removed, tc.removed, w.wake)
			}
		})
	}

	server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-1", UID: "u", DeletionTimestamp: &noon,
		OwnerReferences: []metav1.OwnerReference{{Kind: "VMReplicaSet", Name: "web", UID: "s", Controller: ptr.To(true)}},
	}}
	server.Status.Creation, server.Status.Machine = &v1alpha1.Creation{}, &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning}
	api := fake.NewClientBuilder().WithScheme(newScheme(t)).Build()
	r := New(Options{}, control.Means{Cache: api, Live: api, Writer: api})
	w, err := r.gather(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	r.decide(w)
	if waits := w.after.Status.PendingApprovals; len(waits) != 1 || waits[0].Gate != gatev1alpha1.GateRemoval {
		t.Errorf("without its set it is %s, and %+v waits", w.decided.Row, waits)
	}
}
