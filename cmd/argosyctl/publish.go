package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/migration/publish"
)

// newIsKarmadaCommand answers CI/CD: is this application federated?
func newIsKarmadaCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	format := ""
	command := &cobra.Command{
		Use:   "is-karmada KIND/NAME",
		Short: "Say who manages an application, as JSON and as exit status",
		Long: "Tells CI/CD where an application is published now, as one line of JSON and as exit status:\n\n" +
			"  0  federated: to karmada-apiserver\n" +
			"  1  static: to the clusters, as before\n" +
			"  2  changing: nowhere; ask again\n" +
			"  3  no answer, or a question that is none: nowhere",
		Example: "  argosyctl is-karmada -n shop deployment/web",

		ValidArgsFunction: once(completeMigrations(flags)),
		Args: func(command *cobra.Command, args []string) error {
			if err := oneApplication(command, args); err != nil {
				return exitError{code: exitUnknown, err: err}
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := structured(io.Discard, format, nil); err != nil {
				return exitError{code: exitUnknown, err: err}
			}
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return exitError{code: exitUnknown, err: err}
			}
			application, err := parseApplication(namespace, typed(args))
			if err != nil {
				return exitError{code: exitUnknown, err: err}
			}
			answer, err := publish.Ask(command.Context(), control, application)
			if err != nil {
				return exitError{code: exitUnknown, err: err}
			}
			if err := writeAnswer(streams.Out, answer, format); err != nil {
				return exitError{code: exitUnknown, err: err}
			}
			switch {
			case answer.IsKarmada:
				return nil
			case answer.Management == "Static":
				return exitError{code: exitStatic, err: errReported}
			}
			return exitError{code: exitChanging, err: errReported}
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "json", "json (one line), yaml, or as kubectl get: jsonpath=..., go-template=..., "+
		"custom-columns=...")
	// A flag that is none must not end like the answer Static.
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitError{code: exitUnknown, err: err} })
	return command
}

// writeAnswer as one line of JSON, or in another format.
func writeAnswer(out io.Writer, answer publish.Answer, format string) error {
	if format != "json" {
		_, err := structured(out, format, answer)
		return err
	}
	raw, err := json.Marshal(answer)
	if err == nil {
		_, err = fmt.Fprintln(whole(out), string(raw))
	}
	return err
}

// Exit statuses of is-karmada.
const (
	exitStatic   = 1
	exitChanging = 2
	// exitUnknown is no answer: publish nowhere.
	exitUnknown = 3
)

// exitError ends the program with a status of its own.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

type publishOptions struct {
	folder      string
	clusters    []string
	kubeconfigs map[string]string
	wait        time.Duration
	dryRun      bool
	prune       bool
	output      string
}

// newPublishCommand releases an application the way it is managed now.
func newPublishCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := publishOptions{}
	command := &cobra.Command{
		Use:   "publish -f FOLDER",
		Short: "Release an application: to the control plane when federated, else to its clusters",
		Long: "The folder holds the application's objects: *.yaml for every cluster, and clusters/<name>/*.yaml for what\n" +
			"differs in one. While the application is being moved, publishing waits. A static release goes to the clusters that\n" +
			"have a folder of their own, or to those of --clusters.\n\n" +
			"What others wrote into the objects stays, as with kubectl apply --server-side: restartedAt, 'kubectl set env', ports that\n" +
			"clusters chose. What an earlier release or kubectl apply brought and the folder no longer has goes, but for replicas.\n\n" +
			"Objects that earlier releases brought and the folder no longer has are named, and stay; with --prune they are deleted. What\n" +
			"is somebody else's stays all the same, and so do volume claims and what pods still refer to.\n\n" +
			"--dry-run asks the API servers and shows every field that would change. Its exit status is that of kubectl diff: 0 when\n" +
			"nothing would change, 1 when something would, above 1 when it is not known.",
		Example: "  argosyctl publish -f app/ -n shop\n" +
			"  argosyctl publish -f app/ -n shop --clusters member1,member2\n" +
			"  argosyctl publish -f app/ -n shop --prune --dry-run",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return options.run(command.Context(), flags, streams)
		},
	}
	command.Flags().StringVarP(&options.folder, "filename", "f", "",
		"the application's folder, or one file of its objects; - is standard input")
	command.Flags().StringSliceVar(&options.clusters, "clusters", nil,
		"clusters of a static release; default those with a folder of their own")
	complete(command, "clusters", severalOf(completeNames(flags, clusters)))
	command.Flags().StringToStringVar(&options.kubeconfigs, "member-kubeconfig", nil,
		"name=path: reach a cluster directly, not with the control plane's credentials")
	command.Flags().DurationVar(&options.wait, "wait", 10*time.Minute, "how long to wait while the application is being moved")
	command.Flags().BoolVar(&options.dryRun, "dry-run", false, "write nothing, and show what would change")
	command.Flags().StringVarP(&options.output, "output", "o", "text", outputHelp)
	command.Flags().BoolVar(&options.prune, "prune", false, "delete the objects that earlier releases brought and the folder no longer has")
	// A flag that is none must not end like a dry run that found a difference.
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitError{code: exitNotKnown, err: err} })
	return command
}

func (o publishOptions) run(ctx context.Context, flags *genericclioptions.ConfigFlags,
	streams genericiooptions.IOStreams) error {
	if _, err := structured(io.Discard, o.output, nil); err != nil {
		return o.unknown(err)
	}
	bundle, err := loadFolder(o.folder, streams.In)
	if err != nil {
		return o.unknown(err)
	}
	control, namespace, err := controlPlane(flags)
	if err != nil {
		return o.unknown(err)
	}
	known := &members.Members{Reader: control}
	publisher := &publish.Publisher{Control: control, DryRun: o.dryRun, Prune: o.prune, Clock: clock.RealClock{}}
	publisher.Member = func(ctx context.Context,
		name string) (client.Client, error) {
		if path, ok := o.kubeconfigs[name]; ok {
			config, err := clientcmd.BuildConfigFromFlags("", path)
			if err != nil {
				return nil, fmt.Errorf("reading --member-kubeconfig of %s: %w", name, err)
			}
			return client.New(config, client.Options{})
		}
		return known.Client(ctx, name)
	}
	if o.dryRun {
		result, err := publisher.Release(ctx, namespace, bundle, o.clusters)
		if o.output != "text" {
			return o.structured(streams.Out, result, err)
		}
		return writeDryRun(streams.Out, result, err)
	}
	return o.release(ctx, streams, func(ctx context.Context) (publish.Result, error) {
		return publisher.Release(ctx, namespace, bundle, o.clusters)
	})
}

// published is what a release wrote, or would write, as programs are told of it.
type published struct {
	Management migrationv1alpha1.Management `json:"management"`
	Phase      migrationv1alpha1.Phase      `json:"phase,omitempty"`
	DryRun     bool                         `json:"dryRun"`
	Objects    []publishedObject            `json:"objects"`
}

// publishedObject in the control plane or in a cluster.
type publishedObject struct {
	Where  string `json:"where"`
	Object string `json:"object"`
	// New where there was none, Held where a suspended policy keeps it from a cluster, Left where the folder no longer has it, and then
	// Pruned where it is deleted.
	New     bool                            `json:"new,omitempty"`
	Held    bool                            `json:"held,omitempty"`
	Left    bool                            `json:"left,omitempty"`
	Pruned  bool                            `json:"pruned,omitempty"`
	Note    string                          `json:"note,omitempty"`
	Changes []migrationv1alpha1.FieldChange `json:"changes,omitempty"`
}

// structured tells programs; a dry run ends as writeDryRun does.
func (o publishOptions) structured(out io.Writer, result publish.Result, err error) error {
	told := published{Management: result.Answer.Management, Phase: result.Answer.Phase, DryRun: o.dryRun, Objects: []publishedObject{}}
	differing := 0
	for _, w := range result.Written {
		if w.New || len(w.Changes) > 0 {
			differing++
		}
		told.Objects = append(told.Objects, publishedObject{Where: w.Where, Object: w.Object, New: w.New, Note: w.Note, Changes: w.Changes})
	}
	for _, h := range result.Held {
		told.Objects = append(told.Objects, publishedObject{Where: h.Where, Object: h.Object, Held: true, Note: h.Note})
	}
	for _, l := range result.Left {
		if l.Pruned {
			differing++
		}
		told.Objects = append(told.Objects, publishedObject{Where: l.Where, Object: l.Object, Left: true, Pruned: l.Pruned, Note: l.Note})
	}
	if _, failed := structured(out, o.output, told); failed != nil || err != nil {
		return o.unknown(errors.Join(err, failed))
	}
	if o.dryRun {
		return differs(differing)
	}
	return nil
}

// unknown is an error before anything is known: for a dry run that is no difference.
func (o publishOptions) unknown(err error) error {
	if o.dryRun {
		return exitError{code: exitNotKnown, err: err}
	}
	return err
}

// Exit statuses of publish --dry-run, as of kubectl diff.
const (
	exitDiffers  = 1
	exitNotKnown = 2
)

// writeDryRun shows every field that a release would change.
func writeDryRun(out io.Writer, result publish.Result, err error) error {
	differs := 0
	for _, written := range result.Written {
		if !written.New && len(written.Changes) == 0 {
			continue
		}
		differs++
		remark := ""
		if written.New {
			remark = " is new"
		}
		fmt.Fprintf(out, "%s: %s%s\n", written.Where, written.Object, remark)
		for _, change := range written.Changes {
			if change.Live != "" {
				fmt.Fprintf(out, "  - %s: %s\n", change.Path, change.Live)
			}
			if change.Planned != "" {
				fmt.Fprintf(out, "  + %s: %s\n", change.Path, change.Planned)
			}
		}
	}
	for _, left := range result.Left {
		if left.Pruned {
			differs++
		}
		fmt.Fprintf(out, "%s: %s left the folder and %s\n", left.Where, left.Object, fate(left, "would be deleted"))
	}
	if err != nil {
		return exitError{code: exitNotKnown, err: fmt.Errorf("not known to the end: %w", err)}
	}
	fmt.Fprintf(out, "dry run; managed: %s; %d of %d objects would change\n", result.Answer.Management, differs,
		len(result.Written)+len(result.Left))
	if differs > 0 {
		return exitError{code: exitDiffers, err: errReported}
	}
	return nil
}

// release until it is through, or waited for too long, and say what was written meanwhile: a release that met the beginning of a move
// did write something.
func (o publishOptions) release(ctx context.Context, streams genericiooptions.IOStreams,
	once func(context.Context) (publish.Result, error)) error {
	var (
		result    publish.Result
		overtaken int
	)
	out := streams.Out
	if o.output != "text" {
		out = streams.ErrOut // words are for people
	}
	err := wait.PollUntilContextTimeout(ctx, 2*time.Second, max(o.wait, time.Second), true, func(ctx context.Context) (bool, error) {
		var err error
		result, err = once(ctx)
		writeRelease(out, result)
		if errors.Is(err, publish.ErrChanging) {
			overtaken += len(result.Written)
			return false, nil
		}
		return true, err
	})
	if wait.Interrupted(err) {
		published := "nothing was published"
		if overtaken > 0 {
			published = fmt.Sprintf("%d objects, named above, were written before it began, and what became of them is not known: "+
				"release it again", overtaken)
		}
		return fmt.Errorf("waited %s: the application is still being moved (phase %s); %s", o.wait, result.Answer.Phase, published)
	}
	if err != nil {
		return err
	}
	if o.output != "text" {
		return o.structured(streams.Out, result, nil)
	}
	if len(result.Held) > 0 {
		fmt.Fprintf(out, "published, but for what is held back; managed: %s\n", result.Answer.Management)
		return nil
	}
	fmt.Fprintf(out, "published; managed: %s\n", result.Answer.Management)
	return nil
}

func writeRelease(out io.Writer, result publish.Result) {
	for _, written := range result.Written {
		note := ""
		if written.Note != "" {
			note = " (" + written.Note + ")"
		}
		fmt.Fprintf(out, "%s: %s%s\n", written.Where, written.Object, note)
	}
	for _, held := range result.Held {
		fmt.Fprintf(out, "HELD BACK in %s: %s (%s)\n", held.Where, held.Object, held.Note)
	}
	for _, left := range result.Left {
		deleted := "was deleted"
		if left.Where == publish.ControlPlane {
			deleted = "is being deleted there"
		}
		fmt.Fprintf(out, "%s: %s left the folder and %s\n", left.Where, left.Object, fate(left, deleted))
	}
}

// fate of an object that left the folder.
func fate(left publish.Left, deleted string) string {
	switch {
	case left.Pruned && left.Note != "":
		return deleted + ", " + left.Note
	case left.Pruned:
		return deleted
	case left.Note != "":
		return "stays: " + left.Note
	}
	return "stays: --prune deletes it"
}
