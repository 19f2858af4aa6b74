package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/policy"
)

const dryRunFlag = "dry-run"

// rehearsable gives a command that writes --dry-run.
func rehearsable(command *cobra.Command) *cobra.Command {
	command.Flags().Bool(dryRunFlag, false, "write nothing: have the API server check it, and show every field that would change")
	return command
}

func rehearsing(command *cobra.Command) bool {
	asked, err := command.Flags().GetBool(dryRunFlag)
	return err == nil && asked
}

// writer is the client by which a command writes. With --dry-run the API server does with each write all that it does, admission too, and
// stores nothing; what would have changed is shown.
func writer(command *cobra.Command, control client.Client, out io.Writer) client.Client {
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
