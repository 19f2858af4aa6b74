package facts

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func status(creation v1alpha1.CreationState, state v1alpha1.MachineState) *v1alpha1.ServerStatus {
	return &v1alpha1.ServerStatus{
		Creation: &v1alpha1.Creation{Key: "k", State: creation}, EnvironmentHash: "none",
		Machine: &v1alpha1.MachineStatus{State: state, BootID: "b1", ObservedAt: &metav1.Time{Time: noon}},
	}
}

func operation(s *v1alpha1.ServerStatus, kind v1alpha1.OperationKind, task v1alpha1.TaskState) *v1alpha1.ServerStatus {
	s.Operation, s.Tasks = &v1alpha1.Operation{Kind: kind}, []v1alpha1.Task{{State: task}}
	return s
}

func found(state v1alpha1.MachineState, boot string) Reading {
	return Reading{Machine: machine.Machine{
		Key: "k", ID: "vm-1", State: state, BootID: boot, Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}},
	}}
}

func TestWrite(t *testing.T) {
	gone, silent := fmt.Errorf("x: %w", machine.ErrGone), errors.New("no answer")
	for name, tc := range map[string]struct {
		before  *v1alpha1.ServerStatus
		reading Reading
		missing Missing
		after   time.Duration
		want    string
		forgets bool
	}{
		"runs":       {before: status("Done", "Running"), reading: found("Running", "b1"), want: "Running"},
		"first seen": {before: status("Pending", "Absent"), reading: found("Running", "b1"), want: "Running"},
		"another boot": {
			before: status("Done", "Running"), reading: found("Running", "b2"),
			want: "Running", forgets: true},
		"stopped": {before: status("Done", "Running"), reading: found("Stopped", "b1"), want: "Stopped False MachineStopped"},
		"booting": {
			before: status("Pending", "Absent"), reading: found("Creating", ""), want: "Creating Unknown MachineBooting"},
		"being made": {
			before: operation(status("Done", "Creating"), v1alpha1.OperationProvision, v1alpha1.TaskRunning), reading: found("Creating", ""),
			want: "Creating Unknown MachineBooting"},
		"still without an address": {
			before: operation(status("Done", "Running"), v1alpha1.OperationProvision, v1alpha1.TaskRunning), reading: found("Creating", ""),
			want: "Creating Unknown MachineBooting"},
		"being made, and it was": {
			before: operation(status("Done", "Running"), v1alpha1.OperationProvision, v1alpha1.TaskSucceeded), reading: found("Creating", "b1"),
			want: "Stopped False MachineStopped"},
		"being made, and it serves": {
			before: operation(status("Done", "Running"), v1alpha1.OperationOnline, v1alpha1.TaskSucceeded), reading: found("Creating", "b1"),
			want: "Stopped False MachineStopped"},
		"the system does not know": {before: status("Done", "Running"), reading: found("Unknown", ""), want: "Unknown Unknown DriverUnanswered"},
		"no answer":                {before: status("Done", "Running"), reading: Reading{Err: silent}, want: "Unknown Unknown DriverUnanswered"},
		"no answer while made":     {before: status("Pending", "Absent"), reading: Reading{Err: silent}, want: "Absent"},
		"no answer of one gone":    {before: status("Done", "Gone"), reading: Reading{Err: silent}, want: "Gone"},
		"not found, not made":      {before: status("Pending", "Absent"), reading: Reading{Err: gone}, want: "Absent"},
		"not found once":           {before: status("Done", "Running"), reading: Reading{Err: gone}, want: "Unknown Unknown MachineNotFound"},
		"not found often, too soon": {
			before: status("Done", "Unknown"), reading: Reading{Err: gone},
			missing: Missing{noon, 9}, after: 59 * time.Second, want: "Unknown Unknown MachineNotFound"},
		"not found long, too few": {
			before: status("Done", "Unknown"), reading: Reading{Err: gone},
			missing: Missing{noon, 1}, after: time.Hour, want: "Unknown Unknown MachineNotFound"},
		"surely gone": {
			before: status("Done", "Unknown"), reading: Reading{Err: gone},
			missing: Missing{noon, 2}, after: time.Minute, want: "Gone False MachineGone"},
		"nothing is listed at all": {
			before: status("Done", "Unknown"), reading: Reading{Err: gone, ListIsEmpty: true},
			missing: Missing{noon, 9}, after: time.Hour, want: "Unknown Unknown MachineNotFound"},
		"it came back": {before: status("Done", "Gone"), reading: found("Running", "b1"), want: "Running"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.reading.Write(tc.before, 1, tc.missing, noon.Add(tc.after))
			have := string(tc.before.Machine.State)
			if c := apimeta.FindStatusCondition(tc.before.Conditions, v1alpha1.ConditionReachable); c != nil {
				have += " " + string(c.Status) + " " + c.Reason
			}
			if have != tc.want {
				t.Errorf("have %q, want %q", have, tc.want)
			}
			if (tc.before.EnvironmentHash == "") != tc.forgets {
				t.Errorf("what is installed: %q", tc.before.EnvironmentHash)
			}
		})
	}
}

// TestAddressesStay while a machine runs whose driver names none for a moment: whoever probes it, or logs into it, goes on. One that
// booted, or does not run, has those that are named.
func TestAddressesStay(t *testing.T) {
	other := []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.2"}}
	for name, tc := range map[string]struct {
		state v1alpha1.MachineState
		boot  string
		names []corev1.NodeAddress
		want  string
	}{
		"none for a moment": {state: v1alpha1.MachineRunning, boot: "b1", want: "10.0.0.1"},
		"of no known boot":  {state: v1alpha1.MachineRunning, want: "10.0.0.1"},
		"not known how":     {state: v1alpha1.MachineUnknown, boot: "b1", want: "10.0.0.1"},
		"another":           {state: v1alpha1.MachineRunning, boot: "b1", names: other, want: "10.0.0.2"},
		"booted":            {state: v1alpha1.MachineRunning, boot: "b2"},
		"stopped":           {state: v1alpha1.MachineStopped, boot: "b1"},
	} {
		s := status("Done", "Running")
		found(v1alpha1.MachineRunning, "b1").Write(s, 1, Missing{}, noon)
		r := found(tc.state, tc.boot)
		r.Machine.Addresses = tc.names
		r.Write(s, 1, Missing{}, noon)
		if have := Address(s.Addresses); have != tc.want {
			t.Errorf("%s: %q, want %q", name, have, tc.want)
		}
	}
}

// TestOnlyKnowledgeMoves: whatever comes, Reachable is False only after the driver said that the machine does not run, or was surely not
// found GoneReads times over GoneAfter; and an unchanged reading writes nothing.
func TestOnlyKnowledgeMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, missing, now := status("Done", "Running"), Missing{}, noon
		var since time.Time
		var reads int
		var stopped, gone bool
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			kind := rapid.SampledFrom([]string{"Running", "Stopped", "Unknown", "gone", "gone", "gone", "silent", "empty"}).Draw(t, "answer")
			r := found(v1alpha1.MachineState(kind), "b1")
			switch kind {
			case "gone", "empty":
				if reads++; reads == 1 {
					since = now
				}
				r = Reading{Err: machine.ErrGone, ListIsEmpty: kind == "empty"}
				gone = gone || kind == "gone" && reads >= GoneReads && now.Sub(since) >= GoneAfter
				stopped = false
			case "silent":
				r, stopped = Reading{Err: errors.New("silent")}, false
			default:
				reads, stopped, gone = 0, kind == "Stopped", false
			}
			missing = r.Write(s, 1, missing, now)
			Hearing{Answer: Heard}.Write(s, 1, now)
			if have := apimeta.IsStatusConditionFalse(s.Conditions, v1alpha1.ConditionReachable); have != (stopped || gone) {
				t.Fatalf("after %s: unreachable %v, want %v (%d reads over %s)", kind, have, stopped || gone, reads, now.Sub(since))
			}
			before := s.DeepCopy()
			if r.Err == nil {
				r.Write(s, 1, missing, now)
				Hearing{Answer: Heard}.Write(s, 1, now)
				if !equality.Semantic.DeepEqual(before, s) {
					t.Fatalf("the same answer wrote again: %v, then %v", before, s)
				}
			}
		}
	})
}

func TestDue(t *testing.T) {
	at := &metav1.Time{Time: noon}
	waits := map[int32]time.Duration{0: Poll, 1: 10 * time.Second, 2: 20 * time.Second, 6: 320 * time.Second, 50: 10 * time.Minute}
	for attempts, want := range waits {
		if have := Due(v1alpha1.Task{StartedAt: at, Attempts: attempts}).Sub(noon); have != want {
			t.Errorf("%d attempts: %s, want %s", attempts, have, want)
		}
	}
	if !Due(v1alpha1.Task{}).IsZero() {
		t.Error("a new task waits")
	}
}

func TestNextAndDone(t *testing.T) {
	list := func(states ...v1alpha1.TaskState) (out []v1alpha1.Task) {
		for _, s := range states {
			out = append(out, v1alpha1.Task{State: s})
		}
		return out
	}
	for name, tc := range map[string]struct {
		tasks []v1alpha1.Task
		next  int
		done  bool
	}{
		"none":             {next: -1},
		"all":              {tasks: list("Succeeded", "Skipped"), next: -1, done: true},
		"second":           {tasks: list("Succeeded", "Running", "Pending"), next: 1},
		"failed":           {tasks: list("Failed", "Pending"), next: -1},
		"waits":            {tasks: list("AwaitingApproval", "Pending"), next: -1},
		"after a rejected": {tasks: []v1alpha1.Task{{State: "Skipped", Gate: "g"}}, next: -1},
	} {
		if next, done := Next(tc.tasks), Done(tc.tasks); next != tc.next || done != tc.done {
			t.Errorf("%s: %d %v, want %d %v", name, next, done, tc.next, tc.done)
		}
	}
}

// TestInstant: tasks that ask somebody are none of these.
func TestInstant(t *testing.T) {
	for _, kind := range []v1alpha1.TaskType{v1alpha1.TaskAttachMonitor, v1alpha1.TaskPauseMonitor, v1alpha1.TaskNotify} {
		if have, _, ok := Instant(kind); have != v1alpha1.TaskSucceeded || !ok {
			t.Errorf("%s: %s", kind, have)
		}
	}
	for _, kind := range []v1alpha1.TaskType{
		v1alpha1.TaskCreateMachine, v1alpha1.TaskDeleteMachine, v1alpha1.TaskProbe, v1alpha1.TaskInstallPackages,
		v1alpha1.TaskVerifyEnvironment, v1alpha1.TaskDeployCode, v1alpha1.TaskCheckHealth, v1alpha1.TaskRecordLoadBalancer,
		v1alpha1.TaskAttachLoadBalancer, v1alpha1.TaskDrainLoadBalancer, v1alpha1.TaskDetachLoadBalancer,
	} {
		if _, _, ok := Instant(kind); ok {
			t.Errorf("%s is instant", kind)
		}
	}
}

// TestAgain: work on a machine that fails is tried five times, with growing waits, and then asks a person.
func TestAgain(t *testing.T) {
	task := v1alpha1.Task{State: v1alpha1.TaskPending}
	for n := range MaxAttempts {
		if task.State == v1alpha1.TaskFailed {
			t.Fatalf("failed for good after %d", n)
		}
		Again(&task, noon, "it said no")
	}
	if task.State != v1alpha1.TaskFailed || task.Message != "it said no" || task.Attempts != MaxAttempts {
		t.Errorf("%+v", task)
	}
}

// TestWatch: while nothing is new, nothing is written.
func TestWatch(t *testing.T) {
	task := v1alpha1.Task{State: v1alpha1.TaskPending}
	Watch(&task, noon, "half")
	before := task
	Watch(&task, noon.Add(time.Minute), "half")
	if !equality.Semantic.DeepEqual(before, task) || task.State != v1alpha1.TaskRunning {
		t.Errorf("%+v, then %+v", before, task)
	}
}

func TestEnvironment(t *testing.T) {
	jdk := []v1alpha1.Package{{Name: "jdk", Version: "21"}}
	if Environment(nil, "") != "none" || Environment(jdk, "") == Environment(jdk, "aabbccdd") || len(Environment(jdk, "")) > 64 {
		t.Errorf("%s, %s", Environment(nil, ""), Environment(jdk, ""))
	}
}

func TestAddress(t *testing.T) {
	a := func(kind corev1.NodeAddressType, address string) corev1.NodeAddress {
		return corev1.NodeAddress{Type: kind, Address: address}
	}
	all := []corev1.NodeAddress{a(corev1.NodeHostName, "web"), a(corev1.NodeExternalIP, "192.0.2.1"), a(corev1.NodeInternalIP, "10.0.0.1")}
	for want, list := range map[string][]corev1.NodeAddress{"10.0.0.1": all, "192.0.2.1": all[:2], "web": all[:1], "": nil} {
		if have := Address(list); have != want {
			t.Errorf("%v: %q, want %q", list, have, want)
		}
	}
}

func TestCut(t *testing.T) {
	if have := Cut(strings.Repeat("é", 2000)); len(have) > 1024 || strings.ContainsRune(have, '\uFFFD') {
		t.Errorf("%d bytes", len(have))
	}
}
