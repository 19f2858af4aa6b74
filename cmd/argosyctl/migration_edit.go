package main

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// approve adds an approval to the Migration as it is now: its controller writes it too, every few seconds.
func approve(ctx context.Context, control client.Client, migration *v1alpha1.Migration, hash string) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		before := &v1alpha1.Migration{}
		if err := control.Get(ctx, client.ObjectKeyFromObject(migration), before); err != nil {
			return err
		}
		before.DeepCopyInto(migration)
		switch plan := migration.Status.Plan; {
		case plan == nil:
			return fmt.Errorf("there is no plan to approve now: %s", advancing(migration))
		case plan.Hash != hash:
			return fmt.Errorf("it is not the current plan, which is %s: read it with 'argosyctl migration plan -n %s %s' and approve that",
				plan.Hash, migration.Namespace, named(migration))
		}
		// Approvals of plans that are past only take room.
		migration.Spec.Approvals = slices.DeleteFunc(migration.Spec.Approvals, func(approval v1alpha1.Approval) bool {
			return approval.PlanHash != hash
		})
		migration.Spec.Approvals = append(migration.Spec.Approvals, v1alpha1.Approval{PlanHash: hash})
		return control.Patch(ctx, migration, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}

// editEntries changes the entries of the whitelist that lists an application, and says which that is; a nil
// change only looks.
func editEntries(ctx context.Context, control client.Client, migration *v1alpha1.Migration,
	change func([]v1alpha1.WhitelistEntry) []v1alpha1.WhitelistEntry) (string, error) {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := control.List(ctx, &whitelists); err != nil {
		return "", fmt.Errorf("listing whitelists: %w", err)
	}
	for i := range whitelists.Items {
		whitelist := &whitelists.Items[i]
		if len(without(whitelist.Spec.Entries, migration)) == len(whitelist.Spec.Entries) {
			continue
		}
		if change != nil {
			if err := editWhitelist(ctx, control, whitelist, change); err != nil {
				return "", fmt.Errorf("editing whitelist %s: %w", whitelist.Name, err)
			}
		}
		return whitelist.Name, nil
	}
	return "", nil
}

// editWhitelist as it is now: its controller sums up in it what its applications do.
func editWhitelist(ctx context.Context, control client.Client, whitelist *v1alpha1.MigrationWhitelist,
	change func([]v1alpha1.WhitelistEntry) []v1alpha1.WhitelistEntry) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now := &v1alpha1.MigrationWhitelist{}
		if err := control.Get(ctx, client.ObjectKeyFromObject(whitelist), now); err != nil {
			return err
		}
		now.Spec.Entries = change(now.Spec.Entries)
		return control.Update(ctx, now)
	})
}

func without(entries []v1alpha1.WhitelistEntry, migration *v1alpha1.Migration) []v1alpha1.WhitelistEntry {
	return slices.DeleteFunc(slices.Clone(entries), func(entry v1alpha1.WhitelistEntry) bool {
		return entry.Namespace == migration.Namespace && entry.WorkloadReference == migration.Spec.WorkloadReference
	})
}
