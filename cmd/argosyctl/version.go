package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/discovery"

	"github.com/argosy-dev/argosy/cmd/argosyctl/check"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/program"
)

// groups are the API groups of Argosy.
var groups = []string{
	"apps.argosy.dev", "autoscaling.argosy.dev", "migration.argosy.dev", "release.argosy.dev", "vm.argosy.dev", "component.luojilab.com",
}

// versions is the output for programs.
type versions struct {
	// Client is the version of this argosyctl.
	Client string `json:"client"`
	// APIServer is the Kubernetes version of karmada-apiserver.
	APIServer string `json:"apiServer,omitempty"`
	// Kinds of Argosy that karmada-apiserver serves, as KIND.VERSION.GROUP.
	Kinds []string `json:"kinds,omitempty"`
	// Programs of Argosy in the host cluster.
	Programs []check.Program `json:"programs,omitempty"`
}

type versionOptions struct {
	client                        bool
	output                        string
	hostKubeconfig, hostNamespace string
}

func newVersionCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := versionOptions{}
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of argosyctl, of what karmada-apiserver serves, and of the programs",
		Long: `Prints the version of argosyctl, the Kubernetes version of karmada-apiserver, and the kinds of Argosy it serves. With a
kubeconfig of the host cluster it also prints what runs there. What cannot be reached is an error, after what is known.`,
		Example: `  argosyctl version
  argosyctl version --client
  argosyctl version --host-kubeconfig host.kubeconfig --host-namespace karmada-system`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if _, err := structured(io.Discard, o.output, nil); err != nil {
				return err
			}
			found, err := o.gather(command.Context(), flags)
			if done, failed := structured(streams.Out, o.output, found); done {
				return errors.Join(failed, err)
			}
			return errors.Join(writeVersions(streams.Out, found), err)
		},
	}
	command.Flags().BoolVar(&o.client, "client", false, "print the version of argosyctl only; no cluster is asked")
	command.Flags().StringVarP(&o.output, "output", "o", "text", outputHelp)
	command.Flags().StringVar(&o.hostKubeconfig, "host-kubeconfig", "", "kubeconfig of the host cluster, to print the programs that run there")
	command.Flags().StringVar(&o.hostNamespace, "host-namespace", install.Namespace, "namespace of the host cluster where the programs run")
	return command
}

// gather reads as much as can be reached.
func (o versionOptions) gather(ctx context.Context, flags *genericclioptions.ConfigFlags) (versions, error) {
	found := versions{Client: program.Version()}
	if o.client {
		return found, nil
	}
	config, err := restConfig(flags)
	if err != nil {
		return found, err
	}
	asked, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return found, fmt.Errorf("reaching karmada-apiserver: %w", err)
	}
	version, err := asked.ServerVersion()
	if err != nil {
		return found, fmt.Errorf("asking karmada-apiserver for its version: %w", err)
	}
	found.APIServer = version.GitVersion
	_, lists, err := asked.ServerGroupsAndResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return found, fmt.Errorf("asking karmada-apiserver for its kinds: %w", err)
	}
	found.Kinds = kindsOfArgosy(lists)
	if o.hostKubeconfig == "" {
		return found, nil
	}
	found.Programs, err = o.programs(ctx)
	return found, err
}

// kindsOfArgosy are those of our groups, in order, without their subresources.
func kindsOfArgosy(lists []*metav1.APIResourceList) []string {
	var kinds []string
	for _, list := range lists {
		group, version, _ := strings.Cut(list.GroupVersion, "/")
		if !slices.Contains(groups, group) {
			continue
		}
		for _, resource := range list.APIResources {
			if !strings.Contains(resource.Name, "/") {
				kinds = append(kinds, resource.Kind+"."+version+"."+group)
			}
		}
	}
	slices.Sort(kinds)
	return kinds
}

func (o versionOptions) programs(ctx context.Context) ([]check.Program, error) {
	config, err := program.Reach("the host cluster", "--host-kubeconfig", o.hostKubeconfig)
	if err != nil {
		return nil, err
	}
	return check.Programs(ctx, config, o.hostNamespace)
}

func writeVersions(out io.Writer, found versions) error {
	w := newTable(out, 2)
	fmt.Fprintf(w, "argosyctl\t%s\n", found.Client)
	if found.APIServer != "" {
		fmt.Fprintf(w, "karmada-apiserver\t%s (Kubernetes)\n", found.APIServer)
		if len(found.Kinds) == 0 {
			fmt.Fprintf(w, "kinds of Argosy\tnone is served: 'argosyctl install' puts them in place\n")
		}
	}
	for i, kind := range found.Kinds {
		name := ""
		if i == 0 {
			name = "kinds of Argosy"
		}
		fmt.Fprintf(w, "%s\t%s\n", name, kind)
	}
	for _, p := range found.Programs {
		fmt.Fprintf(w, "%s\t%s, %d of %d ready, %s\n", p.Name, p.Version, p.Ready, p.Desired, p.Image)
	}
	return w.Flush()
}
