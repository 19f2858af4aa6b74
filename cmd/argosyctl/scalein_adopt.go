package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
)

// newScaleInAdoptCommand brings the control plane into line with what was scaled in by hand in members.
func newScaleInAdoptCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "adopt CLONESET",
		Short: "Lower the control plane's replicas to what members were scaled in to by hand",
		Long: "For a CloneSet whose members own their replicas (label resourcetemplate.karmada.io/retain-replicas=true): where a member\n" +
			"holds fewer replicas than the scheduling result says, result and template are lowered to it. No pod is touched.",
		Example: "  argosyctl scalein adopt shop -n prod",
		Args:    oneCloneSet,

		ValidArgsFunction: once(completeNames(flags, cloneSets)),
		RunE: func(command *cobra.Command, args []string) error {
			name, err := cloneSetName(args[0])
			if err != nil {
				return err
			}
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			asked := adoption{namespace: namespace, name: name, timeout: timeout, rehearsed: rehearsing(command)}
			return adopt(command.Context(), writer(command, control, streams.Out), streams, asked)
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", 5*time.Minute, "how long the controller may take")
	return rehearsable(command)
}

type adoption struct {
	namespace, name string
	timeout         time.Duration
	// rehearsed: nothing was written, so nobody answers.
	rehearsed bool
}

// adopt asks the controller by annotation, waits until it has taken the annotation off again, and tells what it said.
func adopt(ctx context.Context, control client.Client, streams genericiooptions.IOStreams, a adoption) error {
	template := &unstructured.Unstructured{}
	template.SetAPIVersion("apps.kruise.io/v1alpha1")
	template.SetKind("CloneSet")
	template.SetNamespace(a.namespace)
	template.SetName(a.name)
	if err := control.Get(ctx, client.ObjectKeyFromObject(template), template); err != nil {
		return fmt.Errorf("reading CloneSet %s of namespace %s: %w", a.name, a.namespace, err)
	}
	if template.GetLabels()[mark.RetainReplicas] != "true" {
		return fmt.Errorf(
			"the control plane owns the replicas of CloneSet %s, and Karmada sets a member that was scaled in by hand back to them: "+
				"to remove pods by name from here, argosyctl scalein %s --pod ...; to leave the replicas to the members from now on, "+
				"kubectl label cloneset/%s %s=true, then scale in there and adopt", a.name, a.name, a.name, mark.RetainReplicas)
	}
	said, err := adoptionEvents(ctx, control, template, slices.Concat(answers, waits))
	if err != nil {
		return err
	}
	before, _, _ := unstructured.NestedInt64(template.Object, "spec", "replicas")
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ScaleInAdoptAnnotation, v1alpha1.AdoptOnce)
	if err := control.Patch(ctx, template, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("asking for adoption on CloneSet %s: %w", a.name, err)
	}
	if a.rehearsed {
		return nil
	}
	if err := a.wait(ctx, control, streams.Out, template, said); err != nil {
		return err
	}
	after, _, _ := unstructured.NestedInt64(template.Object, "spec", "replicas")
	fmt.Fprintf(streams.Out, "cloneset/%s: %d replicas, %d before\n", a.name, after, before)
	return tellAdoption(ctx, control, streams, template, said)
}

// eventsEvery is how many looks at a template there are for one at its events, which no cache holds.
const eventsEvery = 10

// wait until the controller has taken the annotation off, and print what it says it waits for itself.
func (a adoption) wait(ctx context.Context, control client.Client, out io.Writer, template *unstructured.Unstructured,
	said map[types.UID]corev1.Event,
) error {
	silence, looks := outage{out: out}, 0
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, a.timeout, true, func(ctx context.Context) (bool, error) {
		err := control.Get(ctx, client.ObjectKeyFromObject(template), template)
		if over := silence.over(ctx, err); err != nil {
			return false, over
		}
		if template.GetAnnotations()[v1alpha1.ScaleInAdoptAnnotation] == "" {
			return true, nil
		}
		if looks++; looks%eventsEvery != 1 {
			return false, nil
		}
		now, err := adoptionEvents(ctx, control, template, waits)
		for _, event := range since(said, now) {
			fmt.Fprintf(out, "%s: %s\n", event.Reason, event.Message)
		}
		return false, silence.over(ctx, err)
	})
	switch {
	case err == nil:
		return nil
	case wait.Interrupted(err) && ctx.Err() == nil:
		return fmt.Errorf("CloneSet %s is not adopted after %s: what is asked (annotation %s) stays, and is done once it can be; "+
			"kubectl describe cloneset %s shows events, argosyctl scalein adopt %s waits again", a.name, a.timeout,
			v1alpha1.ScaleInAdoptAnnotation, a.name, a.name)
	}
	return fmt.Errorf("waiting for the controller to adopt CloneSet %s: %w", a.name, err)
}

// tellAdoption prints what the controller had to say; a refusal fails the command.
func tellAdoption(ctx context.Context, control client.Client, streams genericiooptions.IOStreams, template *unstructured.Unstructured,
	said map[types.UID]corev1.Event) error {
	const eventsMayLag = 5 * time.Second
	var refused error
	// Without an answer, which events may lose, the numbers above have to do.
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, eventsMayLag, true, func(ctx context.Context) (bool, error) {
		now, err := adoptionEvents(ctx, control, template, answers)
		if err != nil {
			return false, err
		}
		news := since(said, now)
		for _, event := range news {
			fmt.Fprintf(streams.Out, "%s: %s\n", event.Reason, event.Message)
			if event.Type == corev1.EventTypeWarning {
				refused = errReported
			}
		}
		return len(news) > 0, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil
	}
	return errors.Join(err, refused)
}

// answers and waits are the reasons of what the controller tells of an adoption: how it ended, and what it waits for.
var (
	answers = []string{
		v1alpha1.ReasonAdopted, v1alpha1.ReasonNothingToAdopt, v1alpha1.ReasonAdoptionNotWritten, v1alpha1.ReasonTargetOwned,
		v1alpha1.ReasonNoReplicaLeft,
	}
	waits = []string{
		v1alpha1.ReasonMemberUnreachable, v1alpha1.ReasonBindingUnsettled, v1alpha1.ReasonTargetBusy, v1alpha1.ReasonWaitingForBinding,
		v1alpha1.ReasonCutOff, // until it is in the federation again
	}
)

// since are the events that were not said before, and takes them for said.
func since(said, now map[types.UID]corev1.Event) []corev1.Event {
	var out []corev1.Event
	for uid, event := range now {
		if old, known := said[uid]; !known || old.Count != event.Count {
			out = append(out, event)
		}
		said[uid] = event
	}
	return out
}

// adoptionEvents are what the controller has told of adoptions of this CloneSet, of these reasons.
func adoptionEvents(ctx context.Context, control client.Client, template *unstructured.Unstructured, reasons []string,
) (map[types.UID]corev1.Event, error) {
	var events corev1.EventList
	about := client.MatchingFields{"involvedObject.uid": string(template.GetUID())}
	if err := control.List(ctx, &events, client.InNamespace(template.GetNamespace()), about); err != nil {
		return nil, fmt.Errorf("listing events of CloneSet %s: %w", template.GetName(), err)
	}
	out := map[types.UID]corev1.Event{}
	for _, event := range events.Items {
		if slices.Contains(reasons, event.Reason) {
			out[event.UID] = event
		}
	}
	return out, nil
}
