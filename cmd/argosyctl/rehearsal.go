package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/policy"
)

const dryRunFlag = "dry-run"

// rehearsable gives a command that writes by its writer --dry-run, and -o: what was written is printed for programs, and what is said to
// people goes to standard error.
func rehearsable(command *cobra.Command) *cobra.Command {
	command.Flags().Bool(dryRunFlag, false, "write nothing: have the API server check it, and show every field that would change")
	format := command.Flags().StringP("output", "o", "text", outputHelp)
	run := command.RunE
	command.RunE = func(command *cobra.Command, args []string) error {
		programs, err := structured(io.Discard, *format, nil)
		if err != nil {
			return err
		}
		if !programs {
			return run(command, args)
		}
		var kept written
		command.SetContext(context.WithValue(command.Context(), writtenKey{}, &kept))
		if out, ok := command.OutOrStdout().(*screen); ok {
			out.aside = command.ErrOrStderr()
			defer func() { out.aside = nil }()
		}
		if err = run(command, args); err != nil && len(kept.objects) == 0 {
			return err
		}
		if failed := kept.print(command.OutOrStdout(), *format); failed != nil {
			return errors.Join(err, failed)
		}
		return err
	}
	return command
}

// writtenKey finds, in a command's context, where its writer keeps what it wrote.
type writtenKey struct{}

// written are the objects that a command wrote, each as the API server answered, or as it was read after that.
type written struct{ objects []client.Object }

// keep an object, once, as it is in the end.
func (w *written) keep(object client.Object) {
	w.objects = append(slices.DeleteFunc(w.objects, func(o client.Object) bool {
		return o == object || o.GetUID() == object.GetUID() && o.GetUID() != ""
	}), object)
}

// print the object, or a List of several and of none.
func (w *written) print(out io.Writer, format string) error {
	items, err := manifestsOf(w.objects)
	if err != nil {
		return err
	}
	object := listOfManifests(items)
	if len(items) == 1 {
		object = items[0]
	}
	_, err = structured(out, format, object)
	return err
}

// keeper keeps what is written by it, with its kind.
type keeper struct {
	client.Client
	kept *written
}

func (k keeper) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	if _, question := object.(*authenticationv1.SelfSubjectReview); question {
		return k.Client.Create(ctx, object, options...)
	}
	return k.keep(object, k.Client.Create(ctx, object, options...))
}

func (k keeper) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	return k.keep(object, k.Client.Update(ctx, object, options...))
}

func (k keeper) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	return k.keep(object, k.Client.Patch(ctx, object, patch, options...))
}

func (k keeper) keep(object client.Object, err error) error {
	if err != nil {
		return err
	}
	kind, err := k.GroupVersionKindFor(object)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	k.kept.keep(object)
	return nil
}

func rehearsing(command *cobra.Command) bool {
	asked, err := command.Flags().GetBool(dryRunFlag)
	return err == nil && asked
}

// writer is the client by which a command writes. With --dry-run the API server does with each write all that it does, admission too, and
// stores nothing; what would have changed is shown.
func writer(command *cobra.Command, control client.Client, out io.Writer) (result client.Client) {
	if kept, asked := command.Context().Value(writtenKey{}).(*written); asked {
		defer func() { result = keeper{Client: result, kept: kept} }()
	}
	if !rehearsing(command) {
		return control
	}
	fmt.Fprintln(out, "dry run: nothing is written; this is what would change, and what would be said")
	return rehearsal{Client: client.NewDryRunClient(control), live: control, out: out}
}

type rehearsal struct {
	client.Client
	live client.Client
	out  io.Writer
}

func (r rehearsal) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	if _, question := object.(*authenticationv1.SelfSubjectReview); question {
		return r.live.Create(ctx, object, options...)
	}
	if err := r.Client.Create(ctx, object, options...); err != nil {
		return err
	}
	return r.show(nil, object)
}

func (r rehearsal) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	return r.compare(ctx, object, func() error { return r.Client.Update(ctx, object, options...) })
}

func (r rehearsal) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	return r.compare(ctx, object, func() error { return r.Client.Patch(ctx, object, patch, options...) })
}

// compare shows what a write makes of the object that is stored.
func (r rehearsal) compare(ctx context.Context, object client.Object, write func() error) error {
	stored, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object", object)
	}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(object), stored); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	return r.show(stored, object)
}

// show every field in which before and after differ; before is nil where there is nothing yet.
func (r rehearsal) show(before, after client.Object) error {
	kind, err := r.live.GroupVersionKindFor(after)
	if err != nil {
		return err
	}
	from, err := plain(before)
	if err != nil {
		return err
	}
	to, err := plain(after)
	if err != nil {
		return err
	}
	text, err := fieldByField(policy.Differences(from, to))
	if err != nil {
		return err
	}
	what := "changes"
	if before == nil {
		what = "is new"
	} else if text == "" {
		what = "stays as it is"
	}
	_, err = fmt.Fprintf(r.out, "%s %s %s\n%s", kind.Kind, fullName(after.GetNamespace(), after.GetName()), what, text)
	return err
}

// plain is an object without what the API server keeps for itself.
func plain(object client.Object) (map[string]any, error) {
	if object == nil {
		return nil, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object.DeepCopyObject())
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", object.GetName(), err)
	}
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	// A typed object says its kind in its type.
	delete(content, "apiVersion")
	delete(content, "kind")
	delete(content, "status")
	return content, nil
}
