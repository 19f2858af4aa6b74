package sshdeploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/remote"
)

// System deploys over SSH.
type System struct{ Client *remote.Client }

var _ deploy.System = System{}

// Check says why a release can never be deployed.
func (System) Check(release v1alpha1.Release) error { return Check(release) }

// Start the job.
func (s System) Start(ctx context.Context, job deploy.Job) error {
	if err := Check(job.Release); err != nil {
		return err
	}
	err := s.Client.Start(ctx, job.Target, remote.Work{Sequence: job.Sequence, Name: job.ID, Script: Script(job.Release)})
	if errors.Is(err, remote.ErrFenced) {
		return fmt.Errorf("%w: %w", deploy.ErrFenced, err)
	}
	return err
}

// Observe how far it is.
func (s System) Observe(ctx context.Context, job deploy.Job) (deploy.Progress, error) {
	status, err := s.Client.Status(ctx, job.Target)
	if err != nil {
		return deploy.Progress{}, err
	}
	switch {
	case status.Name != job.ID, status.State == remote.Lost, status.State == remote.None:
		return deploy.Progress{State: deploy.Absent}, nil
	case status.State == remote.Running:
		return deploy.Progress{State: deploy.Running, Message: status.LastLine()}, nil
	case status.Code != 0:
		return deploy.Progress{State: deploy.Failed, Message: fmt.Sprintf("the script ended with %d: %s", status.Code, status.End(800))}, nil
	}
	return deploy.Progress{State: deploy.Succeeded}, nil
}
