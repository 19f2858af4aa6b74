package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/migration/publish"
)

type policyOptions struct {
	folder    string
	clusters  []string
	templates bool
	offline   bool
	output    string
}

// newPolicyCommand authors an application's policies by the naming rule.
func newPolicyCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := policyOptions{}
	command := &cobra.Command{
		Use:   "policy -f FOLDER",
		Short: "Author an application's PropagationPolicies and OverridePolicies from its files",
		Long: "The folder holds the application's objects: *.yaml for every cluster, and clusters/<name>/*.yaml for what\n" +
			"differs in one. Policies are named <kind>-<name>, one for each object, with an override for every\n" +
			"difference. Objects that another policy in the control plane holds already are named on standard error\n" +
			"and left out.",
		Example: "  argosyctl policy -f app/ -n shop\n" +
			"  argosyctl policy -f app/ -n shop --clusters member1,member2 --templates | kubectl apply -f -",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if _, err := structured(io.Discard, options.output, nil); err != nil {
				return err
			}
			return options.run(command.Context(), flags, streams)
		},
	}
	command.Flags().StringVarP(&options.folder, "filename", "f", "",
		"the application's folder, or one file of its objects; - is standard input")
	command.Flags().StringSliceVar(&options.clusters, "clusters", nil, "clusters to propagate to; default those with a folder of their own")
	complete(command, "clusters", severalOf(completeNames(flags, clusters)))
	command.Flags().BoolVar(&options.templates, "templates", false, "print the templates as well")
	command.Flags().StringVarP(&options.output, "output", "o", "yaml", manifestHelp)
	command.Flags().BoolVar(&options.offline, "offline", false, "do not ask the control plane who holds the objects")
	return command
}

func (o policyOptions) run(ctx context.Context, flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) error {
	bundle, err := loadFolder(o.folder, streams.In)
	if err != nil {
		return err
	}
	clusters := o.clusters
	if len(clusters) == 0 {
		clusters = bundle.Clusters()
	}
	if len(clusters) == 0 {
		return errors.New("name the clusters with --clusters: the folder has none of its own")
	}
	namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return fmt.Errorf("reading the namespace: %w", err)
	}
	resources, err := bundle.Author(namespace, "", clusters)
	if err != nil {
		return err
	}
	held := func(context.Context, *policy.Resource) (string, error) { return "", nil }
	if !o.offline {
		control, _, err := controlPlane(flags)
		if err != nil {
			return err
		}
		if held, err = holders(ctx, control, namespace); err != nil {
			return err
		}
		joined(ctx, control, clusters, streams.ErrOut)
		if err := namespaced(control, resources); err != nil {
			return err
		}
	}
	objects := []any{}
	for i := range resources {
		resource := &resources[i]
		name := policy.User(resource.ResourceReference)
		if resource.Local != "" {
			fmt.Fprintf(streams.ErrOut, "%s: left out: %s\n", name, resource.Local)
			continue
		}
		by, err := held(ctx, resource)
		if err != nil {
			return err
		}
		if by != "" {
			fmt.Fprintf(streams.ErrOut, "%s: left out: %s holds it\n", name, by)
			continue
		}
		of, err := o.objects(resource)
		if err != nil {
			return err
		}
		objects = append(objects, of...)
	}
	return printManifests(streams.Out, o.output, objects)
}

// namespaced refuses objects that are everybody's.
func namespaced(control client.Client, resources []policy.Resource) error {
	for i := range resources {
		if is, err := control.IsObjectNamespaced(resources[i].Desired[resources[i].Clusters[0]]); err == nil && !is {
			return fmt.Errorf("%s is no object of a namespace: a PropagationPolicy cannot carry it, and a ClusterPropagationPolicy would be "+
				"everybody's; write that yourself", policy.User(resources[i].ResourceReference))
		}
	}
	return nil
}

// loadFolder reads an application's objects, of which -f names the folder, or a file that holds them all, for every cluster.
func loadFolder(folder string, in io.Reader) (bundle *publish.Bundle, err error) {
	if folder == "" {
		return nil, errors.New("name the application's folder with -f")
	}
	info, err := os.Stat(folder)
	switch {
	case folder == "-" || err == nil && !info.IsDir():
		var objects []*unstructured.Unstructured
		if objects, err = readObjects(folder, in); err == nil {
			bundle, err = publish.Bundled(objects)
		}
	case err == nil:
		bundle, err = publish.Load(os.DirFS(folder))
	default:
		return nil, fmt.Errorf("reading the application's folder (-f): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", folder, err)
	}
	return bundle, nil
}

// joined complains of clusters that are not: a slip of the pen would propagate to nowhere.
func joined(ctx context.Context, control client.Client, clusters []string, out io.Writer) {
	for _, name := range clusters {
		if err := control.Get(ctx, client.ObjectKey{Name: name}, &clusterv1alpha1.Cluster{}); apierrors.IsNotFound(err) {
			fmt.Fprintf(out, "cluster %s is not joined to the federation\n", name)
		}
	}
}

// holders finds the policy that holds an object, or would claim it before ours.
func holders(ctx context.Context, control client.Client, namespace string) (func(context.Context, *policy.Resource) (string, error),
	error) {
	var policies policyv1alpha1.PropagationPolicyList
	if err := control.List(ctx, &policies, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing propagation policies: %w", err)
	}
	var clusterPolicies policyv1alpha1.ClusterPropagationPolicyList
	if err := control.List(ctx, &clusterPolicies); err != nil {
		return nil, fmt.Errorf("listing cluster propagation policies: %w", err)
	}
	return func(ctx context.Context, resource *policy.Resource) (string, error) {
		template := &unstructured.Unstructured{}
		template.SetAPIVersion(resource.APIVersion)
		template.SetKind(resource.Kind)
		err := control.Get(ctx, client.ObjectKey{Namespace: namespace, Name: resource.Name}, template)
		if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return "", fmt.Errorf("reading %s: %w", policy.User(resource.ResourceReference), err)
		}
		annotations := template.GetAnnotations()
		if by := annotations["clusterpropagationpolicy.karmada.io/name"]; by != "" {
			return "ClusterPropagationPolicy " + by, nil
		}
		if by := annotations["propagationpolicy.karmada.io/name"]; by != "" && by != resource.Policy.Name {
			return "PropagationPolicy " + by, nil
		}
		for i := range policies.Items {
			if policies.Items[i].Name != resource.Policy.Name && policy.Rivals(&policies.Items[i].Spec, resource.Template) {
				return "PropagationPolicy " + policies.Items[i].Name, nil
			}
		}
		for i := range clusterPolicies.Items {
			if policy.Rivals(&clusterPolicies.Items[i].Spec, resource.Template) {
				return "ClusterPropagationPolicy " + clusterPolicies.Items[i].Name, nil
			}
		}
		return "", nil
	}, nil
}

// objects of a resource as they are applied.
func (o policyOptions) objects(resource *policy.Resource) ([]any, error) {
	var typed []runtime.Object
	if resource.Override != nil {
		typed = append(typed, resource.Override)
	}
	var out []any
	for _, object := range append(typed, resource.Policy) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("encoding a policy: %w", err)
		}
		unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
		out = append(out, content)
	}
	if o.templates {
		out = append(out, resource.Template.Object)
	}
	return out, nil
}
