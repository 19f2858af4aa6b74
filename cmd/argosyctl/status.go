package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/application"
	"github.com/argosy-dev/argosy/internal/members"
)

// wideHelp is outputHelp of commands that have a wider text.
const wideHelp = "wide, " + outputHelp

// asked reports whether the wide text is asked for, which is text in all else. A format that is none is an error.
func asked(format *string) (wide bool, err error) {
	if *format == "wide" {
		*format = "text"
		return true, nil
	}
	if _, err := structured(io.Discard, *format, nil); err != nil {
		return false, fmt.Errorf("%w; wide shows more of the text", err)
	}
	return false, nil
}

// Without -o wide a table fits a terminal of this many columns.
const narrow = 120

// counts are the columns of status between the cluster and the image, each two apart.
const counts = "ASSIGNED\tCURRENT\tUPDATED\tREADY\tWAITING\tLIMITS\tGENERATION"

// imageWidth is what is left of a terminal for images, of which the end is shown: it has the tag. A table of clusters with very long names
// is wider than a terminal.
func imageWidth(rows []application.Row) int {
	cluster := 0
	for _, row := range rows {
		cluster = max(cluster, len(row.Cluster))
	}
	return max(narrow-cluster-2-len(strings.ReplaceAll(counts, "\t", "  "))-2, 20)
}

// watchEvery is how often -w looks: each look reads every member.
const watchEvery = 2 * time.Second

func newStatusCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var format string
	var watch bool
	command := &cobra.Command{
		Use:   "status TYPE/NAME",
		Short: "Say where an application is, and what is wrong, worst first",
		Long: `Prints one row for each member cluster of anything a policy propagates: what the scheduler assigned, what the member
runs, which pods wait, the limits of its autoscaler, and of which generation of the template its object is; and below what is
wrong, worst first. A member that does not answer is read from its last report, marked with ?; - is unknown, or not counted by
this kind. Nothing is written.`,
		Example: `  argosyctl status deploy/web -n shop

  # Follow it; for programs: -o json
  argosyctl status clonesets.apps.kruise.io/web -n shop -w`,
		Args: oneObject,

		ValidArgsFunction: once(completePropagated(flags)),
		RunE: func(command *cobra.Command, args []string) error {
			wide, err := asked(&format)
			if err != nil {
				return err
			}
			if watch && format != "text" {
				return errors.New("--watch prints text only")
			}
			look, err := looker(flags, typed(args))
			if err != nil {
				return err
			}
			if watch {
				return follow(command.Context(), streams.Out, look, wide)
			}
			facts, err := look(command.Context())
			if err != nil {
				return err
			}
			view := application.Look(facts)
			if done, err := structured(streams.Out, format, view); done {
				return err
			}
			return writeView(streams.Out, view, facts.Now, wide)
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "text", wideHelp)
	command.Flags().BoolVarP(&watch, "watch", "w", false, "print it again whenever it changes")
	return command
}

func newTraceCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:   "trace TYPE/NAME",
		Short: "Follow a template's last change to the members, step by step",
		Long: `Follows the last change of a template from the control plane to its policy, binding and scheduling, and in each cluster
to the Work, the member's object and what runs there, with the time each step took (to the second, as the API keeps it) and
where it stands still.`,
		Example: "  argosyctl trace deploy/web -n shop",
		Args:    oneObject,

		ValidArgsFunction: once(completePropagated(flags)),
		RunE: func(command *cobra.Command, args []string) error {
			wide, err := asked(&format)
			if err != nil {
				return err
			}
			look, err := looker(flags, typed(args))
			if err != nil {
				return err
			}
			facts, err := look(command.Context())
			if err != nil {
				return err
			}
			trace := application.Follow(facts)
			if done, err := structured(streams.Out, format, trace); done {
				return err
			}
			return writeTrace(streams.Out, trace, wide)
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "text", wideHelp)
	return command
}

// oneNamed is KIND/NAME, KIND NAME, or NAME where a command is about one kind alone; what the words are worth is asked later.
func oneNamed(command *cobra.Command, args []string) error {
	if len(args) == 1 || len(args) == 2 && !strings.Contains(args[0]+args[1], "/") {
		return nil
	}
	return fmt.Errorf("name one object, such as: %s%s", command.CommandPath(), strings.TrimPrefix(command.Use, command.Name()))
}

// oneObject is the argument of commands about one object of the control plane.
func oneObject(command *cobra.Command, args []string) error {
	if len(args) == 1 || len(args) == 2 {
		if kind, name, ok := strings.Cut(typed(args), "/"); ok && kind != "" && name != "" && !strings.Contains(name, "/") {
			return nil
		}
	}
	return fmt.Errorf("name one object as TYPE/NAME, such as: %s -n shop deploy/web", command.CommandPath())
}

// looker reads one application, as often as it is asked.
func looker(flags *genericclioptions.ConfigFlags, argument string) (func(context.Context) (application.Facts, error),
	error) {
	control, namespace, err := controlPlane(flags)
	if err != nil {
		return nil, err
	}
	mapper, err := flags.ToRESTMapper()
	if err != nil {
		return nil, fmt.Errorf("asking for the kinds served: %w", err)
	}
	word, name, _ := strings.Cut(argument, "/")
	full, part := schema.ParseResourceArg(strings.ToLower(word))
	var kind schema.GroupVersionKind
	if full != nil {
		kind, err = mapper.KindFor(*full)
	}
	if full == nil || err != nil {
		kind, err = mapper.KindFor(part.WithVersion(""))
	}
	if err != nil {
		if meta.IsNoMatchError(err) {
			return nil, fmt.Errorf("the control plane serves no kind %q: 'kubectl api-resources' lists those it does", word)
		}
		return nil, fmt.Errorf("finding the kind %q in the control plane: %w", word, err)
	}
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("finding the kind %q in the control plane: %w", word, err)
	}
	key := client.ObjectKey{Name: name}
	if mapping.Scope.Name() == "namespace" {
		key.Namespace = namespace
	}
	known := &members.Members{Reader: control}
	reader := &application.Reader{Control: control, Clock: clock.RealClock{}, Member: func(ctx context.Context,
		cluster string) (client.Reader, error) {
		return known.Client(ctx, cluster)
	}}
	return func(ctx context.Context) (application.Facts, error) {
		facts, err := reader.Gather(ctx, kind, key)
		if apierrors.IsNotFound(err) && facts.Template.GetUID() == "" && key.Namespace != "" {
			err = fmt.Errorf("%w; name another namespace with -n", err)
		}
		return facts, err
	}, nil
}

// follow prints whenever something changed, until the context ends.
func follow(ctx context.Context, out io.Writer, look func(context.Context) (application.Facts, error), wide bool) error {
	last, silence := "", outage{out: out}
	err := wait.PollUntilContextCancel(ctx, watchEvery, true, func(ctx context.Context) (bool, error) {
		facts, err := look(ctx)
		if err != nil && last == "" {
			return false, err // somebody who never had an answer asks the wrong server
		}
		if over := silence.over(ctx, err); err != nil {
			return false, over
		}
		var text strings.Builder
		// Without a now there are no ages, which change at every look.
		ageless := facts
		ageless.Now = time.Time{}
		if err := writeView(&text, application.Look(ageless), ageless.Now, wide); err != nil {
			return false, err
		}
		if text.String() == last {
			return false, nil
		}
		last = text.String()
		fmt.Fprintf(out, "-- %s\n", facts.Now.Format(time.TimeOnly))
		return false, writeView(out, application.Look(facts), facts.Now, wide)
	})
	if ctx.Err() != nil {
		return nil // the person has seen enough
	}
	return err
}

func writeView(out io.Writer, view application.View, now time.Time, wide bool) error {
	fmt.Fprintf(out, "%s %s", view.Kind, fullName(view.Namespace, view.Name))
	if view.Replicas != nil {
		fmt.Fprintf(out, ", %d replicas", *view.Replicas)
	}
	fmt.Fprintf(out, ", generation %d", view.Generation)
	if view.Policy != "" {
		fmt.Fprintf(out, ", %s", view.Policy)
	}
	if view.LastScheduled != nil && !now.IsZero() {
		fmt.Fprintf(out, ", scheduled %s ago", duration.HumanDuration(now.Sub(*view.LastScheduled)))
	}
	fmt.Fprintln(out)
	for _, object := range view.Objects {
		fmt.Fprintf(out, "  %s\n", object)
	}
	if len(view.Clusters) > 0 {
		fmt.Fprintln(out)
		table := newTable(out, 2)
		source, widest := "", imageWidth(view.Clusters)
		if wide {
			source, widest = "\tREAD FROM", 0
		}
		fmt.Fprintln(table, "CLUSTER\t"+counts+"\tIMAGE"+source)
		for _, row := range view.Clusters {
			writeRow(table, row, widest)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	if len(view.Problems) == 0 {
		fmt.Fprintln(out, "Nothing is wrong.")
	}
	for _, problem := range view.Problems {
		where := ""
		if problem.Cluster != "" {
			where = problem.Cluster + ": "
		}
		fmt.Fprintf(out, "%s: %s%s\n", problem.Severity, where, problem.Message)
	}
	return nil
}

// writeRow cuts images to their end, where widest is not 0.
func writeRow(table io.Writer, row application.Row, widest int) {
	mark := ""
	if row.Source == application.SourceReported {
		mark = "?"
	}
	count := func(n *int64, mark string) string {
		if n == nil {
			return "-"
		}
		return strconv.FormatInt(*n, 10) + mark
	}
	limits, image := "-", "-"
	if row.Limits != nil {
		limits = fmt.Sprintf("%d-%d", row.Limits.Min, row.Limits.Max)
	}
	if len(row.Images) > 0 {
		image = strings.Join(row.Images, ",")
	}
	if letters := []rune(image); widest > 0 && len(letters) > widest {
		image = "…" + string(letters[len(letters)-widest+1:])
	}
	if widest == 0 {
		image += "\t" + string(row.Source)
	}
	fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Cluster, count(row.Assigned, ""), count(row.Current, mark),
		count(row.Updated, mark),
		count(row.Ready, mark), count(row.Waiting, mark), limits, count(row.Generation, mark), image)
}

func writeTrace(out io.Writer, trace application.Trace, wide bool) error {
	fmt.Fprintf(out, "%s %s, generation %d\n\n", trace.Kind, fullName(trace.Namespace, trace.Name), trace.Generation)
	var text strings.Builder
	table := newTable(&text, 2)
	fmt.Fprintln(table, "STEP\tCLUSTER\tSTATE\tTIME\tTOOK\tWHAT")
	for _, step := range trace.Steps {
		cluster, at, took := "-", "-", "-"
		if step.Cluster != "" {
			cluster = step.Cluster
		}
		if step.Time != nil {
			at = step.Time.UTC().Format(time.DateTime)
		}
		if step.TookSeconds != nil {
			took = fmt.Sprintf("%.0fs", *step.TookSeconds)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", step.Name, cluster, step.State, at, took, step.Message)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for row := range strings.Lines(text.String()) {
		if letters := []rune(strings.TrimSuffix(row, "\n")); !wide && len(letters) > narrow {
			row = string(letters[:narrow-1]) + "…\n"
		}
		fmt.Fprint(out, row)
	}
	fmt.Fprintln(out)
	if len(trace.StandsAt) == 0 {
		fmt.Fprintln(out, "It has arrived everywhere.")
	}
	for _, text := range trace.StandsAt {
		fmt.Fprintf(out, "Stands at %s\n", text)
	}
	return nil
}

func fullName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
