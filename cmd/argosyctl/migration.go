package main

import (
	"cmp"
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
		Long: "Applications are named KIND/NAME or KIND NAME, such as deployment/web, in the namespace of -n.\n" +
			"An admin lists them on a MigrationWhitelist; these commands show where each stands and what a person decides.",
	}
	m := &migrationCommands{flags: flags, out: streams.Out, errOut: streams.ErrOut}
	command.AddCommand(m.status(), m.get(), m.watch(), m.plan(), rehearsable(m.approve()), rehearsable(m.reject()),
		rehearsable(m.rollback()), rehearsable(m.readopt()), rehearsable(m.leave()))
	for _, one := range command.Commands() {
		one.ValidArgsFunction = once(completeMigrations(flags))
	}
	command.AddCommand(m.list(), m.generate())
	for _, one := range []*cobra.Command{m.pause(), m.resume()} {
		one.ValidArgsFunction = once(completeNames(flags, whitelists))
		command.AddCommand(one)
	}
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
		return nil, nil, m.missing(ctx, control, application)
	}
	return control, migration, nil
}

// noPlan was named, and where one is read.
func (m *migrationCommands) noPlan(application string) error {
	namespace, _, err := m.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig of karmada-apiserver (--kubeconfig, --context): %w", err)
	}
	return fmt.Errorf("name the plan you have read with --plan: 'argosyctl migration plan -n %s %s' shows it", namespace, application)
}

// missing says that an application is on no whitelist, and which of its namespace are.
func (m *migrationCommands) missing(ctx context.Context, control client.Client, application publish.Application) error {
	var list v1alpha1.MigrationList
	if err := control.List(ctx, &list, client.InNamespace(application.Namespace)); err != nil {
		return fmt.Errorf("listing migrations: %w", err)
	}
	there := "no other of the namespace has one; -n names another"
	for i := range list.Items {
		if i == 0 {
			there = "the namespace has " + named(&list.Items[i])
		} else if i < 5 {
			there += ", " + named(&list.Items[i])
		}
	}
	if more := len(list.Items) - 5; more > 0 {
		there += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("%s/%s in namespace %s has no Migration: put it on a MigrationWhitelist first (%s)",
		application.Kind, application.Name, application.Namespace, there)
}

// named as people write it.
func named(migration *v1alpha1.Migration) string {
	return strings.ToLower(migration.Spec.Kind) + "/" + migration.Spec.Name
}

func (m *migrationCommands) status() *cobra.Command {
	all, format := false, ""
	command := &cobra.Command{
		Use:   "status [KIND/NAME]",
		Short: "Show where applications stand; with a name, everything known about one",
		Example: "  argosyctl migration status -A\n" +
			"  argosyctl migration status -n shop deployment/web",
		Args: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneApplication(command, args)
		},
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) > 0 {
				control, migration, err := m.one(command.Context(), typed(args))
				if err != nil {
					return err
				}
				if done, err := printObjects(m.out, format, control, true, migration); done {
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
			objects := make([]client.Object, len(list.Items))
			for i := range list.Items {
				objects[i] = &list.Items[i]
			}
			if done, err := printObjects(m.out, format, control, false, objects...); done {
				return err
			}
			if len(list.Items) == 0 {
				fmt.Fprintln(m.errOut, "No application has a Migration here: name a namespace with -n, or see all with -A")
				return nil
			}
			return writeStatuses(m.out, list.Items, all)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "show the applications of every namespace")
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	return command
}

func (m *migrationCommands) plan() *cobra.Command {
	all, format := false, ""
	command := &cobra.Command{
		Use:   "plan KIND/NAME",
		Short: "Show what a take-over would change, per cluster, object and field",
		Example: "  argosyctl migration plan -n shop deployment/web\n" +
			"  argosyctl migration plan -n shop deployment/web -o json",
		Args: oneApplication,
		RunE: func(command *cobra.Command, args []string) error {
			_, migration, err := m.one(command.Context(), typed(args))
			if err != nil {
				return err
			}
			if migration.Status.Plan == nil {
				fmt.Fprintf(m.out, "There is no plan now: %s\n", advancing(migration))
				return nil
			}
			if done, err := structured(m.out, format, migration.Status.Plan); done {
				return err
			}
			if err := plan.Write(m.out, migration.Status, all); err != nil {
				return err
			}
			if migration.Status.Plan.Harmful > 0 {
				return nil
			}
			fmt.Fprintf(m.out, "Approved: %s\n", cmp.Or(migration.Status.ApprovalsDone, "-"))
			if reason(migration) == v1alpha1.ReasonAwaitingApproval {
				fmt.Fprintf(m.out, "To approve it:\n  argosyctl migration approve -n %s %s --plan %s\n",
					migration.Namespace, named(migration), migration.Status.Plan.Hash)
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
		Use:   "approve KIND/NAME --plan HASH",
		Short: "Approve a plan you have read; another person must as well",
		Example: "  argosyctl migration plan -n shop deployment/web      # read it; it ends with the hash\n" +
			"  argosyctl migration approve -n shop deployment/web --plan 05b37a0f5f91a76b68c5bed271e446933fcefea0acba980dfc6c84da15ad4877",
		Args: oneApplication,
		RunE: func(command *cobra.Command, args []string) error {
			if hash == "" {
				return m.noPlan(typed(args))
			}
			control, migration, err := m.one(command.Context(), typed(args))
			if err != nil {
				return err
			}
			control = writer(command, control, m.out)
			if err := decide(command.Context(), control, migration, v1alpha1.Approval{PlanHash: hash}); err != nil {
				return fmt.Errorf("approving plan %s: %w", hash, err)
			}
			last := migration.Spec.Approvals[len(migration.Spec.Approvals)-1]
			given := len(plan.Approvers(migration.Spec.Approvals, hash, plan.ApprovalsSince(migration.Status)))
			_, needed, _ := strings.Cut(migration.Status.ApprovalsDone, "/")
			fmt.Fprintf(m.out, "plan %s of %s is approved by %s: %d of %s\n",
				hash, named(migration), cmp.Or(last.User, "-"), given, cmp.Or(needed, "-"))
			return nil
		},
	}
	command.Flags().StringVar(&hash, "plan", "", "hash of the plan you have read ('argosyctl migration plan' shows it)")
	complete(command, "plan", completePlan(m.flags))
	return command
}

func (m *migrationCommands) reject() *cobra.Command {
	hash, reason := "", ""
	command := &cobra.Command{
		Use:   "reject KIND/NAME --plan HASH --reason TEXT",
		Short: "Reject a plan you have read, with the reason; nobody's approval outweighs it",
		Long: "Keeps a plan that waits from being carried out, however many approve it, until you approve it after all or another plan is\n" +
			"drawn up. Who may approve may reject. What is open already is taken back with rollback.",
		Example: "  argosyctl migration reject -n shop deployment/web --plan 05b37a0f5f91... --reason 'not before the sale is over'",
		Args:    oneApplication,
		RunE: func(command *cobra.Command, args []string) error {
			switch {
			case hash == "":
				return m.noPlan(typed(args))
			case reason == "":
				return errors.New("say why with --reason: somebody has to put it right")
			}
			control, migration, err := m.one(command.Context(), typed(args))
			if err != nil {
				return err
			}
			control = writer(command, control, m.out)
			if opened(migration) {
				return fmt.Errorf("%s is %s, its plan was approved and is being carried out: take it back with 'argosyctl migration rollback -n %s %s'",
					named(migration), migration.Status.Phase, migration.Namespace, named(migration))
			}
			decision := v1alpha1.Approval{PlanHash: hash, Decision: v1alpha1.DecisionReject, Reason: reason}
			if err := decide(command.Context(), control, migration, decision); err != nil {
				return fmt.Errorf("rejecting plan %s: %w", hash, err)
			}
			last := migration.Spec.Approvals[len(migration.Spec.Approvals)-1]
			fmt.Fprintf(m.out, "plan %s of %s is rejected by %s: %s\n", hash, named(migration), cmp.Or(last.User, "-"), reason)
			return nil
		},
	}
	command.Flags().StringVar(&hash, "plan", "", "hash of the plan you have read ('argosyctl migration plan' shows it)")
	command.Flags().StringVar(&reason, "reason", "", "why, for whoever puts it right")
	complete(command, "plan", completePlan(m.flags))
	return command
}

// opened says whether the plan of an application is past deciding about.
func opened(migration *v1alpha1.Migration) bool {
	switch migration.Status.Phase {
	case v1alpha1.PhaseOpening, v1alpha1.PhaseSoaking, v1alpha1.PhaseFederated:
		return true
	}
	return migration.Status.RemovalStartTime != nil
}

func (m *migrationCommands) rollback() *cobra.Command {
	reason := ""
	command := &cobra.Command{
		Use:     "rollback KIND/NAME",
		Aliases: []string{"abort"},
		Short:   "Take an application back under static management; nothing is deleted, no pod restarts",
		Long: "Takes an application back under static management, and keeps it there whatever whitelists say, until readopt. Its entry stays\n" +
			"where it is, and the others of its batch go on without it. Nothing is deleted and no pod restarts. It works while argosy-webhook\n" +
			"is down. It can be adopted again with readopt, or leave the control plane for good with leave.",
		Example: "  argosyctl migration rollback -n shop deployment/web --reason 'errors since 14:05'",
		Args:    oneApplication,
		RunE: func(command *cobra.Command, args []string) error {
			control, migration, err := m.one(command.Context(), typed(args))
			if err != nil {
				return err
			}
			control = writer(command, control, m.out)
			if migration.Spec.Rollback != nil {
				fmt.Fprintf(m.out, "%s is rolled back already: it is %s\n", typed(args), migration.Status.Phase)
				return nil
			}
			before := migration.DeepCopy()
			migration.Spec.Rollback = &v1alpha1.Rollback{Reason: reason}
			if err := control.Patch(command.Context(), migration, client.MergeFrom(before)); err != nil {
				return fmt.Errorf("rolling back %s: %w", typed(args), err)
			}
			fmt.Fprintf(m.out, "%s is rolled back, whatever whitelists say; it is cut off as soon as every Work is proved suspended ('argosyctl "+
				"migration status')\n", typed(args))
			return nil
		},
	}
	command.Flags().StringVar(&reason, "reason", "", "why, for whoever finds it rolled back")
	return command
}

// takeBack a rollback by hand: the application keeps its entry, with trigger, clusters and place in the list.
func (m *migrationCommands) takeBack(ctx context.Context, control client.Client, migration *v1alpha1.Migration) error {
	if migration.Spec.Rollback == nil {
		return nil
	}
	before := migration.DeepCopy()
	migration.Spec.Rollback = nil
	if err := control.Patch(ctx, migration, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("taking back the rollback: %w", err)
	}
	return nil
}

func (m *migrationCommands) readopt() *cobra.Command {
	name := ""
	command := &cobra.Command{
		Use:     "readopt KIND/NAME",
		Aliases: []string{"retry"},
		Short:   "Adopt an application again: after a rollback, or after a failure was put right",
		Example: "  argosyctl migration readopt -n shop deployment/web",
		Args:    oneApplication,
		RunE: func(command *cobra.Command, args []string) error {
			control, migration, err := m.one(command.Context(), typed(args))
			if err != nil {
				return err
			}
			control = writer(command, control, m.out)
			if err := m.again(command.Context(), control, migration); err != nil {
				return err
			}
			if err := m.takeBack(command.Context(), control, migration); err != nil {
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
	fmt.Fprintf(m.out, "%s: attempt %d begins, %s\n", named(migration), migration.Spec.Attempt, what)
	return nil
}

// relist puts an application back on the whitelist it was on.
func (m *migrationCommands) relist(ctx context.Context, control client.Client, migration *v1alpha1.Migration, name string) error {
	application := named(migration)
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
	entry := v1alpha1.WhitelistEntry{
		Namespace: migration.Namespace, WorkloadReference: migration.Spec.WorkloadReference, Environment: migration.Status.Environment,
	}
	for _, cluster := range migration.Status.Clusters {
		entry.Clusters = append(entry.Clusters, cluster.Name)
	}
	whitelist := &v1alpha1.MigrationWhitelist{}
	whitelist.Name = name
	err = editWhitelist(ctx, control, whitelist, func(entries []v1alpha1.WhitelistEntry) []v1alpha1.WhitelistEntry {
		return append(entries, entry)
	})
	if err != nil {
		return fmt.Errorf("putting %s on whitelist %s: %w", application, name, err)
	}
	fmt.Fprintf(m.out, "%s is on whitelist %s again; a plan is drawn up from what the members have now\n", application, name)
	return nil
}

func (m *migrationCommands) leave() *cobra.Command {
	return &cobra.Command{
		Use:   "leave KIND/NAME",
		Short: "Remove a cut-off application from the control plane; the members keep everything",
		Long: "Removes an application that was rolled back from the control plane for good, once a plan that changes nothing in its\n" +
			"members is approved. The members keep everything.",
		Example: "  argosyctl migration leave -n shop deployment/web",
		Args:    oneApplication,
		RunE: func(command *cobra.Command, args []string) error {
			control, migration, err := m.one(command.Context(), typed(args))
			if err != nil {
				return err
			}
			control = writer(command, control, m.out)
			if listed, err := editEntries(command.Context(), control, migration, nil); err != nil {
				return err
			} else if listed != "" && migration.Spec.Rollback == nil {
				return fmt.Errorf("%s is on whitelist %s: roll it back first ('argosyctl migration rollback')", typed(args), listed)
			}
			before := migration.DeepCopy()
			migration.Spec.AfterCutOff = v1alpha1.AfterCutOffLeave
			if err := control.Patch(command.Context(), migration, client.MergeFrom(before)); err != nil {
				return fmt.Errorf("asking %s to leave: %w", typed(args), err)
			}
			fmt.Fprintf(m.out, "%s leaves once a plan that changes nothing in its members is approved ('argosyctl migration plan')\n", typed(args))
			return nil
		},
	}
}
