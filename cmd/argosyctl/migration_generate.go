package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/migration/policy"
)

// managedByKarmada is Karmada's label on what it made in a member.
const managedByKarmada = "karmada.io/managed"

type generateOptions struct {
	from                 []string
	name                 string
	environment, trigger string
	output               string
}

// generate writes a whitelist of what runs, for a person to read before it is applied.
func (m *migrationCommands) generate() *cobra.Command {
	o := generateOptions{}
	command := &cobra.Command{
		Use:   "generate --from CLUSTER",
		Short: "Write a MigrationWhitelist of the workloads that run in a member",
		Long: "Reads the workloads of one namespace (-n) in the members of --from and prints a MigrationWhitelist with an entry for\n" +
			"each: read it, take out and order its entries, and apply it. Nothing is written to any cluster. What is left out is\n" +
			"named on standard error with the reason: what belongs to another object, what Karmada brought there, and what is on\n" +
			"a whitelist already. Entries name no clusters: an application is taken over in every joined cluster that runs it.",
		Example: "  argosyctl migration generate -n shop --from member1 > shop.yaml\n" +
			"  argosyctl migration generate -n shop-test --from member1,member2 --environment Test | kubectl apply -f -",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return m.runGenerate(command.Context(), o) },
	}
	flags := command.Flags()
	flags.StringSliceVar(&o.from, "from", nil, "the members to look in")
	flags.StringVar(&o.name, "name", "", "the whitelist's name; default the namespace's")
	flags.StringVar(&o.environment, "environment", string(v1alpha1.EnvironmentProduction),
		"of every entry: Test, PreRelease or Production, which are taken over in this order")
	flags.StringVar(&o.trigger, "trigger", string(v1alpha1.TriggerOnRelease),
		"of every entry: OnRelease (with the application's next release) or Immediate")
	flags.StringVarP(&o.output, "output", "o", "yaml", manifestHelp)
	complete(command, "from", completeNames(m.flags, clusters))
	return command
}

func (m *migrationCommands) runGenerate(ctx context.Context, o generateOptions) error {
	if _, err := structured(io.Discard, o.output, nil); err != nil {
		return err
	}
	if err := o.validate(); err != nil {
		return err
	}
	control, namespace, err := controlPlane(m.flags)
	if err != nil {
		return err
	}
	listed, err := onWhitelists(ctx, control, namespace)
	if err != nil {
		return err
	}
	var found []foundWorkload
	known := &members.Members{Reader: control}
	for _, name := range o.from {
		member, err := known.Client(ctx, name)
		if err != nil {
			return err
		}
		workloads, err := workloadsOf(ctx, member, name, namespace)
		if err != nil {
			return err
		}
		found = append(found, workloads...)
	}
	whitelist, leftOut := o.draft(namespace, found, listed)
	for _, line := range leftOut {
		fmt.Fprintln(m.errOut, line)
	}
	if len(whitelist.Spec.Entries) == 0 {
		return fmt.Errorf("no workload of namespace %s in %s is left to be listed", namespace, strings.Join(o.from, ", "))
	}
	return m.printWhitelist(whitelist, o.output)
}

func (o generateOptions) validate() error {
	environments := []v1alpha1.Environment{v1alpha1.EnvironmentTest, v1alpha1.EnvironmentPreRelease, v1alpha1.EnvironmentProduction}
	triggers := []v1alpha1.Trigger{v1alpha1.TriggerOnRelease, v1alpha1.TriggerImmediate}
	switch {
	case len(o.from) == 0:
		return errors.New("name the member to look in, such as --from member1")
	case !slices.Contains(environments, v1alpha1.Environment(o.environment)):
		return fmt.Errorf("--environment %q: want Test, PreRelease or Production", o.environment)
	case !slices.Contains(triggers, v1alpha1.Trigger(o.trigger)):
		return fmt.Errorf("--trigger %q: want OnRelease or Immediate", o.trigger)
	}
	return nil
}

// foundWorkload is one workload of one member.
type foundWorkload struct {
	cluster string
	ref     v1alpha1.WorkloadReference
	// owner is KIND/NAME of what it belongs to; empty: nothing.
	owner string
	// federated: Karmada brought it.
	federated bool
}

// workloadsOf are the workloads that may be whitelisted, of every kind the member serves.
func workloadsOf(ctx context.Context, member client.Reader, cluster, namespace string) ([]foundWorkload, error) {
	var out []foundWorkload
	for _, kind := range policy.Carried() {
		if kind.Group != "apps" && kind.Group != "apps.kruise.io" {
			continue
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := member.List(ctx, list, client.InNamespace(namespace))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing %s of namespace %s in cluster %s: %w", kind.Kind, namespace, cluster, err)
		}
		for i := range list.Items {
			out = append(out, foundIn(cluster, kind, &list.Items[i]))
		}
	}
	return out, nil
}

func foundIn(cluster string, kind schema.GroupVersionKind, object *metav1.PartialObjectMetadata) foundWorkload {
	apiVersion, name := kind.ToAPIVersionAndKind()
	out := foundWorkload{
		cluster: cluster, ref: v1alpha1.WorkloadReference{APIVersion: apiVersion, Kind: name, Name: object.Name},
		federated: object.Labels[managedByKarmada] == "true",
	}
	if owner := metav1.GetControllerOf(object); owner != nil {
		out.owner = strings.ToLower(owner.Kind) + "/" + owner.Name
	}
	return out
}

// onWhitelists are the workloads of the namespace that are listed, and where.
func onWhitelists(ctx context.Context, control client.Reader, namespace string) (map[v1alpha1.WorkloadReference]string, error) {
	var list v1alpha1.MigrationWhitelistList
	if err := control.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing MigrationWhitelists: %w", err)
	}
	out := map[v1alpha1.WorkloadReference]string{}
	for i := range list.Items {
		for _, entry := range list.Items[i].Spec.Entries {
			if entry.Namespace == namespace {
				out[entry.WorkloadReference] = list.Items[i].Name
			}
		}
	}
	return out, nil
}

// draft is the whitelist of what was found, in the order of kinds and names, and a line for each workload that is left out.
func (o generateOptions) draft(namespace string, found []foundWorkload, listed map[v1alpha1.WorkloadReference]string) (
	*v1alpha1.MigrationWhitelist, []string) {
	whitelist := &v1alpha1.MigrationWhitelist{}
	whitelist.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("MigrationWhitelist"))
	whitelist.Name = cmp.Or(o.name, namespace)
	var leftOut []string
	seen := map[v1alpha1.WorkloadReference]bool{}
	for _, f := range found {
		why := ""
		switch {
		case f.owner != "":
			why = "it belongs to " + f.owner
		case f.federated:
			why = "Karmada brought it there"
		case listed[f.ref] != "":
			why = "it is on MigrationWhitelist " + listed[f.ref]
		}
		if why != "" {
			leftOut = append(leftOut, fmt.Sprintf("%s/%s of %s: left out: %s", strings.ToLower(f.ref.Kind), f.ref.Name, f.cluster, why))
			continue
		}
		if seen[f.ref] {
			continue
		}
		seen[f.ref] = true
		whitelist.Spec.Entries = append(whitelist.Spec.Entries, v1alpha1.WhitelistEntry{
			Namespace: namespace, WorkloadReference: f.ref, Environment: v1alpha1.Environment(o.environment), Trigger: v1alpha1.Trigger(o.trigger),
		})
	}
	slices.SortStableFunc(whitelist.Spec.Entries, func(a, b v1alpha1.WhitelistEntry) int {
		return cmp.Or(cmp.Compare(a.APIVersion, b.APIVersion), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return whitelist, leftOut
}

// printWhitelist writes what a person would: the defaults of a strategy are left to the control plane.
func (m *migrationCommands) printWhitelist(whitelist *v1alpha1.MigrationWhitelist, format string) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(whitelist)
	if err != nil {
		return fmt.Errorf("encoding the whitelist: %w", err)
	}
	spec, _ := content["spec"].(map[string]any)
	_, err = structured(m.out, format, map[string]any{
		"apiVersion": content["apiVersion"], "kind": content["kind"], "metadata": map[string]any{"name": whitelist.Name},
		"spec": map[string]any{"entries": spec["entries"]},
	})
	return err
}
