package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/publish"
)

// newMigrationCommand groups what people do about an application on its way.
func newMigrationCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:     "migration",
		Aliases: []string{"migrations", "mig"},
		Short:   "Bring applications under federation, and back",
		Long: "Applications are named kind/name, such as deployment/web, in the namespace of -n.\n" +
			"An admin lists them on a MigrationWhitelist; these commands show where each stands and what a person decides.",
	}
	m := &migrationCommands{flags: flags, out: streams.Out, errOut: streams.ErrOut}
	command.AddCommand(m.status(), m.plan(), m.approve(), m.rollback(), m.readopt(), m.leave())
	return command
}

type migrationCommands struct {
	flags       *genericclioptions.ConfigFlags
	out, errOut io.Writer
}

// one application named on the command line, with its Migration.
func (m *migrationCommands) one(ctx context.Context, name string) (client.Client, *v1alpha1.Migration, error) {
	control, namespace, err := controlPlane(m.flags)
	if err != nil {
		return nil, nil, err
	}
	application, err := parseApplication(namespace, name)
	if err != nil {
		return nil, nil, err
	}
	migration, err := publish.Find(ctx, control, application)
	if err != nil {
		return nil, nil, err
	}
	if migration == nil {
		return nil, nil, fmt.Errorf("%s in namespace %s has no Migration: put it on a MigrationWhitelist first", name, namespace)
	}
	return control, migration, nil
}

func (m *migrationCommands) status() *cobra.Command {
	all, format := false, ""
	command := &cobra.Command{
		Use:   "status [kind/name]",
		Short: "Show where applications stand; with a name, everything known about one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				_, migration, err := m.one(command.Context(), args[0])
				if err != nil {
					return err
				}
				if done, err := structured(m.out, format, migration); done {
					return err
				}
				return writeStatus(m.out, migration)
			}
			control, namespace, err := controlPlane(m.flags)
			if err != nil {
				return err
			}
			var list v1alpha1.MigrationList
			var options []client.ListOption
			if !all {
				options = append(options, client.InNamespace(namespace))
			}
			if err := control.List(command.Context(), &list, options...); err != nil {
				return fmt.Errorf("listing migrations: %w", err)
			}
			if done, err := structured(m.out, format, list); done {
				return err
			}
			return writeStatuses(m.out, list.Items)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "show the applications of every namespace")
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	return command
}

func (m *migrationCommands) plan() *cobra.Command {
	all, format := false, ""
	command := &cobra.Command{
		Use:   "plan kind/name",
		Short: "Show what a take-over would change, per cluster, object and field",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			_, migration, err := m.one(command.Context(), args[0])
			if err != nil {
				return err
			}
			if migration.Status.Plan == nil {
				fmt.Fprintf(m.out, "No plan has been drawn up yet: %s\n", advancing(migration))
				return nil
			}
			if done, err := structured(m.out, format, migration.Status.Plan); done {
				return err
			}
			if err := plan.Write(m.out, migration.Status, all); err != nil {
				return err
			}
			if migration.Status.Plan.Harmful == 0 {
				fmt.Fprintf(m.out, "Approved %s. To approve: argosyctl migration approve -n %s %s --plan %s\n",
					orDash(migration.Status.ApprovalsDone), migration.Namespace, args[0], migration.Status.Plan.Hash)
			}
			return nil
		},
	}
	command.Flags().BoolVar(&all, "all", false, "show bookkeeping metadata as well")
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	return command
}

func (m *migrationCommands) approve() *cobra.Command {
	hash := ""
	command := &cobra.Command{
		Use:   "approve kind/name --plan HASH",
		Short: "Approve a plan you have read; another person must as well",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, migration, err := m.one(command.Context(), args[0])
			if err != nil {
				return err
			}
			before := migration.DeepCopy()
			// Approvals of plans that are past only take room.
			kept := migration.Spec.Approvals[:0:0]
			for _, approval := range migration.Spec.Approvals {
				if migration.Status.Plan != nil && approval.PlanHash == migration.Status.Plan.Hash {
					kept = append(kept, approval)
				}
			}
			migration.Spec.Approvals = append(kept, v1alpha1.Approval{PlanHash: hash})
			if err := control.Patch(command.Context(), migration, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
				return fmt.Errorf("approving plan %s: %w", hash, err)
			}
			last := migration.Spec.Approvals[len(migration.Spec.Approvals)-1]
			fmt.Fprintf(m.out, "plan %s of %s is approved by %s\n", hash, args[0], orDash(last.User))
			return nil
		},
	}
	command.Flags().StringVar(&hash, "plan", "", "hash of the plan you have read ('argosyctl migration plan' shows it)")
	_ = command.MarkFlagRequired("plan")
	return command
}

func (m *migrationCommands) rollback() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback kind/name",
		Short: "Take an application off its whitelist: back under static management, nothing deleted, no pod restarted",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, migration, err := m.one(command.Context(), args[0])
			if err != nil {
				return err
			}
			found, err := editEntries(command.Context(), control, migration, func(entries []v1alpha1.WhitelistEntry) []v1alpha1.WhitelistEntry {
				return without(entries, migration)
			})
			if err != nil {
				return err
			}
			if found == "" {
				return fmt.Errorf("%s is on no whitelist: it is %s already", args[0], migration.Status.Phase)
			}
			fmt.Fprintf(m.out, "%s is off whitelist %s; it is cut off as soon as every Work is proved suspended ('argosyctl migration status')\n", args[0], found)
			return nil
		},
	}
}

func (m *migrationCommands) readopt() *cobra.Command {
	name := ""
	command := &cobra.Command{
		Use:   "readopt kind/name",
		Short: "Adopt an application again: after a rollback, or after a failure was put right",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, migration, err := m.one(command.Context(), args[0])
			if err != nil {
				return err
			}
			if err := m.again(command.Context(), control, migration); err != nil {
				return err
			}
			return m.relist(command.Context(), control, migration, name)
		},
	}
	command.Flags().StringVar(&name, "whitelist", "", "whitelist to put it on, when it is on none; default the one it was on")
	return command
}

// again asks for another attempt after a failure, and takes back a wish to leave.
func (m *migrationCommands) again(ctx context.Context, control client.Client, migration *v1alpha1.Migration) error {
	before := migration.DeepCopy()
	migration.Spec.AfterCutOff = v1alpha1.AfterCutOffKeep
	failure := migration.Status.Failure
	failed := failure != nil && migration.Spec.Attempt <= failure.Attempt
	if failed {
		migration.Spec.Attempt = failure.Attempt + 1
	}
	if err := control.Patch(ctx, migration, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("asking for another attempt: %w", err)
	}
	if !failed {
		return nil
	}
	what := "with a new plan to approve"
	if failure.Action == v1alpha1.OnFailurePause {
		what = "from where it was paused"
	}
	fmt.Fprintf(m.out, "%s/%s: attempt %d begins, %s\n", strings.ToLower(migration.Spec.Kind), migration.Spec.Name, migration.Spec.Attempt, what)
	return nil
}

// relist puts an application back on the whitelist it was on.
func (m *migrationCommands) relist(ctx context.Context, control client.Client, migration *v1alpha1.Migration, name string) error {
	application := strings.ToLower(migration.Spec.Kind) + "/" + migration.Spec.Name
	listed, err := editEntries(ctx, control, migration, nil)
	if err != nil {
		return err
	}
	if listed != "" {
		fmt.Fprintf(m.out, "%s is on whitelist %s\n", application, listed)
		return nil
	}
	if name == "" {
		name = migration.Status.Whitelist
	}
	if name == "" || migration.Status.Environment == "" {
		return errors.New("it is not known which whitelist it was on: add the entry to a MigrationWhitelist yourself")
	}
	whitelist := &v1alpha1.MigrationWhitelist{}
	if err := control.Get(ctx, client.ObjectKey{Name: name}, whitelist); err != nil {
		return fmt.Errorf("reading whitelist %s: %w", name, err)
	}
	entry := v1alpha1.WhitelistEntry{
		Namespace: migration.Namespace, WorkloadReference: migration.Spec.WorkloadReference, Environment: migration.Status.Environment,
	}
	for _, cluster := range migration.Status.Clusters {
		entry.Clusters = append(entry.Clusters, cluster.Name)
	}
	whitelist.Spec.Entries = append(whitelist.Spec.Entries, entry)
	if err := control.Update(ctx, whitelist); err != nil {
		return fmt.Errorf("putting %s on whitelist %s: %w", application, name, err)
	}
	fmt.Fprintf(m.out, "%s is on whitelist %s again; a plan is drawn up from what the members have now\n", application, name)
	return nil
}

func (m *migrationCommands) leave() *cobra.Command {
	return &cobra.Command{
		Use:   "leave kind/name",
		Short: "Remove an application that is cut off from the control plane for good; the members keep everything",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, migration, err := m.one(command.Context(), args[0])
			if err != nil {
				return err
			}
			if listed, err := editEntries(command.Context(), control, migration, nil); err != nil {
				return err
			} else if listed != "" {
				return fmt.Errorf("%s is on whitelist %s: roll it back first ('argosyctl migration rollback')", args[0], listed)
			}
			before := migration.DeepCopy()
			migration.Spec.AfterCutOff = v1alpha1.AfterCutOffLeave
			if err := control.Patch(command.Context(), migration, client.MergeFrom(before)); err != nil {
				return fmt.Errorf("asking %s to leave: %w", args[0], err)
			}
			fmt.Fprintf(m.out, "%s leaves once a plan that changes nothing in its members is approved ('argosyctl migration plan')\n", args[0])
			return nil
		},
	}
}

// editEntries changes the entries of the whitelist that lists an application, and says which that is; a nil
// change only looks.
func editEntries(ctx context.Context, control client.Client, migration *v1alpha1.Migration, change func([]v1alpha1.WhitelistEntry) []v1alpha1.WhitelistEntry) (string, error) {
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
			whitelist.Spec.Entries = change(whitelist.Spec.Entries)
			if err := control.Update(ctx, whitelist); err != nil {
				return "", fmt.Errorf("editing whitelist %s: %w", whitelist.Name, err)
			}
		}
		return whitelist.Name, nil
	}
	return "", nil
}

func without(entries []v1alpha1.WhitelistEntry, migration *v1alpha1.Migration) []v1alpha1.WhitelistEntry {
	var kept []v1alpha1.WhitelistEntry
	for _, entry := range entries {
		if entry.Namespace != migration.Namespace || entry.WorkloadReference != migration.Spec.WorkloadReference {
			kept = append(kept, entry)
		}
	}
	return kept
}
