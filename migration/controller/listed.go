package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// listed finds the application's entry and its turn. Whose turn it is, caches tell; the entry is read from whom it is asked: an API server
// where anything follows from it, so that what a person took off a moment ago is not opened.
func (c *Controller) listed(ctx context.Context, from client.Reader, migration *v1alpha1.Migration, world *plan.World) error {
	key := client.ObjectKeyFromObject(migration)
	names := c.order.Listing(key)
	if len(names) == 0 && migration.Status.Phase == "" {
		// The whitelist that it was just made for may not have been seen yet.
		var err error
		if names, err = listing(ctx, from, migration); err != nil {
			return err
		}
	}
	for _, name := range names {
		whitelist := &v1alpha1.MigrationWhitelist{}
		if err := from.Get(ctx, client.ObjectKey{Name: name}, whitelist); err != nil {
			if apierrors.IsNotFound(err) {
				continue
			}
			return fmt.Errorf("reading whitelist %s: %w", name, err)
		}
		at := entryOf(whitelist, migration)
		switch {
		case at < 0 || !whitelist.DeletionTimestamp.IsZero():
		case world.Entry != nil:
			world.Conflict = whitelist.Name
		default:
			world.Entry, world.Whitelist, world.Mode = &whitelist.Spec.Entries[at], whitelist.Name, whitelist.Spec.Mode
			world.Strategy = strategyOf(whitelist.Spec.Strategy)
			world.Turn = c.order.Turn(name, key)
		}
	}
	if world.Entry != nil {
		return nil
	}
	world.Strategy = strategyOf(v1alpha1.MigrationStrategy{})
	if migration.Status.Whitelist == "" {
		return nil
	}
	last := &v1alpha1.MigrationWhitelist{}
	if err := from.Get(ctx, client.ObjectKey{Name: migration.Status.Whitelist}, last); err != nil {
		return client.IgnoreNotFound(err)
	}
	world.Strategy = strategyOf(last.Spec.Strategy)
	return nil
}

// listing are the names of the whitelists that list an application now.
func listing(ctx context.Context, from client.Reader, migration *v1alpha1.Migration) ([]string, error) {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := from.List(ctx, &whitelists); err != nil {
		return nil, fmt.Errorf("listing whitelists: %w", err)
	}
	var names []string
	for i := range whitelists.Items {
		if entryOf(&whitelists.Items[i], migration) >= 0 {
			names = append(names, whitelists.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// beside are the other applications of the namespace, as they are now.
func (c *Controller) beside(ctx context.Context, migration *v1alpha1.Migration, world *plan.World) error {
	var migrations v1alpha1.MigrationList
	if err := c.Reader.List(ctx, &migrations, client.InNamespace(migration.Namespace)); err != nil {
		return fmt.Errorf("listing migrations of namespace %s: %w", migration.Namespace, err)
	}
	world.Neighbours = neighbours(migrations.Items, migration)
	return nil
}

// entryOf a Migration in a whitelist, or -1.
func entryOf(whitelist *v1alpha1.MigrationWhitelist, migration *v1alpha1.Migration) int {
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		if entry.Namespace == migration.Namespace && entry.WorkloadReference == migration.Spec.WorkloadReference {
			return i
		}
	}
	return -1
}

// neighbours of an application: the others of its namespace, and where each is open.
func neighbours(migrations []v1alpha1.Migration, self *v1alpha1.Migration) map[string]plan.Neighbour {
	out := map[string]plan.Neighbour{}
	for i := range migrations {
		other := &migrations[i]
		if other.Namespace != self.Namespace || other.Name == self.Name {
			continue
		}
		neighbour := plan.Neighbour{
			Owner: other.Name, Gone: !plan.InControlPlane(other.Status), Settled: other.Status.Phase == v1alpha1.PhaseFederated,
			Clusters: map[string]bool{},
		}
		for _, cluster := range other.Status.Clusters {
			neighbour.Clusters[cluster.Name] = cluster.State == v1alpha1.ClusterOpen
		}
		ref := plan.Ref{APIVersion: other.Spec.APIVersion, Kind: other.Spec.Kind, Name: other.Spec.Name}
		out[policy.User(ref)] = neighbour
	}
	return out
}

// strategyOf fills in what the schema defaults, for whitelists that are gone.
func strategyOf(strategy v1alpha1.MigrationStrategy) plan.Strategy {
	seconds := func(value *int32, fallback int32) time.Duration {
		return time.Duration(ptr.Deref(value, fallback)) * time.Second
	}
	onFailure := strategy.OnFailure
	if onFailure == "" {
		onFailure = v1alpha1.OnFailureRollback
	}
	approvals := ptr.Deref(strategy.RequiredApprovals, 2)
	return plan.Strategy{
		Terms: v1alpha1.MigrationStrategy{
			SoakSeconds: ptr.To(ptr.Deref(strategy.SoakSeconds, 300)), RequiredApprovals: &approvals,
			Health: strategy.Health, FreezeWindows: strategy.FreezeWindows,
		},
		Soak: seconds(strategy.SoakSeconds, 300), StepTimeout: seconds(strategy.StepTimeoutSeconds, 600),
		Approvals: int(approvals), Freeze: strategy.FreezeWindows, OnFailure: onFailure,
		MaxUnavailable: allowance(strategy.Health.MaxUnavailable), Prometheus: strategy.Health.Prometheus,
	}
}
