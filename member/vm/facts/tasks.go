package facts

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

const (
	firstRetry = 10 * time.Second
	lastRetry  = 10 * time.Minute
	// Poll is how often work under way is looked at.
	Poll = 2 * time.Second
	// longest message a task has room for, in bytes: characters are longer.
	longest = 1024
)

// Next is the index of the task whose turn it is; -1: none, or one failed for good, or waits for a person.
func Next(tasks []v1alpha1.Task) int {
	for i := range tasks {
		switch tasks[i].State {
		case v1alpha1.TaskSucceeded, v1alpha1.TaskSkipped:
		case v1alpha1.TaskFailed, v1alpha1.TaskAwaitingApproval:
			return -1
		default:
			return i
		}
	}
	return -1
}

// Done says that all tasks ended, none of them failed or rejected.
func Done(tasks []v1alpha1.Task) bool {
	for i := range tasks {
		if s := tasks[i].State; s != v1alpha1.TaskSucceeded && (s != v1alpha1.TaskSkipped || tasks[i].Gate != "") {
			return false
		}
	}
	return len(tasks) > 0
}

// Due is when a task may be tried, or looked at, again.
func Due(task v1alpha1.Task) time.Time {
	switch {
	case task.StartedAt == nil:
		return time.Time{}
	case task.Attempts == 0:
		return task.StartedAt.Add(Poll)
	}
	wait := firstRetry
	for range min(task.Attempts-1, 10) {
		wait *= 2
	}
	return task.StartedAt.Add(min(wait, lastRetry))
}

// Begin a task, or a further look at it.
func Begin(task *v1alpha1.Task, now time.Time, message string) {
	task.State, task.StartedAt, task.Message = v1alpha1.TaskRunning, &metav1.Time{Time: now}, Cut(message)
}

// Retry a task later, for what may pass by itself: however often that fails, it is no failure for good.
func Retry(task *v1alpha1.Task, now time.Time, message string) {
	Begin(task, now, message)
	task.Attempts++
}

// MaxAttempts of work on a machine: what failed so often asks a person.
const MaxAttempts = 5

// Again says that work on a machine failed once more: it is tried again later, or failed for good.
func Again(task *v1alpha1.Task, now time.Time, message string) {
	Retry(task, now, message)
	if task.Attempts >= MaxAttempts {
		End(task, v1alpha1.TaskFailed, now, message)
	}
}

// Watch says that work goes on, and how far it is. It is begun once, and only news are written.
func Watch(task *v1alpha1.Task, now time.Time, message string) {
	if message = Cut(message); task.State != v1alpha1.TaskRunning || task.StartedAt == nil {
		Begin(task, now, message)
	}
	task.Message = message
}

// End a task.
func End(task *v1alpha1.Task, state v1alpha1.TaskState, now time.Time, message string) {
	task.State, task.FinishedAt, task.Message = state, &metav1.Time{Time: now}, Cut(message)
	if task.StartedAt == nil {
		task.StartedAt = task.FinishedAt
	}
}

// Cut a message from outside to what a status takes.
func Cut(message string) string {
	return text.Cut(message, longest)
}
