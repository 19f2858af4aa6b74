package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	componentadopt "github.com/argosy-dev/argosy/member/component/adopt"
)

func newComponentAdoptCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := componentadopt.Wish{}
	format := ""
	command := &cobra.Command{
		Use:   "adopt KIND/NAME",
		Short: "Write the Component that a running Deployment or StatefulSet would be",
		Long: "Reads a workload of the member that --context names, and prints a Component with spec.adopt that is the same: what five fields\n" +
			"do not say stands in spec.patches. Nothing is changed. Apply it, and argosy-member-manager takes the workload over if the\n" +
			"member agrees that nothing changes. What cannot be said is told, and nothing is printed.",
		Example: "  argosyctl component adopt deployment/shop -n shop --context member1 --language java --run-type server >shop.yaml",
		Args:    oneNamed,

		ValidArgsFunction: once(completeTyped(flags, map[string]func() client.ObjectList{
			"deployment": deployments, "statefulset": statefulSets,
		})),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := structured(io.Discard, format, nil); err != nil {
				return err
			}
			member, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			component, err := adoptWorkload(command.Context(), member, namespace, typed(args), o)
			if err != nil {
				return err
			}
			_, err = structured(streams.Out, format, component)
			return err
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "yaml", manifestHelp)
	command.Flags().StringVar(&o.Name, "name", "", "name of the Component; by default the workload's")
	command.Flags().StringVar(&o.Container, "container", "", "the main container; needed where there are several")
	command.Flags().StringVar(&o.Language, "language", "", "developLanguage of the Component")
	command.Flags().StringVar(&o.RunType, "run-type", "server", "runType of the Component")
	command.Flags().Int32Var(&o.Port, "port", 0, "port of the Component; by default the main container's first")
	return command
}

func adoptWorkload(ctx context.Context, member client.Client, namespace, workload string, o componentadopt.Wish) (map[string]any, error) {
	kinds := map[string]v1alpha1.WorkloadType{
		"deployment": v1alpha1.WorkloadDeployment, "deploy": v1alpha1.WorkloadDeployment,
		"statefulset": v1alpha1.WorkloadStatefulSet, "sts": v1alpha1.WorkloadStatefulSet,
	}
	kind, name, _ := strings.Cut(workload, "/")
	of, known := kinds[strings.ToLower(kind)]
	switch {
	case !known || name == "" || strings.Contains(name, "/"):
		return nil, fmt.Errorf("%q is no workload: write deployment/NAME or statefulset/NAME", workload)
	case o.Language == "":
		return nil, errors.New("--language is needed: the developLanguage of the Component, such as java")
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(runtimeschema.GroupVersionKind{Group: "apps", Version: "v1", Kind: string(of)})
	err := member.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, live)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%s %s does not exist in namespace %s: --context names the member, -n the namespace", of, name, namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", of, name, err)
	}
	return componentadopt.ComponentOf(live, o)
}
