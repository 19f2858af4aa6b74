package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/argosy-dev/argosy/internal/install"
)

func newInstallMemberCommand(member *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var output, machinesCA, stage string
	var options install.MemberOptions
	cmd := &cobra.Command{
		Use:   "member-manager --image IMAGE",
		Short: "Put argosy-member-manager into a member cluster, or refresh it",
		Long: `Applies to a member (--kubeconfig, --context: the member's, not Karmada's) the kinds that members act upon, namespace
argosy-system, the rights of argosy-member-manager, its configuration, its Deployment, and the admission of what people decide
there. Its certificate lasts 90 days: run this again within 60, or nobody can approve in that member any more; nothing else stops.
With -o yaml it prints what it would apply and asks nobody, for whoever brings clusters up from a repository; without the
admission, whose keys are made for each member.`,
		Example: `  argosyctl install member-manager --kubeconfig member1.kubeconfig \
    --image registry.example/argosy/argosy-member-manager:v0.3.0

  # A new version beside it, for Components labelled component.luojilab.com/controller-id=next
  argosyctl install member-manager --kubeconfig member1.kubeconfig --controller-id next \
    --image registry.example/argosy/argosy-member-manager:v0.4.0`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Prepare = stage == stagePrepare
			if err := memberProblem(options, stage, output, machinesCA); err != nil {
				return err
			}
			if machinesCA != "" {
				var err error
				if options.MachinesCA, err = os.ReadFile(machinesCA); err != nil {
					return fmt.Errorf("reading --machines-ca: %w", err)
				}
			}
			if output != "" {
				return printMemberObjects(streams, options, output)
			}
			config, err := restConfig(member)
			if err != nil {
				return err
			}
			if rehearsing(cmd) {
				return install.MemberDryRun(cmd.Context(), config, streams.Out, options, changedFields)
			}
			return install.Member(cmd.Context(), config, streams.Out, options)
		},
	}
	cmd.Flags().StringVar(&options.MachinesURL, "machines-url", "",
		"where the machine driver http makes machines: a server of docs/reference/machines.openapi.yaml")
	cmd.Flags().StringVar(&machinesCA, "machines-ca", "", "file with the authority of its certificate")
	cmd.Flags().StringVar(&stage, "stage", stageAll,
		"All, or Prepare: kinds, rights, certificate and admission without the program, which the chart deploy/member runs")
	cmd.Flags().StringVar(&options.ControllerID, "controller-id", "default",
		"another name makes a second manager beside the default one, for the Components that the label component.luojilab.com/controller-id "+
			"gives to it")
	cmd.Flags().BoolVar(&options.ServeBeta, "serve-v1beta1", false,
		"have the member serve Components as v1beta1 too, which this program converts: kubectl, garbage collection and the deletion of "+
			"namespaces prefer that version, and wait while the program is away")
	cmd.Flags().StringVar(&options.Image, "image", "", "image of argosy-member-manager")
	cmd.Flags().Int64Var(&options.Replicas, "replicas", 2, "how many run; one works, the others stand by")
	cmd.Flags().StringVarP(&output, "output", "o", "", "print the objects instead of applying them: "+manifestHelp)
	cmd.Flags().Bool(dryRunFlag, false, "say which objects would be created, and show every field that would change; change nothing")
	cmd.MarkFlagsMutuallyExclusive("output", dryRunFlag)
	return cmd
}

func printMemberObjects(streams genericiooptions.IOStreams, options install.MemberOptions, format string) error {
	objects, err := install.MemberObjects(options)
	if err != nil {
		return err
	}
	manifests := make([]any, len(objects))
	for i := range objects {
		manifests[i] = objects[i]
	}
	return printManifests(streams.Out, format, manifests)
}

func newUninstallMemberCommand(member *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	controllerID := ""
	cmd := &cobra.Command{
		Use:   "member-manager",
		Short: "Take argosy-member-manager out of a member cluster, and leave what runs",
		Long: `Deletes the program, its account and its rights from a member (--kubeconfig, --context: the member's). Kinds, Components
and what they became stay and go on running as they are; nobody changes them any more.`,
		Example: "  argosyctl uninstall member-manager --kubeconfig member1.kubeconfig",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := restConfig(member)
			if err != nil {
				return err
			}
			removal := install.MemberRemoval{ControllerID: controllerID, Rehearsal: rehearsing(cmd)}
			return install.MemberGone(cmd.Context(), config, streams.Out, removal)
		},
	}
	cmd.Flags().StringVar(&controllerID, "controller-id", "default", "another name takes the manager of that name away, and nothing else")
	cmd.Flags().Bool(dryRunFlag, false, "say what would be deleted, and delete nothing")
	return cmd
}

// memberProblem is what does not go together; nil: it all does.
func memberProblem(options install.MemberOptions, stage, output, machinesCA string) error {
	switch {
	case stage != stageAll && stage != stagePrepare:
		return fmt.Errorf("--stage %q: want %s or %s", stage, stageAll, stagePrepare)
	case options.Prepare && options.Beside():
		return fmt.Errorf("--stage %s makes what all managers of the member share: leave --controller-id out", stagePrepare)
	case options.Image == "" && !options.Prepare:
		return errors.New("--image is needed: where make images was pushed to, such as registry.example/argosy/argosy-member-manager:v0.3.0")
	case options.Replicas < 1:
		return fmt.Errorf("--replicas %d: at least one must run", options.Replicas)
	case output != "" && !isFormat(output):
		return fmt.Errorf("--output %q is not known: use %s", output, manifestHelp)
	case machinesCA != "" && options.MachinesURL == "":
		return errors.New("--machines-ca is of no use without --machines-url")
	case options.MachinesURL != "" && !strings.HasPrefix(options.MachinesURL, "https://"):
		return fmt.Errorf("--machines-url %q: want an address that begins with https://", options.MachinesURL)
	}
	return betaProblem(options, output)
}

func betaProblem(options install.MemberOptions, output string) error {
	switch {
	case options.ServeBeta && options.Beside():
		return errors.New("--serve-v1beta1 is of the default manager: leave --controller-id out")
	case options.ServeBeta && output != "":
		return errors.New("--serve-v1beta1 needs the certificate that is made on the way: leave --output out")
	}
	return nil
}
