package workload

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// Approvers look at a Release and approve each stage that waits for people; one who has no right to tries before.
type Approvers struct {
	// Admin reaches the control plane as an administrator, Karmada as the run does.
	Admin   *rest.Config
	Karmada client.Client
	// Release is its namespace and name.
	Release client.ObjectKey
	Clock   clock.Clock
	Note    func(context.Context, history.Note) error

	count map[string]int
	// tried is the stage that somebody without the right tried last: once is enough.
	tried string
}

// ApproveStage is what approvers do.
const ApproveStage = "approve-stage"

// refused is what follows the name of an operation that was not accepted, where users' operations are counted.
const refused = "-refused"

// keptApprovals is how many of an approver's own are left in a Release, which has room for a hundred.
const keptApprovals = 50

// Work until the context ends.
func (a *Approvers) Work(ctx context.Context) {
	a.count = map[string]int{}
	for {
		a.visit(ctx)
		select {
		case <-ctx.Done():
			return
		case <-a.Clock.After(look):
		}
	}
}

// Done is how often each thing was done.
func (a *Approvers) Done() map[string]int { return a.count }

func (a *Approvers) visit(ctx context.Context) {
	release := &releasev1alpha1.Release{}
	if err := a.Karmada.Get(ctx, a.Release, release); err != nil {
		return // the next visit finds it
	}
	s := release.Status
	if !meta.IsStatusConditionTrue(s.Conditions, releasev1alpha1.ConditionAwaitingApproval) {
		return
	}
	if stage := s.Revision + " " + s.Stage; a.tried != stage {
		switch err := a.approve(ctx, release, "eve", "system:authenticated"); {
		case err == nil:
			a.did(ctx, history.Trespass)
		case apierrors.IsForbidden(err):
			a.tried = stage
			a.did(ctx, ApproveStage+refused)
		}
	}
	if a.approve(ctx, release, "alice", lab.ReleaseApprover) == nil {
		a.did(ctx, ApproveStage)
	}
}

func (a *Approvers) did(ctx context.Context, what string) {
	a.count[what]++
	// A history with a hole is told by its collector.
	_ = a.Note(context.WithoutCancel(ctx), history.Note{Kind: history.Operation, Name: what, Target: a.Release.Name})
}

// approve the stage a Release is in, as a person. What is overtaken by another's write, or approved already, is looked at with the next
// visit.
func (a *Approvers) approve(ctx context.Context, release *releasev1alpha1.Release, person, role string) error {
	revision, stage := release.Status.Revision, release.Status.Stage
	if slices.ContainsFunc(release.Spec.Approvals, func(one releasev1alpha1.Approval) bool {
		return one.Revision == revision && one.Stage == stage && one.User == person
	}) {
		return errNothing
	}
	as, err := client.New(lab.Person(a.Admin, person, role), client.Options{Scheme: a.Karmada.Scheme()})
	if err != nil {
		return err
	}
	next := release.DeepCopy()
	if len(next.Spec.Approvals) > keptApprovals {
		next.Spec.Approvals = slices.DeleteFunc(next.Spec.Approvals, func(one releasev1alpha1.Approval) bool {
			return one.User == person && one.Revision != revision
		})
	}
	now := metav1.NewTime(a.Clock.Now())
	next.Spec.Approvals = append(next.Spec.Approvals, releasev1alpha1.Approval{Revision: revision, Stage: stage, User: person, Time: &now})
	return as.Patch(ctx, next, client.MergeFromWithOptions(release, client.MergeFromWithOptimisticLock{}))
}

// reject the revision of a Release that is going out.
func (u *Users) reject(ctx context.Context, app App) error {
	release := &releasev1alpha1.Release{}
	if err := u.Karmada.Get(ctx, client.ObjectKey{Namespace: u.Namespace, Name: app.Name}, release); err != nil {
		return fmt.Errorf("reading the Release of %s: %w", app.Name, err)
	}
	d := release.Status.Dispatch
	if d == nil || d.Revision == d.Stable || slices.Contains(release.Spec.Rejected, d.Revision) {
		return errNothing
	}
	before := release.DeepCopy()
	// A Release has room for twenty, and only the one that is going out matters to this user.
	release.Spec.Rejected = []string{d.Revision}
	return u.Karmada.Patch(ctx, release, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
