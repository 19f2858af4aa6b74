package migration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// listed finds the application's entry, its turn, and its neighbours.
func (c *Controller) listed(ctx context.Context, migration *v1alpha1.Migration, world *plan.World) error {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := c.Reader.List(ctx, &whitelists); err != nil {
		return fmt.Errorf("listing whitelists: %w", err)
	}
	slices.SortFunc(whitelists.Items, func(a, b v1alpha1.MigrationWhitelist) int { return strings.Compare(a.Name, b.Name) })
	var migrations v1alpha1.MigrationList
	if err := c.Reader.List(ctx, &migrations); err != nil {
		return fmt.Errorf("listing migrations: %w", err)
	}
	world.Neighbours = neighbours(migrations.Items, migration)
	for i := range whitelists.Items {
		whitelist := &whitelists.Items[i]
		at := entryOf(whitelist, migration)
		switch {
		case at < 0 || !whitelist.DeletionTimestamp.IsZero():
		case world.Entry != nil:
			world.Conflict = whitelist.Name
		default:
			world.Entry, world.Whitelist, world.Mode = &whitelist.Spec.Entries[at], whitelist.Name, whitelist.Spec.Mode
			world.Strategy = strategyOf(whitelist.Spec.Strategy)
			turns, _ := plan.Turns(listedOf(whitelist, migrations.Items), whitelist.Spec.Strategy.BatchWeights)
			world.Turn = turns[at]
		}
	}
	if world.Entry == nil {
		world.Strategy = strategyOf(v1alpha1.MigrationStrategy{})
		if last := whitelistNamed(whitelists.Items, migration.Status.Whitelist); last != nil {
			world.Strategy = strategyOf(last.Spec.Strategy)
		}
	}
	return nil
}

func whitelistNamed(whitelists []v1alpha1.MigrationWhitelist, name string) *v1alpha1.MigrationWhitelist {
	for i := range whitelists {
		if whitelists[i].Name == name {
			return &whitelists[i]
		}
	}
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

// listedOf gives each entry of a whitelist the state of its application.
func listedOf(whitelist *v1alpha1.MigrationWhitelist, migrations []v1alpha1.Migration) []plan.Listed {
	states := map[string]plan.State{}
	for i := range migrations {
		states[migrations[i].Namespace+"/"+migrations[i].Name] = plan.StateOf(migrations[i].Spec, migrations[i].Status)
	}
	out := make([]plan.Listed, 0, len(whitelist.Spec.Entries))
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		out = append(out, plan.Listed{
			Environment: entry.Environment, State: states[entry.Namespace+"/"+policy.Name(entry.Kind, entry.Name)],
		})
	}
	return out
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
			Owner: other.Name, Gone: !inControlPlane(other), Settled: other.Status.Phase == v1alpha1.PhaseFederated, Clusters: map[string]bool{},
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
