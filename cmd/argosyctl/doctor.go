package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/cmd/argosyctl/doctor"
	"github.com/argosy-dev/argosy/interpreter"
)

// diagnosis is the output for programs.
type diagnosis struct {
	Checks   []string         `json:"checks"`
	Findings []doctor.Finding `json:"findings"`
}

func newDoctorCommand(karmada *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var output, address string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what keeps Karmada from asking Argosy",
		Long: `Looks in karmada-apiserver (--kubeconfig) for what silently disables Argosy's interpreter: a missing or outdated
registration, no timeout, a second webhook or a customization for the same kinds, a certificate that has expired, ends
soon or is not the caBundle's, kinds without status subresource, and workloads of two groups that share one
ResourceBinding; and for what ends otherwise than it was asked: rollouts with more updated than their partition allows, image
overrides and policies that do nothing, autoscalers in members that Karmada writes over; and for what members are to act upon:
clusters where nobody acts on Components and VM objects, policies that let Karmada's failover delete virtual machines, deletions
that wait there for a person. It changes nothing. Each finding comes with what to do; with a problem the exit code is 1.`,
		Example: `  argosyctl doctor --kubeconfig karmada.kubeconfig

  # From outside the host cluster, where the webhook's name is not known
  kubectl -n karmada-system port-forward service/argosy-webhook 9443:443 &
  argosyctl doctor --kubeconfig karmada.kubeconfig --webhook-address 127.0.0.1:9443`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := structured(io.Discard, output, nil); err != nil {
				return err
			}
			config, err := restConfig(karmada)
			if err != nil {
				return err
			}
			reader, err := doctor.NewReader(config, interpreter.Families(), address)
			if err != nil {
				return err
			}
			facts, err := reader.Gather(cmd.Context())
			if err != nil {
				return err
			}
			return report(streams.Out, output, doctor.Diagnose(facts, clock.RealClock{}.Now()))
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", outputHelp)
	cmd.Flags().
		StringVar(&address, "webhook-address", "",
			"host:port at which argosy-webhook is reached from here, when the registration's address is not")
	return cmd
}

// report prints the findings; with a problem among them it is an error.
func report(out io.Writer, output string, findings []doctor.Finding) error {
	if findings == nil {
		findings = []doctor.Finding{}
	}
	done, err := structured(out, output, diagnosis{Checks: doctor.Checks(), Findings: findings})
	if err != nil {
		return err
	}
	if !done {
		write(out, findings)
	}
	for _, f := range findings {
		if f.Severity == doctor.Problem {
			return errReported
		}
	}
	return nil
}

// write prints three lines for each finding: a table of them would be wider than a terminal.
func write(out io.Writer, findings []doctor.Finding) {
	count := map[doctor.Severity]int{}
	for _, f := range findings {
		count[f.Severity]++
		fmt.Fprintf(out, "%s (%s): %s\n  %s\n  -> %s\n\n", f.Severity, f.Check, f.Object, f.Message, f.Remedy)
	}
	fmt.Fprintf(out, "%d checks; problems: %d, warnings: %d\n", len(doctor.Checks()), count[doctor.Problem], count[doctor.Warning])
}
