package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/explain"
	"github.com/argosy-dev/argosy/fedhpa/split"
	"github.com/argosy-dev/argosy/internal/binding"
)

// newFedHPACommand groups what is said about FedHPAs.
func newFedHPACommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "fedhpa", Short: "Understand FedHPAs"}
	command.AddCommand(newFedHPAExplainCommand(flags, streams),
		newListCommand(flags, streams, "fedhpa", "FedHPAs", "fedhpas.autoscaling.argosy.dev"))
	return command
}

func newFedHPAExplainCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var limits split.Range
	format := ""
	command := &cobra.Command{
		ValidArgsFunction: once(completeNames(flags, func() client.ObjectList { return &autoscalingv1alpha1.FedHPAList{} })),

		Use:   "explain NAME",
		Short: "Say what each member got and why, and what other limits would give",
		Long: "Says what each member got and why, whether scheduling result and template agree with what the members run, and with --min or\n" +
			"--max what other limits would give.",
		Example: `  # Why did member2 get 3 of 10?
  argosyctl fedhpa explain web -n shop

  # What would maxReplicas 40 give?
  argosyctl fedhpa explain web -n shop --max 40`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			explanation, err := explanationOf(command.Context(), control, client.ObjectKey{Namespace: namespace, Name: name})
			if err != nil {
				return err
			}
			if explanation.WhatIf, err = whatIf(command, explanation.FedHPA, limits); err != nil {
				return err
			}
			if done, err := structured(streams.Out, format, explanation.Account()); done {
				return err
			}
			return explanation.Write(streams.Out)
		},
	}
	command.Flags().Int32Var(&limits.Min, "min", 0, "divide this minReplicas instead, on paper")
	command.Flags().Int32Var(&limits.Max, "max", 0, "divide this maxReplicas instead, on paper")
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	return command
}

// explanationOf reads a FedHPA and its target's binding.
func explanationOf(ctx context.Context, control client.Reader, key client.ObjectKey) (explain.Explanation, error) {
	out := explain.Explanation{FedHPA: &autoscalingv1alpha1.FedHPA{}}
	wrong := misnamed{problem: "name a FedHPA", namespace: key.Namespace, list: &autoscalingv1alpha1.FedHPAList{}}
	if key.Name == "" {
		return out, wrong.explain(ctx, control)
	}
	if err := control.Get(ctx, key, out.FedHPA); apierrors.IsNotFound(err) {
		wrong.problem = "FedHPA " + key.Name + " does not exist"
		return out, wrong.explain(ctx, control)
	} else if err != nil {
		return out, fmt.Errorf("reading FedHPA %s: %w", key, err)
	}
	ref := out.FedHPA.Spec.ScaleTargetRef
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
	var err error
	out.Binding, err = binding.Of(ctx, control, client.ObjectKey{Namespace: key.Namespace, Name: ref.Name}, kind)
	return out, err
}

// whatIf reads the limits to be divided on paper; nil when none are asked for. The one left out is the one in force.
func whatIf(command *cobra.Command, fed *autoscalingv1alpha1.FedHPA, limits split.Range) (*split.Range, error) {
	lo, hi := command.Flags().Changed("min"), command.Flags().Changed("max")
	if !lo && !hi {
		return nil, nil
	}
	if !lo {
		limits.Min = fed.Status.MinReplicas
	}
	if !hi {
		limits.Max = fed.Status.MaxReplicas
	}
	if limits.Min < 1 || limits.Min > limits.Max || limits.Max > autoscalingv1alpha1.FedHPAMostReplicas {
		return nil, fmt.Errorf("--min %d and --max %d are not 1 <= min <= max <= %d", limits.Min, limits.Max,
			autoscalingv1alpha1.FedHPAMostReplicas)
	}
	return &limits, nil
}
