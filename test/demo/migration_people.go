package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/static"
)

// What people do in the scene of the migration: approve, edit the whitelist, and clear up after an earlier performance.

// approve as two people; the webhook stamps each approval with its giver.
func (s *townScene) approve(ctx context.Context, one *v1alpha1.Migration) error {
	for _, person := range []string{"alice", "bob"} {
		as, err := s.as(person, lab.Approver)
		if err != nil {
			return err
		}
		err = retry.RetryOnConflict(writesMeet(), func() error {
			if err := as.Get(ctx, client.ObjectKeyFromObject(one), one); err != nil {
				return err
			}
			if one.Status.Plan == nil {
				return errors.New("it has no plan")
			}
			if slices.Contains(plan.Approvers(one.Spec.Approvals, one.Status.Plan.Hash, plan.ApprovalsSince(one.Status)), person) {
				return nil
			}
			before := one.DeepCopy()
			one.Spec.Approvals = append(one.Spec.Approvals, v1alpha1.Approval{PlanHash: one.Status.Plan.Hash})
			return as.Patch(ctx, one, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		})
		if err != nil {
			return fmt.Errorf("approving %s as %s: %w", one.Name, person, err)
		}
	}
	return nil
}

func (s *townScene) edit(ctx context.Context, change func(*v1alpha1.MigrationWhitelistSpec)) error {
	return retry.RetryOnConflict(writesMeet(), func() error {
		whitelist := &v1alpha1.MigrationWhitelist{}
		if err := s.Karmada.Get(ctx, client.ObjectKey{Name: town}, whitelist); err != nil {
			return err
		}
		change(&whitelist.Spec)
		return s.Karmada.Update(ctx, whitelist)
	})
}

// soak sets how long an application is watched before it counts as federated.
func (s *townScene) soak(ctx context.Context, period time.Duration) error {
	err := s.edit(ctx, func(spec *v1alpha1.MigrationWhitelistSpec) {
		spec.Strategy.SoakSeconds = ptr.To(int32(period.Seconds()))
	})
	if err != nil {
		return fmt.Errorf("setting the soak: %w", err)
	}
	return nil
}

// soakAnew changes the soak and has it approved: the terms are part of a plan, so those of applications that wait are drawn anew.
func (s *townScene) soakAnew(ctx context.Context, period time.Duration, waiting []static.App) error {
	before := map[string]string{}
	for _, app := range waiting {
		one, err := s.migration(ctx, app)
		if err != nil {
			return err
		}
		if one.Status.Plan != nil {
			before[app.Name] = one.Status.Plan.Hash
		}
	}
	if err := s.soak(ctx, period); err != nil {
		return err
	}
	s.Expect(ctx, "plans drawn anew, for the terms have changed", fmt.Sprint(len(waiting)), func(ctx context.Context) (string, error) {
		anew := 0
		for _, app := range waiting {
			one, err := s.migration(ctx, app)
			if err != nil {
				return "", err
			}
			if one.Status.Plan != nil && one.Status.Plan.Hash != before[app.Name] {
				anew++
			}
		}
		return fmt.Sprint(anew), nil
	})
	return s.approveAll(ctx, waiting)
}

func (s *townScene) drop(ctx context.Context, app static.App) error {
	err := s.edit(ctx, func(spec *v1alpha1.MigrationWhitelistSpec) {
		spec.Entries = slices.DeleteFunc(spec.Entries, func(entry v1alpha1.WhitelistEntry) bool { return entry.Name == app.Name })
	})
	if err != nil {
		return fmt.Errorf("taking %s off the whitelist: %w", user(app), err)
	}
	return nil
}

// sweep removes what an earlier performance left, the way out that the product has.
func (s *townScene) sweep(ctx context.Context) error {
	err := s.edit(ctx, func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = nil })
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	s.Say("letting the applications of an earlier performance leave the federation")
	err = wait.PollUntilContextTimeout(ctx, time.Second, 5*time.Minute, true, s.swept)
	if err != nil {
		return fmt.Errorf("letting the applications of an earlier performance leave: %w", err)
	}
	if err := s.Karmada.Delete(ctx, &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: town}}); err != nil {
		return fmt.Errorf("deleting the whitelist of an earlier performance: %w", err)
	}
	for name, member := range s.Members {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: town}}
		if err := client.IgnoreNotFound(member.Delete(ctx, namespace)); err != nil {
			return fmt.Errorf("emptying namespace %s of %s: %w", town, name, err)
		}
		err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
			err := member.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			return fmt.Errorf("waiting until namespace %s of %s is gone: %w", town, name, err)
		}
	}
	return nil
}

// swept sees every Migration out, and deletes its record.
func (s *townScene) swept(ctx context.Context) (bool, error) {
	var list v1alpha1.MigrationList
	if err := s.Karmada.List(ctx, &list, client.InNamespace(town)); err != nil {
		return false, err
	}
	for i := range list.Items {
		one := &list.Items[i]
		before := one.DeepCopy()
		switch {
		case one.Status.Phase == v1alpha1.PhaseLeft:
			if err := client.IgnoreNotFound(s.Karmada.Delete(ctx, one)); err != nil {
				return false, err
			}
		case one.Spec.AfterCutOff != v1alpha1.AfterCutOffLeave:
			one.Spec.AfterCutOff = v1alpha1.AfterCutOffLeave
			if err := s.Karmada.Patch(ctx, one, client.MergeFrom(before)); err != nil {
				return false, err
			}
		case one.Status.Phase == v1alpha1.PhaseLeaving && one.Status.Plan != nil && one.Status.Plan.Purpose == v1alpha1.PlanLeave:
			if err := s.approve(ctx, one); err != nil {
				return false, err
			}
		}
	}
	return len(list.Items) == 0, nil
}
