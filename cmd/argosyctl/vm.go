package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// newVMCommand groups what people do with virtual machines.
func newVMCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "vm", Short: "Decide about virtual machines, and see what they wait for", Args: cobra.NoArgs}
	command.AddCommand(
		newApproveCommand(flags, streams, approvable{
			use: "approve KIND/NAME", kinds: []string{"VMReplicaSet", "VMDeployment", "Server"},
			example: "  # What waits in the federation\n" +
				"  argosyctl vm approve vmrs/payments -n shop\n\n" +
				"  # That the machines of a deleted set go: such a set is in its member alone\n" +
				"  argosyctl vm approve vmrs/payments -n shop --member member1",
		}),
		newVMOverrideCommand(flags, streams),
		newVMPlanCommand(flags, streams, clock.RealClock{}),
		newVMDeletionsCommand(flags, streams),
		newVMOrphansCommand(flags, streams),
		newVMExplainCommand(flags, streams),
		newListCommand(flags, streams, "vm", "machines and their sets",
			"vmreplicasets.vm.argosy.dev,vmdeployments.vm.argosy.dev,servers.vm.argosy.dev"),
	)
	return command
}

// approvableKinds by the words people use for them.
var approvableKinds = map[string]runtimeschema.GroupVersionKind{
	"vmrs": v1alpha1.GroupVersion.WithKind("VMReplicaSet"), "vmreplicaset": v1alpha1.GroupVersion.WithKind("VMReplicaSet"),
	"vmreplicasets": v1alpha1.GroupVersion.WithKind("VMReplicaSet"),
	"vmdeploy":      v1alpha1.GroupVersion.WithKind("VMDeployment"), "vmdeployment": v1alpha1.GroupVersion.WithKind("VMDeployment"),
	"vmdeployments": v1alpha1.GroupVersion.WithKind("VMDeployment"),
	"server":        v1alpha1.GroupVersion.WithKind("Server"), "servers": v1alpha1.GroupVersion.WithKind("Server"),
	"component": componentv1alpha1.GroupVersion.WithKind("Component"), "components": componentv1alpha1.GroupVersion.WithKind("Component"),
}

// nameOfKind reads KIND/NAME of the kinds; where there is one kind alone, NAME is enough.
func nameOfKind(argument string, kinds []string) (runtimeschema.GroupVersionKind, string, error) {
	word, name, both := strings.Cut(argument, "/")
	if !both && len(kinds) == 1 {
		word, name = kinds[0], argument
	}
	word, _, _ = strings.Cut(strings.ToLower(word), ".")
	kind, known := approvableKinds[word]
	if !known || !slices.Contains(kinds, kind.Kind) || name == "" || strings.Contains(name, "/") {
		return kind, name, fmt.Errorf("%q: write KIND/NAME, with KIND one of %s", argument, strings.ToLower(strings.Join(kinds, ", ")))
	}
	return kind, name, nil
}

// notThere explains a name that leads to nothing.
func notThere(kind, name, namespace, member string, err error) error {
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s knows no %s: argosyctl install brings the kinds", cmp.Or(member, "this API server"), kind)
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading %s %s/%s: %w", kind, namespace, name, err)
	case kind == "Server" && member == "":
		return fmt.Errorf("server %s does not exist in namespace %s here: Servers are in members, name one with --member", name, namespace)
	}
	return fmt.Errorf("%s %s does not exist in namespace %s of %s: name another with -n, or a member with --member",
		kind, name, namespace, cmp.Or(member, "this API server"))
}

// listOf reads a list of a kind of ours from a member; none where the member has not the kind.
func listOf(ctx context.Context, member client.Reader, kind string, into client.ObjectList, options ...client.ListOption) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	err := member.List(ctx, list, options...)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing %ss: %w", kind, err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(list.UnstructuredContent(), into)
}
