package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/iaas"
	"github.com/argosy-dev/argosy/test/lab/usage"
)

// shape is how a person describes a federation on the command line.
type shape struct {
	members, nodes int
	memberNodes    string
	pull           []string
	karmada        string
	kubernetes     string
	flags          []string
	descheduler    bool
	audit          bool
	stock          bool
	port           int
}

// everyNamespace has replicas that move after ten seconds: a person should not wait for five minutes to see it.
var everyNamespace = []string{"*"}

func (s shape) options(dir string) (lab.Options, error) {
	o := lab.DefaultOptions()
	o.Dir, o.Stock, o.APIServerPort, o.Pull = dir, s.stock, s.port, s.pull
	o.Karmada, o.MemberKubernetes = s.karmada, s.kubernetes
	o.Descheduler, o.Audit = s.descheduler, s.audit
	o.Reschedule = everyNamespace
	for _, given := range s.flags {
		process, value, ok := strings.Cut(given, "=")
		if !ok || !strings.HasPrefix(value, "--") {
			return o, fmt.Errorf("--flag %s: write process=--flag=value, such as karmada/scheduler=--feature-gates=PriorityBasedScheduling=true",
				given)
		}
		if o.Flags == nil {
			o.Flags = map[string][]string{}
		}
		o.Flags[process] = append(o.Flags[process], value)
	}
	o.Nodes = nil
	if s.memberNodes != "" {
		for field := range strings.SplitSeq(s.memberNodes, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(field))
			if err != nil {
				return o, fmt.Errorf("--member-nodes %q: %q is not a number; write one number for each member, such as 3,4,5", s.memberNodes, field)
			}
			o.Nodes = append(o.Nodes, n)
		}
		return o, o.Validate()
	}
	for range s.members {
		o.Nodes = append(o.Nodes, s.nodes)
	}
	return o, o.Validate()
}

func upCommand(at func() (string, error)) *cobra.Command {
	var s shape
	c := &cobra.Command{
		Use:   "up",
		Short: "Build what is missing, start a federation and leave it running",
		Args:  cobra.NoArgs,
		RunE: in(at, func(cmd *cobra.Command, dir string, _ []string) error {
			options, err := s.options(dir)
			if err != nil {
				return err
			}
			l, err := up(cmd.Context(), options, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			lookAround(cmd.OutOrStdout(), l)
			return nil
		}),
	}
	c.Flags().IntVar(&s.members, "members", 3, "number of member clusters")
	c.Flags().IntVar(&s.nodes, "nodes", 5, "nodes of each member")
	c.Flags().StringVar(&s.memberNodes, "member-nodes", "", "nodes member by member, such as 3,4,5; overrides --members and --nodes")
	c.Flags().StringSliceVar(&s.pull, "pull", nil, "members registered in pull mode, each with a karmada-agent, such as member3")
	c.Flags().
		StringVar(&s.karmada, "karmada", "", "version of Karmada, one of "+strings.Join(binaries.Karmadas(), ", ")+"; empty is the newest")
	c.Flags().
		StringVar(&s.kubernetes, "member-kubernetes", "", "version of the members' Kubernetes, one of "+strings.Join(binaries.Kubernetes(), ", ")+
			"; empty is the newest")
	c.Flags().
		StringArrayVar(&s.flags, "flag", nil,
			"a further flag of a process, such as karmada/scheduler=--feature-gates=PriorityBasedScheduling=true; may be given several times")
	c.Flags().BoolVar(&s.descheduler, "descheduler", false, "run karmada-descheduler too")
	c.Flags().BoolVar(&s.audit, "audit", false, "let every API server write who changes what, into logs/<plane>/audit.log")
	c.Flags().BoolVar(&s.stock, "stock", false, "leave Argosy out: Karmada as it comes")
	c.Flags().IntVar(&s.port, "apiserver-port", 0, "port of karmada-apiserver; 0 chooses a free one")
	return c
}

// up starts a federation and puts what people type beside Argosy's programs.
func up(ctx context.Context, options lab.Options, out io.Writer) (*lab.Lab, error) {
	l, err := lab.Up(ctx, options, out)
	if err != nil {
		return nil, err
	}
	if err := l.LinkCommands(); err != nil {
		return nil, err
	}
	units, err := l.Status(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Ready after %.1f s; the federation takes %d MiB of memory.\n", l.ReadySeconds, lab.MemoryBytes(units)>>20)
	why, err := l.WhyNoGuests(ctx)
	if err != nil {
		return nil, err
	}
	if why != "" {
		fmt.Fprintf(out, "Its virtual machines are made, but none can be logged into, so nothing is delivered to them: %s.\n", why)
	}
	return l, nil
}

func lookAround(out io.Writer, l *lab.Lab) {
	fmt.Fprintf(out, `
Look around:
  eval "$(%[1]s/argosy-lab env)"      # KUBECONFIG, and kubectl, karmadactl and argosyctl on the PATH
  kubectl get clusters                # the members, as Karmada sees them
  kubectl --context member1 get pods -A
  karmadactl get cloneset -A --operation-scope=all
  %[1]s/argosy-lab status
Stop it:
  make down
`, relative(filepath.Join(l.Root, "bin")))
}

// relative shortens a path that lies below the working directory.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}

func downCommand(at func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the federation and remove its state",
		Args:  cobra.NoArgs,
		RunE: in(at, func(cmd *cobra.Command, dir string, _ []string) error {
			if err := lab.Down(cmd.Context(), dir); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "The federation is down.")
			return nil
		}),
	}
}

// superviseCommand is what `up` starts; nobody calls it by hand.
func superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:    lab.SuperviseCommand + " OPTIONS",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := lab.DecodeOptions(args[0])
			if err != nil {
				return err
			}
			// `up` handed these over: where to report, and what ends when it dies.
			reports, alive := os.NewFile(3, "reports"), os.NewFile(4, "alive")
			if reports == nil || alive == nil {
				return errors.New("supervise is started by 'argosy-lab up' only")
			}
			return lab.Supervise(cmd.Context(), options, reports, alive)
		},
	}
}

func usageCommand() *cobra.Command {
	var options usage.Options
	c := &cobra.Command{
		Use:    lab.UsageCommand,
		Short:  "Serve metrics.k8s.io of a member",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return usage.Serve(cmd.Context(), options) },
	}
	c.Flags().StringVar(&options.Kubeconfig, "kubeconfig", "", "reaches the member")
	c.Flags().StringVar(&options.Address, "address", "", "to listen at")
	c.Flags().StringVar(&options.Certificate, "tls-cert-file", "", "certificate")
	c.Flags().StringVar(&options.Key, "tls-private-key-file", "", "key")
	return c
}

func machinesCommand() *cobra.Command {
	var options iaas.Options
	c := &cobra.Command{
		Use:    lab.MachinesCommand,
		Short:  "Serve the lab's own IaaS",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return iaas.Serve(cmd.Context(), options) },
	}
	c.Flags().StringVar(&options.Address, "address", "", "to listen at")
	c.Flags().StringVar(&options.Certificate, "tls-cert-file", "", "certificate")
	c.Flags().StringVar(&options.Key, "tls-private-key-file", "", "key")
	c.Flags().StringVar(&options.Dir, "machines", "", "folder for the machines' files")
	return c
}
