package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/process"
)

func statusCommand(at func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show every component, its state and its memory",
		Args:  cobra.NoArgs,
		RunE: in(at, func(cmd *cobra.Command, dir string, _ []string) error {
			s, err := lab.ReadStatus(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return printStatus(cmd.OutOrStdout(), s)
		}),
	}
}

// printStatus fails when a component has failed: scripts need not read the table.
func printStatus(out io.Writer, s lab.Status) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tSTATE\tPID\tMEMORY")
	var failed []string
	for _, u := range s.Units {
		pid, memory := "-", "-"
		if u.PID != 0 {
			pid, memory = fmt.Sprint(u.PID), fmt.Sprintf("%d MiB", u.MemoryBytes>>20)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", u.Name, u.State, pid, memory)
		if u.State == lab.Failed {
			failed = append(failed, u.Name)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if s.Starting {
		fmt.Fprintln(out, "\nThe federation is starting.")
		return nil
	}
	fmt.Fprintf(out, "\nReady after %.1f s; %d MiB of memory in all.\n", s.ReadySeconds, lab.MemoryBytes(s.Units)>>20)
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s; see 'argosy-lab logs %s', bring it back with 'argosy-lab start %s'", strings.Join(failed, ", "), failed[0],
			failed[0])
	}
	return nil
}

func envCommand(at func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print shell commands that point kubectl and karmadactl at the federation",
		Args:  cobra.NoArgs,
		RunE: in(at, func(cmd *cobra.Command, dir string, _ []string) error {
			l, err := lab.Open(dir)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "export KUBECONFIG=%q\n", l.Kubeconfig)
			fmt.Fprintf(out, "export PATH=%q:$PATH\n", filepath.Join(l.Root, "bin"))
			fmt.Fprintf(out, "# contexts: karmada (current), %s\n", strings.Join(l.Members, ", "))
			return nil
		}),
	}
}

func logsCommand(at func() (string, error)) *cobra.Command {
	var lines int
	c := &cobra.Command{
		Use:   "logs COMPONENT",
		Short: "Show the end of a component's log; without a component, list the logs",
		Args:  cobra.MaximumNArgs(1),
		RunE: in(at, func(cmd *cobra.Command, dir string, args []string) error {
			logs := filepath.Join(dir, "logs")
			if len(args) == 0 {
				return listLogs(cmd.OutOrStdout(), logs)
			}
			path := filepath.Join(logs, filepath.FromSlash(args[0])+".log")
			tail, err := process.Tail(path, lines)
			if errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("no log of %q in %s: 'argosy-lab logs' lists them", args[0], logs)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.Join(tail, "\n"))
			fmt.Fprintf(cmd.ErrOrStderr(), "(%s)\n", path)
			return nil
		}),
	}
	c.Flags().IntVarP(&lines, "lines", "n", 50, "how many last lines")
	return c
}

func listLogs(out io.Writer, logs string) error {
	paths, err := filepath.Glob(filepath.Join(logs, "*.log"))
	if err != nil {
		return err
	}
	nested, err := filepath.Glob(filepath.Join(logs, "*", "*.log"))
	if err != nil {
		return err
	}
	if len(paths)+len(nested) == 0 {
		return fmt.Errorf("there are no logs in %s", logs)
	}
	for _, path := range append(paths, nested...) {
		name, err := filepath.Rel(logs, strings.TrimSuffix(path, ".log"))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, filepath.ToSlash(name))
	}
	return nil
}

// fault is what can be done to a member or a component, to see what the federation makes of it.
type fault struct {
	verb, short string
	do          func(*lab.Lab, context.Context, string) error
	// done is what the component is then.
	done string
}

var (
	stopFault  = fault{"stop", "End a member or one component at once, as a power cut would", (*lab.Lab).Stop, "stopped"}
	startFault = fault{"start", "Bring a stopped member or component back and wait until it is ready", (*lab.Lab).Start, "ready"}
)

func faultCommand(at func() (string, error), f fault) *cobra.Command {
	return &cobra.Command{
		Use:   f.verb + " MEMBER[/COMPONENT]",
		Short: f.short,
		Example: fmt.Sprintf("  argosy-lab %[1]s member2\n  argosy-lab %[1]s member2/kruise-manager\n  argosy-lab %[1]s karmada/scheduler",
			f.verb),
		Args: cobra.ExactArgs(1),
		RunE: in(at, func(cmd *cobra.Command, dir string, args []string) error {
			l, err := lab.Open(dir)
			if err != nil {
				return err
			}
			if err := f.do(l, cmd.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s.\n", args[0], f.done)
			return nil
		}),
	}
}
