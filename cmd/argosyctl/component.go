package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/schema"
	"github.com/argosy-dev/argosy/member/component/preview"
	"github.com/argosy-dev/argosy/member/component/render"
)

// newComponentCommand groups what is about Components.
func newComponentCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "component", Short: "Look at Components, what they become, and what could be one"}
	command.AddCommand(
		newListCommand(flags, streams, "component", "Components", "components.component.luojilab.com"),
		newComponentPreviewCommand(flags, streams),
		newComponentExplainCommand(flags, streams),
		newComponentAdoptCommand(flags, streams),
		newApproveCommand(flags, streams, approvable{
			use: "approve NAME", kinds: []string{"Component"},
			example: "  # The canary step that waits goes on\n  argosyctl component approve python-demo -n shop",
		}),
	)
	return command
}

type componentPreview struct {
	genericiooptions.IOStreams
	files     []string
	values    map[string]string
	namespace string
	output    string
	// member is asked where there are templates alone; where is how it is called.
	member func() (client.Reader, error)
	where  string
}

func newComponentPreviewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &componentPreview{IOStreams: streams}
	command := &cobra.Command{
		Use:   "preview -f FILE",
		Short: "Print the Kubernetes objects that Components and templates become",
		Long: "Renders the Components of the files with the ComponentTemplates of the files, and prints which objects come out and who had a\n" +
			"say in each: templates as LEVEL/NAME, the Component's spec and its patches. With -o yaml or json it prints the objects.\n" +
			"What a Component or template has wrong is said as an API server would say it. Nothing is asked of a cluster.\n\n" +
			"Where the files hold templates alone, the member that --context names is asked which of its Components they would change, and\n" +
			"which of those would restart. Nothing is written.",
		Example: "  # What five fields become\n" +
			"  argosyctl component preview -f deploy/samples/component.yaml\n\n" +
			"  # What a cluster's templates make of them\n" +
			"  argosyctl component preview -f deploy/samples/component.yaml -f deploy/samples/componenttemplate.yaml " +
			"--cluster-value zone=a -o yaml\n\n" +
			"  # Whom a changed template changes in a member, and who restarts\n" +
			"  argosyctl component preview -f deploy/samples/componenttemplate.yaml --context member1",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			o.namespace = ptr.Deref(flags.Namespace, "")
			o.member = func() (client.Reader, error) {
				member, _, err := controlPlane(flags)
				return member, err
			}
			o.where = cmp.Or(ptr.Deref(flags.Context, ""), "this cluster")
			return o.run(command.Context())
		},
	}
	command.Flags().
		StringSliceVarP(&o.files, "filename", "f", nil, "files or folders of Components and ComponentTemplates, in any order; - is stdin")
	command.Flags().StringToStringVar(&o.values, "cluster-value", nil, "a value of the cluster, KEY=VALUE, for $(cluster.KEY) in templates")
	command.Flags().StringVarP(&o.output, "output", "o", "text", outputHelp)
	return command
}

func (o *componentPreview) run(ctx context.Context) error {
	if _, err := structured(io.Discard, o.output, nil); err != nil {
		return err
	}
	components, templates, err := o.read(ctx)
	if err != nil {
		return err
	}
	if len(components) == 0 {
		if o.output != "text" {
			return fmt.Errorf("%s: no Component is in it, whose objects could be printed", strings.Join(o.files, ", "))
		}
		member, err := o.member()
		if err != nil {
			return err
		}
		return preview.Wave(ctx, member, templates, o.values, o.where, o.Out)
	}
	var all []render.Object
	var failed error
	for i := range components {
		objects, report, err := render.Render(&components[i], templates, o.values)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		all = append(all, objects...)
		if o.output == "text" {
			if err := printRendered(o.Out, &components[i], objects, report); err != nil {
				return err
			}
			continue
		}
		for _, note := range report.Notes {
			fmt.Fprintf(o.ErrOut, "note: Component %s/%s: %s\n", components[i].Namespace, components[i].Name, note)
		}
	}
	return errors.Join(o.printObjects(all), failed)
}

// read gives the Components and templates of all files, as an API server would store them.
func (o *componentPreview) read(ctx context.Context) ([]v1alpha1.Component, []v1alpha1.ComponentTemplate, error) {
	if len(o.files) == 0 {
		return nil, nil, errors.New("name the Component's file with -f")
	}
	var components []v1alpha1.Component
	var templates []v1alpha1.ComponentTemplate
	known := schemas{}
	for _, file := range o.files {
		objects, err := readObjects(file, o.In)
		if err != nil {
			return nil, nil, err
		}
		for _, object := range objects {
			switch object.GroupVersionKind() {
			case v1alpha1.GroupVersion.WithKind("Component"):
				component := v1alpha1.Component{}
				object.SetNamespace(cmp.Or(object.GetNamespace(), o.namespace, "default"))
				if err := known.admit(ctx, file, object, &component); err != nil {
					return nil, nil, err
				}
				components = append(components, component)
			case v1alpha1.GroupVersion.WithKind("ComponentTemplate"):
				template := v1alpha1.ComponentTemplate{}
				if err := known.admit(ctx, file, object, &template); err != nil {
					return nil, nil, err
				}
				templates = append(templates, template)
			default:
				return nil, nil, fmt.Errorf("%s holds %s %q of %q, want a Component or ComponentTemplate of %s",
					file, object.GetKind(), object.GetName(), object.GetAPIVersion(), v1alpha1.GroupVersion)
			}
		}
	}
	if len(components)+len(templates) == 0 {
		return nil, nil, fmt.Errorf("%s: neither a Component nor a ComponentTemplate is in it", strings.Join(o.files, ", "))
	}
	return components, templates, nil
}

// schemas that were looked up.
type schemas map[runtimeschema.GroupVersionKind]*schema.Schema

// admit decodes an object after its schema had its say.
func (s schemas) admit(ctx context.Context, file string, object *unstructured.Unstructured, into any) error {
	kind := object.GroupVersionKind()
	if s[kind] == nil {
		found, err := schema.Of(kind)
		if err != nil {
			return err
		}
		s[kind] = found
	}
	if object.GetName() == "" {
		return fmt.Errorf("%s: a %s has no metadata.name", file, kind.Kind)
	}
	// The decoder of streams makes every number a float, and the rules know whole ones.
	raw, err := object.MarshalJSON()
	if err == nil {
		err = object.UnmarshalJSON(raw)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if errs := s[kind].Admit(ctx, object); len(errs) > 0 {
		return fmt.Errorf("%s: %s %s: %w", file, kind.Kind, object.GetName(), errs.ToAggregate())
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		return fmt.Errorf("%s: %s %s: %w", file, kind.Kind, object.GetName(), err)
	}
	return nil
}

func printRendered(out io.Writer, component *v1alpha1.Component, objects []render.Object, report render.Report) error {
	fmt.Fprintf(out, "Component %s/%s becomes %d objects", component.Namespace, component.Name, len(objects))
	if len(report.Templates) == 0 {
		fmt.Fprint(out, "; no template matches it")
	}
	fmt.Fprintln(out, ".")
	w := newTable(out, 2)
	fmt.Fprintln(w, "KIND\tNAME\tFROM")
	for _, o := range objects {
		fmt.Fprintf(w, "%s\t%s\t%s\n", o.Kind, o.Name, strings.Join(o.From, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, note := range report.Notes {
		fmt.Fprintln(out, "Note: "+note)
	}
	return nil
}

// printObjects writes what kubectl apply -f - takes.
func (o *componentPreview) printObjects(objects []render.Object) error {
	items := make([]any, len(objects))
	for i := range objects {
		items[i] = json.RawMessage(objects[i].JSON)
	}
	return printManifests(o.Out, o.output, items)
}
