package main

import (
	"context"
	"errors"
	"fmt"
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
	command.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long the controller may take")
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
	said, err := adoptionEvents(ctx, control, template)
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
	silence := outage{out: streams.Out}
	err = wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, a.timeout, true, func(ctx context.Context) (bool, error) {
		err := control.Get(ctx, client.ObjectKeyFromObject(template), template)
		if over := silence.over(ctx, err); err != nil {
			return false, over
		}
		return template.GetAnnotations()[v1alpha1.ScaleInAdoptAnnotation] == "", nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the controller to adopt (kubectl describe cloneset %s shows its events): %w", a.name, err)
	}
	after, _, _ := unstructured.NestedInt64(template.Object, "spec", "replicas")
	fmt.Fprintf(streams.Out, "cloneset/%s: %d replicas, %d before\n", a.name, after, before)
	return tellAdoption(ctx, control, streams, template, said)
}

// tellAdoption prints what the controller had to say; a refusal fails the command.
func tellAdoption(ctx context.Context, control client.Client, streams genericiooptions.IOStreams, template *unstructured.Unstructured,
	before map[types.UID]corev1.Event) error {
	const eventsMayLag = 5 * time.Second
	var refused error
	// Without an answer, which events may lose, the numbers above have to do.
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, eventsMayLag, true, func(ctx context.Context) (bool, error) {
		now, err := adoptionEvents(ctx, control, template)
		if err != nil {
			return false, err
		}
		for uid, event := range now {
			if old, known := before[uid]; known && old.Count == event.Count {
				continue
			}
			fmt.Fprintf(streams.Out, "%s: %s\n", event.Reason, event.Message)
			if event.Type == corev1.EventTypeWarning {
				refused = errReported
			}
			return true, nil
		}
		return false, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil
	}
	return errors.Join(err, refused)
}

// adoptionEvents are what the controller has told of adoptions of this CloneSet.
func adoptionEvents(ctx context.Context, control client.Client, template *unstructured.Unstructured) (map[types.UID]corev1.Event, error) {
	var events corev1.EventList
	about := client.MatchingFields{"involvedObject.uid": string(template.GetUID())}
	if err := control.List(ctx, &events, client.InNamespace(template.GetNamespace()), about); err != nil {
		return nil, fmt.Errorf("listing events of CloneSet %s: %w", template.GetName(), err)
	}
	out := map[types.UID]corev1.Event{}
	for _, event := range events.Items {
		switch event.Reason {
		case v1alpha1.ReasonAdopted, v1alpha1.ReasonNothingToAdopt, v1alpha1.ReasonAdoptionNotWritten, v1alpha1.ReasonTargetOwned,
			v1alpha1.ReasonNoReplicaLeft:
			out[event.UID] = event
		}
	}
	return out, nil
}
