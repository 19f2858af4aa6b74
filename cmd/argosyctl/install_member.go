package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/internal/install"
)

func newInstallMemberCommand(member *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var image, output string
	var replicas int64
	cmd := &cobra.Command{
		Use:   "member-manager --image IMAGE",
		Short: "Put argosy-member-manager into a member cluster, or refresh it",
		Long: `Applies to a member (--kubeconfig, --context: the member's, not Karmada's) the kinds that members act upon, namespace
argosy-system, the rights of argosy-member-manager and its Deployment. It may be run again at any time. With -o yaml it prints what it would
apply and asks nobody, for whoever brings clusters up from a repository.`,
		Example: `  argosyctl install member-manager --kubeconfig member1.kubeconfig \
    --image registry.example/argosy/argosy-member-manager:v0.3.0`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case image == "":
				return errors.New("--image is needed: where make images was pushed to, such as registry.example/argosy/argosy-member-manager:v0.3.0")
			case replicas < 1:
				return fmt.Errorf("--replicas %d: at least one must run", replicas)
			case output == "yaml":
				return printMemberObjects(streams, image, replicas)
			case output != "":
				return fmt.Errorf("--output %q is not known: use yaml", output)
			}
			config, err := restConfig(member)
			if err != nil {
				return err
			}
			return install.Member(cmd.Context(), config, streams.Out, image, replicas)
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "image of argosy-member-manager")
	cmd.Flags().Int64Var(&replicas, "replicas", 2, "how many run; one works, the others stand by")
	cmd.Flags().StringVarP(&output, "output", "o", "", "yaml prints the objects instead of applying them")
	return cmd
}

func printMemberObjects(streams genericiooptions.IOStreams, image string, replicas int64) error {
	objects, err := install.MemberObjects(image, replicas)
	if err != nil {
		return err
	}
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(streams.Out, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}

func newUninstallMemberCommand(member *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
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
			return install.MemberGone(cmd.Context(), config, streams.Out)
		},
	}
}
