package deploy

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/remote"
)

// What a system surely knows. Every other error may pass by itself.
var (
	// ErrInvalid: it will never deploy this, however often it is asked.
	ErrInvalid = errors.New("refused for good")
	// ErrFenced: a later holder of the lock has worked on this machine.
	ErrFenced = errors.New("a later holder works on this machine")
)

// Job is one release for one server. The same ID is the same work.
type Job struct {
	ID string
	// Sequence of the lock it is done under.
	Sequence int64
	// Server is namespace/name; Machine is the key its driver knows it by.
	Server, Machine string
	Addresses       []corev1.NodeAddress
	// Target is how the machine is logged into; only System ssh needs it.
	Target  remote.Target
	Release v1alpha1.Release
}

// State of a job.
type State string

// The states.
const (
	// Absent: the system knows no such job, or lost it: it may be started.
	Absent State = "Absent"
	// Running goes on.
	Running State = "Running"
	// Succeeded: the server has the release.
	Succeeded State = "Succeeded"
	// Failed: it ended otherwise. Another try needs another ID.
	Failed State = "Failed"
)

// Progress of a job.
type Progress struct {
	State   State
	Message string
}

// System deploys code. Both calls return at once, and may be repeated.
type System interface {
	// Start the job, unless it was started before. It may have been started although an error is returned.
	Start(ctx context.Context, job Job) error
	// Observe how far it is.
	Observe(ctx context.Context, job Job) (Progress, error)
	// Check says in words why a release can never be deployed by this system.
	Check(release v1alpha1.Release) error
}

// Names of the systems.
const (
	SystemSSH  = "ssh"
	SystemHTTP = "http"
)

// NameOf is the system of a release: ssh where none is named.
func NameOf(release v1alpha1.Release) string {
	if release.System == "" {
		return SystemSSH
	}
	return release.System
}
