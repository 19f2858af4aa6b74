package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/migration/publish"
)

// completionTimeout is how long a shell waits for words: whoever presses Tab types on after that.
const completionTimeout = 3 * time.Second

// complete registers what a flag may be given. A flag that is not there is a slip of ours, which every test of a command meets.
func complete(command *cobra.Command, flag string, words cobra.CompletionFunc) {
	if err := command.RegisterFlagCompletionFunc(flag, words); err != nil {
		panic(err)
	}
}

// completeFrom asks the control plane for words; without an answer there are none.
func completeFrom(
	flags *genericclioptions.ConfigFlags, words func(ctx context.Context, control client.Client, namespace string, args []string) ([]string,
		error),
) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		parent := command.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completionTimeout)
		defer cancel()
		// Where a command has --member, its objects are that member's.
		member, _ := command.Flags().GetString("member")
		control, namespace, err := oneMember(flags, member)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := words(ctx, control, namespace, args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeNames are the names of a kind: in the namespace of -n, where the kind has namespaces.
func completeNames(flags *genericclioptions.ConfigFlags, list func() client.ObjectList) cobra.CompletionFunc {
	return completeFrom(flags, func(ctx context.Context, control client.Client, namespace string, _ []string) ([]string, error) {
		return namesOf(ctx, control, namespace, list())
	})
}

func namesOf(ctx context.Context, control client.Client, namespace string, list client.ObjectList) ([]string, error) {
	if err := control.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var names []string
	err := meta.EachListItem(list, func(object runtime.Object) error {
		item, err := meta.Accessor(object)
		if err == nil {
			names = append(names, item.GetName())
		}
		return err
	})
	return names, err
}

// completeTyped are the objects of several kinds, as type/name.
func completeTyped(flags *genericclioptions.ConfigFlags, lists map[string]func() client.ObjectList) cobra.CompletionFunc {
	return completeFrom(flags, func(ctx context.Context, control client.Client, namespace string, _ []string) ([]string, error) {
		var words []string
		for _, kind := range slices.Sorted(maps.Keys(lists)) {
			// A kind that is not served has no objects; the others have.
			names, err := namesOf(ctx, control, namespace, lists[kind]())
			if err != nil {
				continue
			}
			for _, name := range names {
				words = append(words, kind+"/"+name)
			}
		}
		return words, nil
	})
}

// completePropagated are the objects of the namespace that a policy propagates, as type/name.
func completePropagated(flags *genericclioptions.ConfigFlags) cobra.CompletionFunc {
	return completeFrom(flags, func(ctx context.Context, control client.Client, namespace string, _ []string) ([]string, error) {
		var bindings workv1alpha2.ResourceBindingList
		if err := control.List(ctx, &bindings, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		var words []string
		for i := range bindings.Items {
			object := bindings.Items[i].Spec.Resource
			words = append(words, strings.ToLower(object.Kind)+"/"+object.Name)
		}
		return words, nil
	})
}

// severalOf offers words for a flag that takes several, with commas between them.
func severalOf(words cobra.CompletionFunc) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		found, directive := words(command, args, begun)
		before := begun[:strings.LastIndex(begun, ",")+1]
		taken := strings.Split(before, ",")
		var out []string
		for _, word := range found {
			if !slices.Contains(taken, word) {
				out = append(out, before+word)
			}
		}
		return out, directive
	}
}

// completeKubeconfig offers the names of what the kubeconfig holds; nobody is asked.
func completeKubeconfig(flags *genericclioptions.ConfigFlags, names func(clientcmdapi.Config) []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		config, err := flags.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(config), cobra.ShellCompDirectiveNoFileComp
	}
}

// once offers words for the first argument alone.
func once(words cobra.CompletionFunc) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(command, args, begun)
	}
}

func clusters() client.ObjectList { return &clusterv1alpha1.ClusterList{} }
func cloneSets() client.ObjectList {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("apps.kruise.io/v1alpha1")
	list.SetKind("CloneSetList")
	return list
}
func namespaces() client.ObjectList   { return &corev1.NamespaceList{} }
func releases() client.ObjectList     { return &releasev1alpha1.ReleaseList{} }
func components() client.ObjectList   { return &componentv1alpha1.ComponentList{} }
func deployments() client.ObjectList  { return &appsv1.DeploymentList{} }
func statefulSets() client.ObjectList { return &appsv1.StatefulSetList{} }

// machines are the kinds that people decide about, by the words for them.
func machines() map[string]func() client.ObjectList {
	return map[string]func() client.ObjectList{
		"vmreplicaset": func() client.ObjectList { return &vmv1alpha1.VMReplicaSetList{} },
		"vmdeployment": func() client.ObjectList { return &vmv1alpha1.VMDeploymentList{} },
		"server":       servers,
	}
}

func servers() client.ObjectList { return &vmv1alpha1.ServerList{} }

// completeMigrations are the applications of the namespace that have a Migration, as kind/name.
func completeMigrations(flags *genericclioptions.ConfigFlags) cobra.CompletionFunc {
	return completeFrom(flags, func(ctx context.Context, control client.Client, namespace string, _ []string) ([]string, error) {
		var list v1alpha1.MigrationList
		if err := control.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		var words []string
		for i := range list.Items {
			words = append(words, named(&list.Items[i])+"\t"+string(list.Items[i].Status.Phase))
		}
		return words, nil
	})
}

// completePlan is the hash of the plan of the application that was named before the flag.
func completePlan(flags *genericclioptions.ConfigFlags) cobra.CompletionFunc {
	return completeFrom(flags, func(ctx context.Context, control client.Client, namespace string, args []string) ([]string, error) {
		application, err := parseApplication(namespace, typed(args))
		if err != nil {
			return nil, err
		}
		migration, err := publish.Find(ctx, control, application)
		if err != nil || migration == nil || migration.Status.Plan == nil {
			return nil, err
		}
		return []string{migration.Status.Plan.Hash}, nil
	})
}
