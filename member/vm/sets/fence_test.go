package sets

import (
	"testing"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestFenced: told to stop is not stopped; a driver that cannot be asked three times over was asked enough for BestEffort.
func TestFenced(t *testing.T) {
	for name, tc := range map[string]struct {
		machine       v1alpha1.MachineState
		task          v1alpha1.Task
		tried, fenced bool
	}{
		"not asked for":   {machine: v1alpha1.MachineRunning},
		"begun":           {machine: v1alpha1.MachineRunning, task: v1alpha1.Task{State: v1alpha1.TaskRunning, Attempts: 2}},
		"in vain":         {machine: v1alpha1.MachineRunning, task: v1alpha1.Task{State: v1alpha1.TaskRunning, Attempts: 3}, tried: true},
		"told, and runs":  {machine: v1alpha1.MachineRunning, task: v1alpha1.Task{State: v1alpha1.TaskSucceeded}, tried: true},
		"told, and stops": {machine: v1alpha1.MachineStopped, task: v1alpha1.Task{State: v1alpha1.TaskSucceeded}, tried: true, fenced: true},
		"gone":            {machine: v1alpha1.MachineGone, fenced: true},
		"unknown":         {machine: v1alpha1.MachineUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			server := &v1alpha1.Server{}
			server.Status.Machine = &v1alpha1.MachineStatus{State: tc.machine}
			if tc.task.State != "" {
				tc.task.Type = v1alpha1.TaskFenceMachine
				server.Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskDetachLoadBalancer, State: v1alpha1.TaskSucceeded}, tc.task}
			}
			if have := member(server); have.FenceTried != tc.tried || have.Fenced != tc.fenced {
				t.Errorf("tried %v fenced %v, want %v %v", have.FenceTried, have.Fenced, tc.tried, tc.fenced)
			}
		})
	}
}
