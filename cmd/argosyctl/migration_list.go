package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// migrationType as kubectl names it in full.
const migrationType = "migrations.migration.argosy.dev"

// list, get and watch are kubectl's own get.
func (m *migrationCommands) list() *cobra.Command {
	command := m.getter().many(false)
	command.Use, command.Aliases = "list", []string{"ls"}
	command.Short = "List applications as kubectl get does, with its outputs and selectors"
	command.Example = "  argosyctl migration list -A\n" +
		"  argosyctl migration list -n shop -o wide\n" +
		"  argosyctl migration list -A -o custom-columns=APP:.metadata.name,PHASE:.status.phase,WHY:.status.blocked"
	command.Args = cobra.NoArgs
	return command
}

func (m *migrationCommands) get() *cobra.Command {
	command, _ := m.getter().command(false)
	command.Use = "get KIND/NAME"
	command.Short = "Show an application's record as kubectl get does"
	command.Example = "  argosyctl migration get -n shop deployment/web -o yaml\n" +
		"  argosyctl migration get -n shop deployment/web -o jsonpath='{.status.phase}'"
	command.Args = oneApplication
	return command
}

func (m *migrationCommands) watch() *cobra.Command {
	command := m.getter().many(true)
	command.Use = "watch [KIND/NAME]"
	command.Short = "Follow applications, or one of them, as kubectl get -w does"
	command.Example = "  argosyctl migration watch -A\n" +
		"  argosyctl migration watch -n shop deployment/web"
	command.Args = func(command *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return oneApplication(command, args)
	}
	return command
}

// getter of Migrations; an application is named by its workload.
func (m *migrationCommands) getter() getter {
	return getter{
		flags: m.flags, streams: genericiooptions.IOStreams{Out: m.out, ErrOut: m.errOut}, types: migrationType,
		named: func(command *cobra.Command, args []string) (string, error) {
			_, migration, err := m.one(command.Context(), typed(args))
			if err != nil {
				return "", err
			}
			return migration.Name, nil
		},
	}
}

func (m *migrationCommands) pause() *cobra.Command {
	return m.mode(v1alpha1.ModePause, &cobra.Command{
		Use:   "pause WHITELIST",
		Short: "Start and open nothing further of a whitelist; rollbacks go on",
		Example: "  argosyctl migration pause shop\n" +
			"  argosyctl migration resume shop",
	})
}

func (m *migrationCommands) resume() *cobra.Command {
	return m.mode(v1alpha1.ModeRun, &cobra.Command{
		Use:     "resume WHITELIST",
		Short:   "Go on with a whitelist that was paused",
		Example: "  argosyctl migration resume shop",
	})
}

// mode of a whole whitelist: an application has none of its own.
func (m *migrationCommands) mode(mode v1alpha1.Mode, command *cobra.Command) *cobra.Command {
	command.Args = func(command *cobra.Command, args []string) error {
		if len(args) == 1 && !strings.Contains(args[0], "/") {
			return nil
		}
		return fmt.Errorf("name one MigrationWhitelist, such as: %s shop; an application is taken back with 'argosyctl migration rollback'",
			command.CommandPath())
	}
	command.RunE = func(command *cobra.Command, args []string) error {
		control, _, err := controlPlane(m.flags)
		if err != nil {
			return err
		}
		control = writer(command, control, m.out)
		whitelist := &v1alpha1.MigrationWhitelist{}
		whitelist.Name = args[0]
		if err := control.Get(command.Context(), client.ObjectKeyFromObject(whitelist), whitelist); err != nil {
			return misnamedWhitelist(command, control, args[0], err)
		}
		if whitelist.Spec.Mode == mode {
			fmt.Fprintf(m.out, "whitelist %s is at mode %s already\n", whitelist.Name, mode)
			return nil
		}
		before := whitelist.DeepCopy()
		whitelist.Spec.Mode = mode
		if err := control.Patch(command.Context(), whitelist, client.MergeFrom(before)); err != nil {
			return fmt.Errorf("setting the mode of whitelist %s: %w", whitelist.Name, err)
		}
		fmt.Fprintf(m.out, "whitelist %s is at mode %s: %s\n", whitelist.Name, mode, modes[mode])
		return nil
	}
	return rehearsable(command)
}

var modes = map[v1alpha1.Mode]string{
	v1alpha1.ModePause: "nothing is started or opened; rollbacks go on",
	v1alpha1.ModeRun:   "its applications go on",
}

// misnamedWhitelist says which there are.
func misnamedWhitelist(command *cobra.Command, control client.Client, name string, err error) error {
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading whitelist %s: %w", name, err)
	}
	var list v1alpha1.MigrationWhitelistList
	if err := control.List(command.Context(), &list); err != nil {
		return fmt.Errorf("there is no MigrationWhitelist %s: listing those there are: %w", name, err)
	}
	there := "the control plane has none"
	for i := range list.Items {
		if i == 0 {
			there = "there is " + list.Items[i].Name
		} else {
			there += ", " + list.Items[i].Name
		}
	}
	return fmt.Errorf("there is no MigrationWhitelist %s: %s", name, there)
}

func whitelists() client.ObjectList { return &v1alpha1.MigrationWhitelistList{} }
