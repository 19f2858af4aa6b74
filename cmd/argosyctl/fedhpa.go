package main

import (
	"fmt"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// newFedHPACommand groups what is said about FedHPAs.
func newFedHPACommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "fedhpa", Short: "Understand FedHPAs", Args: cobra.NoArgs}
	command.AddCommand(newFedHPAExplainCommand(flags, streams))
	return command
}

func newFedHPAExplainCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var whatIf split.Range
	command := &cobra.Command{
		Use:   "explain name",
		Short: "Say what each member got and why, whether the books are true, and what other limits would give",
		Example: `  # Why did member2 get 3 of 10?
  argosyctl fedhpa explain web -n shop

  # What would maxReplicas 40 give?
  argosyctl fedhpa explain web -n shop --max 40`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			key := client.ObjectKey{Namespace: namespace, Name: args[0]}
			fed := &autoscalingv1alpha1.FedHPA{}
			if err := control.Get(command.Context(), key, fed); err != nil {
				return fmt.Errorf("reading FedHPA %s: %w", key, err)
			}
			explanation := fedhpa.Explanation{FedHPA: fed}
			ref := fed.Spec.ScaleTargetRef
			binding := &workv1alpha2.ResourceBinding{}
			err = control.Get(command.Context(), client.ObjectKey{Namespace: namespace, Name: names.GenerateBindingName(ref.Kind, ref.Name)}, binding)
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("reading the target's ResourceBinding: %w", err)
			}
			if err == nil {
				explanation.Binding = binding
			}
			if command.Flags().Changed("min") || command.Flags().Changed("max") {
				if !command.Flags().Changed("min") {
					whatIf.Min = fed.Status.MinReplicas
				}
				if !command.Flags().Changed("max") {
					whatIf.Max = fed.Status.MaxReplicas
				}
				if whatIf.Min < 1 || whatIf.Min > whatIf.Max {
					return fmt.Errorf("--min %d and --max %d are not 1 <= min <= max", whatIf.Min, whatIf.Max)
				}
				explanation.WhatIf = &whatIf
			}
			return explanation.Write(streams.Out)
		},
	}
	command.Flags().Int32Var(&whatIf.Min, "min", 0, "divide this minReplicas instead, on paper")
	command.Flags().Int32Var(&whatIf.Max, "max", 0, "divide this maxReplicas instead, on paper")
	return command
}
