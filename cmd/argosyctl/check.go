package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/cmd/argosyctl/check"
	"github.com/argosy-dev/argosy/cmd/argosyctl/doctor"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/interpreter"
)

type checkOptions struct {
	before                                 bool
	output                                 string
	hostKubeconfig, hostNamespace, address string
	values                                 []string
}

func newCheckCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := checkOptions{}
	command := &cobra.Command{
		Use:   "check",
		Short: "See whether Argosy can be installed, or whether all of it works",
		Long: `Looks at a whole installation from karmada-apiserver: kinds and roles of this version, a leader of the controllers, an
estimator for each member, members that are Ready, and all that doctor looks at. With --host-kubeconfig also at the programs that run
in the host cluster. With --pre it looks at what an installation needs, before there is one: with --host-kubeconfig also at the
Secrets that the chart mounts, by the names of its values.

It changes nothing. The exit code is 0 when nothing is wrong (warnings are told), 1 when something does not work, and 2 when
something could not be found out.`,
		Example: `  # Before the installation
  argosyctl check --pre --kubeconfig karmada.kubeconfig --host-kubeconfig host.kubeconfig --host-namespace karmada-system \
    --values values.yaml

  # Afterwards
  argosyctl check --kubeconfig karmada.kubeconfig --host-kubeconfig host.kubeconfig --host-namespace karmada-system`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if _, err := structured(io.Discard, o.output, nil); err != nil {
				return err
			}
			if len(o.values) > 0 && (!o.before || o.hostKubeconfig == "") {
				return errors.New("--values says which Secrets --pre looks for in the host cluster: it needs --pre and --host-kubeconfig")
			}
			config, err := restConfig(flags)
			if err != nil {
				return exitError{code: exitCannotTell, err: err}
			}
			results, err := o.results(command.Context(), flags, config)
			if err != nil {
				return exitError{code: exitCannotTell, err: err}
			}
			return writeResults(streams.Out, o.output, results)
		},
	}
	command.Flags().BoolVar(&o.before, "pre", false, "look at what an installation needs, before there is one")
	command.Flags().StringVarP(&o.output, "output", "o", "text", outputHelp)
	command.Flags().StringVar(&o.hostKubeconfig, "host-kubeconfig", "",
		"kubeconfig of the host cluster, where the programs run; empty leaves it out")
	command.Flags().StringVar(&o.hostNamespace, "host-namespace", install.Namespace, "namespace of the host cluster where the programs run")
	command.Flags().StringVar(&o.address, "webhook-address", "",
		"host:port at which argosy-webhook is reached from here, when the registration's address is not")
	command.Flags().StringArrayVar(&o.values, "values", nil,
		"with --pre: file of values that the chart will be given, for the Secrets that it mounts; more than one as helm takes them")
	return command
}

// exitCannotTell ends a check that could not find something out.
const exitCannotTell = 2

func (o checkOptions) results(ctx context.Context, flags *genericclioptions.ConfigFlags, config *rest.Config) ([]check.Result, error) {
	values, err := check.ReadValues(o.values)
	if err != nil {
		return nil, err
	}
	control, _, err := controlPlane(flags)
	if err != nil {
		return nil, err
	}
	asked, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reaching karmada-apiserver: %w", err)
	}
	facts := check.Plane{Client: control, Discovery: asked}.Gather(ctx, o.before)
	facts.Client = program.Version()
	if o.hostKubeconfig != "" {
		host, err := program.Reach("the host cluster", "--host-kubeconfig", o.hostKubeconfig)
		if err != nil {
			return nil, err
		}
		facts.Host = o.host(ctx, host, values)
	}
	now := clock.RealClock{}.Now()
	if o.before {
		return check.JudgeBefore(facts, now), nil
	}
	results := check.Judge(facts, now)
	if facts.Unreachable != nil || !facts.Karmada() {
		return results, nil
	}
	return append(results, o.diagnosed(ctx, config)...), nil
}

func (o checkOptions) host(ctx context.Context, config *rest.Config, values check.Values) check.Host {
	if o.before {
		return check.AskHostBefore(ctx, config, o.hostNamespace, values)
	}
	return check.AskHost(ctx, config, o.hostNamespace)
}

// diagnosed is what doctor says.
func (o checkOptions) diagnosed(ctx context.Context, config *rest.Config) []check.Result {
	const name = "doctor"
	reader, err := doctor.NewReader(config, interpreter.Families(), o.address)
	if err != nil {
		return []check.Result{{Check: name, Status: check.Unknown, Message: err.Error()}}
	}
	facts, err := reader.Gather(ctx)
	if err != nil {
		return []check.Result{{Check: name, Status: check.Unknown, Message: err.Error()}}
	}
	findings := doctor.Diagnose(facts, clock.RealClock{}.Now())
	if len(findings) == 0 {
		return []check.Result{{Check: name, Status: check.OK,
			Message: fmt.Sprintf("%d checks of the interpreter and of workloads", len(doctor.Checks()))}}
	}
	var out []check.Result
	for _, f := range findings {
		out = append(out, check.Result{Check: f.Check, Status: check.Status(f.Severity), Message: f.Object + ": " + f.Message, Remedy: f.Remedy})
	}
	return out
}

// writeResults prints a line for each, and what to do below it; the worst of them is the exit code.
func writeResults(out io.Writer, output string, results []check.Result) error {
	done, err := structured(out, output, map[string]any{"checks": results})
	if err != nil {
		return err
	}
	count := map[check.Status]int{}
	w := newTable(out, 2)
	for _, r := range results {
		count[r.Status]++
		if done {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Status, r.Check, r.Message)
		if r.Remedy != "" {
			fmt.Fprintf(w, "\t\t-> %s\n", r.Remedy)
		}
	}
	if !done {
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d checks; problems: %d, not found out: %d, warnings: %d\n",
			len(results), count[check.Problem], count[check.Unknown], count[check.Warning])
	}
	switch {
	case count[check.Problem] > 0:
		return errReported
	case count[check.Unknown] > 0:
		return exitError{code: exitCannotTell, err: errReported}
	}
	return nil
}
