package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
)

func newComponentExplainCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	format := ""
	command := &cobra.Command{
		ValidArgsFunction: once(completeNames(flags, func() client.ObjectList { return &v1alpha1.ComponentList{} })),

		Use:   "explain NAME",
		Short: "Say how a Component is, where it is reached, and what to do next",
		Long: "Says of a Component how many copies serve, where it is reached, what it became in which member, and what to do next where\n" +
			"something is in the way. In the control plane it is what the members reported; --context names a member to ask it alone,\n" +
			"which also says which change of the cluster's templates came to it last, and when.",
		Example: "  argosyctl component explain python-demo -n shop",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := structured(io.Discard, format, nil); err != nil {
				return err
			}
			plane, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			return explainComponent(command.Context(), plane, client.ObjectKey{Namespace: namespace, Name: args[0]}, streams.Out, format)
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	return command
}

// explainedComponent is the output for programs.
type explainedComponent struct {
	APIVersion string                   `json:"apiVersion"`
	Kind       string                   `json:"kind"`
	Metadata   map[string]string        `json:"metadata"`
	Observed   bool                     `json:"observed"`
	Replicas   int32                    `json:"replicas"`
	Image      string                   `json:"image"`
	Status     v1alpha1.ComponentStatus `json:"status"`
	Next       string                   `json:"next"`
}

func explainComponent(ctx context.Context, plane client.Client, key client.ObjectKey, out io.Writer, format string) error {
	component := &v1alpha1.Component{}
	err := plane.Get(ctx, key, component)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("component %s does not exist in namespace %s: name another with -n", key.Name, key.Namespace)
	}
	if err != nil {
		return fmt.Errorf("reading Component %s: %w", key, err)
	}
	status := component.Status
	if done, err := structured(out, format, explainedComponent{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "Component", Metadata: map[string]string{"namespace": key.Namespace, "name": key.Name},
		Observed: status.ObservedGeneration == component.Generation, Replicas: ptr.Deref(component.Spec.Replicas, 1),
		Image: component.Spec.Image, Status: status, Next: next(component),
	}); done {
		return err
	}
	fmt.Fprintf(out, "Component %s: %s, %d are of the current version (image %s).\n",
		key, serving(status.AvailableReplicas, ptr.Deref(component.Spec.Replicas, 1)), status.UpdatedReplicas, component.Spec.Image)
	if status.ObservedGeneration != component.Generation {
		fmt.Fprintln(out, "The last change has not been observed everywhere yet: what follows speaks of the one before.")
	}
	w := newTable(out, 2)
	for _, e := range status.Endpoints {
		fmt.Fprintf(w, "reached\t%s\t%s\n", e.URL, e.Cluster)
	}
	for _, r := range status.Resources {
		fmt.Fprintf(w, "became\t%s %s\t%s\n", r.Kind, r.Name, r.Cluster)
	}
	if brought := status.TemplateRevision; brought != nil && brought.Since != nil {
		fmt.Fprintf(w, "brought\t%s\t%s\n", templatesOf(brought.Changed), brought.Since.UTC().Format(time.RFC3339))
	}
	for _, p := range status.PendingApprovals {
		fmt.Fprintf(w, "waits\t%s %s\t%s\t%s\n", p.Gate, p.OperationID, p.Cluster, p.Summary)
	}
	for _, c := range status.Conditions {
		fmt.Fprintf(w, "%s\t%s %s\t%s\n", c.Type, c.Status, c.Reason, strings.Join(strings.Fields(c.Message), " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "Next: "+next(component))
	return nil
}

// templatesOf are those whose change came to a Component last; an empty name is the manager's own rendering.
func templatesOf(changed []string) string {
	out := make([]string, 0, len(changed))
	for _, name := range changed {
		if name == "" {
			out = append(out, "a new argosy-member-manager")
			continue
		}
		out = append(out, "ComponentTemplate "+name)
	}
	return strings.Join(out, ", ")
}

// serving counts copies in words. More than are asked for is no mistake: a policy that duplicates asks them of each cluster.
func serving(available, asked int32) string {
	if available > asked {
		return fmt.Sprintf("%d copies serve (%d asked for, in each cluster if the policy duplicates)", available, asked)
	}
	return fmt.Sprintf("%d of %d copies serve", available, asked)
}

// next is what a person does now: about the first thing in the way, in the order in which a service comes up.
func next(component *v1alpha1.Component) string {
	conditions := component.Status.Conditions
	if len(conditions) == 0 {
		return "nobody has reported on it. In the control plane it needs a PropagationPolicy that selects it; " +
			"in each member argosy-member-manager must run (argosyctl install member-manager)."
	}
	if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionUnmanaged) {
		return "nothing by itself: it is unmanaged. Take the annotation " + v1alpha1.AnnotationUnmanaged + " off to have it kept again."
	}
	if text, fault := inTheWay(conditions); fault {
		return text
	}
	progressing := meta.FindStatusCondition(conditions, v1alpha1.ConditionProgressing)
	if waits := component.Status.PendingApprovals; len(waits) > 0 {
		which := ""
		if len(waits) > 1 {
			which = " --all, or --operation with one of those that wait"
		}
		return fmt.Sprintf("look at the new copies, then decide: argosyctl component approve %s -n %s%s. "+
			"To undo the change write the image of before.", component.Name, component.Namespace, which)
	}
	if progressing != nil && progressing.Status == metav1.ConditionTrue {
		if strings.Contains(progressing.Reason, v1alpha1.ReasonCanaryPaused) {
			return paused(component)
		}
		return "wait: a change is on its way."
	}
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionLoadBalancerReady); c != nil && c.Status != metav1.ConditionTrue {
		if strings.Contains(c.Reason, v1alpha1.ReasonAddressPending) {
			return "wait for the load balancer's address, or ask your platform team which providers there are."
		}
		return "read condition LoadBalancerReady: it has the answer of the load balancer's provider, and what to do."
	}
	return "nothing; it is as asked."
}

// paused is what a person does about a canary step that waits, and for nobody's approval.
func paused(component *v1alpha1.Component) string {
	canary, strategy := component.Status.Canary, component.Spec.Strategy.Canary
	if canary == nil || strategy == nil || canary.Step < 1 || int(canary.Step) > len(strategy.Steps) {
		return "read condition Progressing: a canary step waits."
	}
	if strategy.Steps[canary.Step-1].Pause == v1alpha1.CanaryPauseSeconds {
		return "wait: a canary step is watched for some seconds."
	}
	// Nobody is asked, though the step waits for a person: it was rejected, or its manager was upgraded and has other Components first.
	return "read condition Progressing: where the next step was rejected, write the image of before to undo the change, or another one."
}

// inTheWay is advice on what is not as it should be.
func inTheWay(conditions []metav1.Condition) (string, bool) {
	for _, kind := range []string{v1alpha1.ConditionRendered, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(conditions, kind); c != nil && c.Status != metav1.ConditionTrue {
			return advice(c), true
		}
	}
	// While the copies of before serve, only this condition says that those of a change do not.
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionDegraded); c != nil && c.Status == metav1.ConditionTrue {
		return remedy(c)
	}
	return "", false
}

// advices are one for each reason that names a fault. The message of the condition, whose name stands for CONDITION, has the details.
func advices() map[string]string {
	return map[string]string{
		v1alpha1.ReasonTemplateInvalid:      "ask your platform team: a template of theirs does not fit (condition CONDITION).",
		v1alpha1.ReasonPatchInvalid:         "mend the field or patch that condition CONDITION names.",
		v1alpha1.ReasonObjectTaken:          "choose another name or host, or take over with spec.adopt: condition CONDITION says what is taken.",
		v1alpha1.ReasonObjectDeleted:        "wait: what condition CONDITION names is being deleted; if that lasts, look at its finalizers.",
		v1alpha1.ReasonAdoptionWouldRestart: "make the Component say what runs: condition CONDITION lists what differs.",
		v1alpha1.ReasonApplyRefused:         "read the cluster's answer in condition CONDITION: a quota, a policy, a field that cannot change.",
		v1alpha1.ReasonApplyFailed:          "wait, it is tried again; if that lasts, show condition CONDITION to your platform team.",
		v1alpha1.ReasonImageNotPulled:       "correct spec.image, or ask for access to its registry.",
		v1alpha1.ReasonProgramEnds:          "read the program's last words with the command in condition CONDITION.",
		v1alpha1.ReasonOutOfMemory:          "raise spec.resources.limits.memory.",
		v1alpha1.ReasonSettingsMissing:      "make the ConfigMap or Secret that condition CONDITION names, or correct spec.env and spec.envFrom.",
		v1alpha1.ReasonNoRoom:               "ask for less in spec.resources, or ask your platform team for room.",
		v1alpha1.ReasonCheckFails:           "let the program listen on spec.port, or read what it says with the command in condition CONDITION.",
		v1alpha1.ReasonPodsRefused:          "ask for less, or ask your platform team: condition CONDITION has the cluster's answer.",
		v1alpha1.ReasonReplicasNotReady:     "wait: copies are starting.",
		v1alpha1.ReasonNotObserved:          "wait: the cluster has not looked at it yet.",
		v1alpha1.ReasonRolloutStuck:         "write the image of before, or mend what condition CONDITION names.",
		aggregate.ReasonMemberUnreachable: "nothing of the Component. Look at the cluster that cannot be asked: condition " +
			aggregate.ConditionMembersReported + " names it.",
	}
}

// remedy is the advice on a condition whose reason names a fault.
func remedy(c *metav1.Condition) (string, bool) {
	text, ok := advices()[c.Reason]
	return strings.ReplaceAll(text, "CONDITION", c.Type), ok
}

// advice on a condition that is not as it should be.
func advice(c *metav1.Condition) string {
	if text, ok := remedy(c); ok {
		return text
	}
	return "look at condition " + c.Type + ": " + c.Message
}
