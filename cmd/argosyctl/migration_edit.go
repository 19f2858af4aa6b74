package main

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// decide adds a person's decision to the Migration as it is now: its controller writes it too, every few seconds. What the same person
// decided about the plan before otherwise goes with it.
func decide(ctx context.Context, control client.Client, migration *v1alpha1.Migration, decision v1alpha1.Approval) error {
	// Where the control plane does not say who asks, admission refuses a second decision by one person.
	me, err := whoAmI(ctx, control)
	if err != nil {
		me = ""
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		before := &v1alpha1.Migration{}
		if err := control.Get(ctx, client.ObjectKeyFromObject(migration), before); err != nil {
			return err
		}
		before.DeepCopyInto(migration)
		switch plan := migration.Status.Plan; {
		case plan == nil:
			return fmt.Errorf("there is no plan to decide about now: %s", advancing(migration))
		case plan.Hash != decision.PlanHash:
			return fmt.Errorf("it is not the current plan, which is %s: read it with 'argosyctl migration plan -n %s %s' and decide about that",
				plan.Hash, migration.Namespace, named(migration))
		}
		migration.Spec.Approvals = slices.DeleteFunc(migration.Spec.Approvals, func(approval v1alpha1.Approval) bool {
			otherwise := me != "" && approval.User == me && approval.Decision != decision.Decision
			// Decisions about plans that are past only take room.
			return approval.PlanHash != decision.PlanHash || otherwise
		})
		migration.Spec.Approvals = append(migration.Spec.Approvals, decision)
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
