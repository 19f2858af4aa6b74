package main

import (
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd/get"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// getter is kubectl's own get of kinds of ours, by its own code: what it prints and which flags it takes are known.
type getter struct {
	flags   *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams
	// types as kubectl names them in full, with commas between several.
	types string
	// named finds the object that arguments mean; nil where none are taken.
	named func(command *cobra.Command, args []string) (string, error)
}

// newListCommand lists the objects of a group of commands; words says what they are.
func newListCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams, group, words, types string) *cobra.Command {
	command := getter{flags: flags, streams: streams, types: types}.many(false)
	command.Use, command.Aliases = "list", []string{"ls"}
	command.Short = "List " + words + " as kubectl get does, with its outputs and selectors"
	command.Example = "  argosyctl " + group + " list -A -o wide\n" +
		"  argosyctl " + group + " list -n shop -o custom-columns=NAME:.metadata.name,MADE:.metadata.creationTimestamp"
	command.Args = cobra.NoArgs
	return command
}

// many shows the objects of a namespace, or of all.
func (g getter) many(watch bool) *cobra.Command {
	command, options := g.command(watch)
	command.Flags().BoolVarP(&options.AllNamespaces, "all-namespaces", "A", false, "show those of every namespace")
	cmdutil.AddLabelSelectorFlagVar(command, &options.LabelSelector)
	return command
}

// command runs kubectl's get.
func (g getter) command(watch bool) (*cobra.Command, *get.GetOptions) {
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: whole(g.streams.Out), ErrOut: g.streams.ErrOut}
	options := get.NewGetOptions("argosyctl", streams)
	command := &cobra.Command{
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := restConfig(g.flags); err != nil {
				return err
			}
			asked := []string{g.types}
			if len(args) > 0 {
				name, err := g.named(command, args)
				if err != nil {
					return err
				}
				asked = append(asked, name)
			}
			factory := cmdutil.NewFactory(g.flags)
			options.Watch = options.Watch || watch
			if err := options.Complete(factory, command, asked); err != nil {
				return err
			}
			if err := options.Validate(); err != nil {
				return err
			}
			return options.Run(factory, asked)
		},
	}
	options.PrintFlags.AddFlags(command)
	if !watch {
		command.Flags().BoolVarP(&options.Watch, "watch", "w", false, "go on and show what changes")
	}
	return command, options
}
