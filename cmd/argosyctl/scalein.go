package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

type scaleInOptions struct {
	genericiooptions.IOStreams
	flags   *genericclioptions.ConfigFlags
	pods    []string
	node    string
	labels  string
	in      []string
	most    int32
	reason  string
	timeout time.Duration
	wait    bool
}

// newScaleInCommand removes pods by name.
func newScaleInCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := scaleInOptions{IOStreams: streams, flags: flags}
	command := &cobra.Command{
		Use:   "scalein CLONESET (--pod [CLUSTER/]POD ... | --node NODE | -l SELECTOR)",
		Short: "Remove pods by name, node or label, and lower the replicas of exactly their clusters",
		Long: "Writes a PodScaleIn and follows it until the pods are gone. Template, scheduling result and members agree afterwards.\n" +
			"A pod named without its cluster is looked for in every member. Pods of a node, or with labels, are resolved to names once.",
		Example: "  argosyctl scalein shop -n prod --pod member1/shop-x7k2p --pod shop-9qv4z --reason 'bad disks'\n" +
			"  argosyctl scalein shop -n prod --node worker-7 --in member1",
		Args: oneCloneSet,
		RunE: func(command *cobra.Command, args []string) error {
			name, err := cloneSetName(args[0])
			if err != nil {
				return err
			}
			return options.run(command, name)
		},
	}
	command.Flags().StringSliceVar(&options.pods, "pod", nil, "a pod to remove, as POD or CLUSTER/POD; may be repeated")
	command.Flags().StringVar(&options.node, "node", "", "remove the pods that run on this node")
	command.Flags().StringVarP(&options.labels, "selector", "l", "", "remove the pods with these labels; with --node, those that meet both")
	command.Flags().StringSliceVar(&options.in, "in", nil, "with --node or --selector: the member clusters; default every one of the workload")
	command.Flags().Int32Var(&options.most, "max-pods", 50, "with --node or --selector: when more pods are selected, the order is refused")
	command.Flags().StringVar(&options.reason, "reason", "", "kept in the order, for people")
	command.Flags().DurationVar(&options.timeout, "timeout", 10*time.Minute, "how long the pods may take to go")
	command.Flags().BoolVar(&options.wait, "wait", true, "follow the order until it ends")
	command.ValidArgsFunction = once(completeNames(flags, cloneSets))
	complete(command, "in", completeNames(flags, clusters))
	command.AddCommand(newScaleInAdoptCommand(flags, streams))
	return rehearsable(command)
}

// oneCloneSet is the argument of both commands: NAME, or TYPE/NAME as kubectl takes it too.
func oneCloneSet(command *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one CloneSet, such as: %s shop -n prod", command.CommandPath())
	}
	_, err := cloneSetName(args[0])
	return err
}

// cloneSetName is the name in NAME or TYPE/NAME.
func cloneSetName(text string) (string, error) {
	kind, name, ok := strings.Cut(text, "/")
	if !ok {
		kind, name = "cloneset", text
	}
	switch strings.TrimSuffix(strings.ToLower(kind), ".apps.kruise.io") {
	case "cloneset", "clonesets", "clone":
	default:
		return "", fmt.Errorf("%q is no CloneSet: pods are removed by name from CloneSets alone; name one, such as shop or cloneset/shop", text)
	}
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return "", fmt.Errorf("%q is no name of a CloneSet: %s", name, strings.Join(problems, "; "))
	}
	return name, nil
}

func (o scaleInOptions) run(command *cobra.Command, name string) error {
	order, err := o.order(name)
	if err != nil {
		return err
	}
	control, namespace, err := controlPlane(o.flags)
	if err != nil {
		return err
	}
	order.Namespace = namespace
	control = writer(command, control, o.Out)
	if err := control.Create(command.Context(), order); err != nil {
		return fmt.Errorf("creating the PodScaleIn: %w", err)
	}
	fmt.Fprintf(o.Out, "podscalein/%s created\n", order.Name)
	if !o.wait || rehearsing(command) {
		return nil
	}
	return o.follow(command.Context(), control, order)
}

// order is what the flags ask for.
func (o scaleInOptions) order(name string) (*v1alpha1.PodScaleIn, error) {
	selecting := o.node != "" || o.labels != ""
	if selecting == (len(o.pods) > 0) {
		return nil, errors.New("name at least one pod with --pod, or select pods with --node and --selector")
	}
	seconds := int32(o.timeout / time.Second)
	order := &v1alpha1.PodScaleIn{Spec: v1alpha1.PodScaleInSpec{
		TargetRef: v1alpha1.ScaleInTarget{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: name},
		Reason:    o.reason, TimeoutSeconds: &seconds,
	}}
	order.GenerateName = name + "-"
	if selecting {
		order.Spec.Select = &v1alpha1.PodSelection{Clusters: o.in, NodeName: o.node, MaxPods: &o.most}
		if o.labels != "" {
			selector, err := metav1.ParseToLabelSelector(o.labels)
			if err != nil {
				return nil, fmt.Errorf("--selector %q: %w", o.labels, err)
			}
			order.Spec.Select.LabelSelector = selector
		}
	}
	for _, text := range o.pods {
		ref := v1alpha1.PodReference{Name: text}
		if cluster, pod, ok := strings.Cut(text, "/"); ok {
			ref = v1alpha1.PodReference{Cluster: cluster, Name: pod}
		}
		if ref.Name == "" || strings.Contains(ref.Name, "/") {
			return nil, fmt.Errorf("--pod %q: want POD or CLUSTER/POD", text)
		}
		order.Spec.Pods = append(order.Spec.Pods, ref)
	}
	return order, nil
}

// pastItsTime is how long an order that has timed out may take to say so.
const pastItsTime = 30 * time.Second

// follow prints every change until the order ends.
func (o scaleInOptions) follow(ctx context.Context, control client.Client, order *v1alpha1.PodScaleIn) error {
	last, silence := "", outage{out: o.Out}
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, o.timeout+pastItsTime, true, func(ctx context.Context) (bool, error) {
		err := control.Get(ctx, client.ObjectKeyFromObject(order), order)
		if over := silence.over(ctx, err); err != nil {
			return false, over
		}
		if line := progress(order); line != last {
			fmt.Fprintln(o.Out, line)
			last = line
		}
		return order.Status.CompletionTime != nil || order.Status.Phase == v1alpha1.PhaseFailed, nil
	})
	switch {
	case err != nil && wait.Interrupted(err) && ctx.Err() == nil:
		return fmt.Errorf("PodScaleIn %s has neither ended nor timed out after %s (%s): argosyctl check says whether its controller runs",
			order.Name, o.timeout+pastItsTime, cmp.Or(last, "no status yet"))
	case err != nil:
		return fmt.Errorf("following PodScaleIn %s: %w", order.Name, err)
	}
	if order.Status.Phase != v1alpha1.PhaseSucceeded {
		return errReported
	}
	return nil
}

func progress(order *v1alpha1.PodScaleIn) string {
	line := string(order.Status.Phase)
	if c := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.PodScaleInComplete); c != nil {
		line += ": " + c.Message
	}
	return line
}
