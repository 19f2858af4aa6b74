package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa"
)

// newCronCommand groups what is about timetables.
func newCronCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "cron", Short: "Look at CronHPA timetables"}
	command.AddCommand(newCronPreviewCommand(flags, streams, clock.RealClock{}),
		newListCommand(flags, streams, "cron", "CronHPAs", "cronhpas.autoscaling.argosy.dev"))
	return command
}

type cronPreview struct {
	genericiooptions.IOStreams
	flags *genericclioptions.ConfigFlags
	now   clock.PassiveClock
	files []string
	count int
	from  string
	// output for people (text) or programs.
	output string
}

func newCronPreviewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams,
	now clock.PassiveClock) *cobra.Command {
	o := &cronPreview{IOStreams: streams, flags: flags, now: now}
	command := &cobra.Command{
		Use:   "preview [NAME | -f FILE]",
		Short: "Print the next firings of a CronHPA, with zone and daylight-saving notes",
		Long: "Prints what a CronHPA of the control plane, or those in files, will do next: of all rules together, in order. The same\n" +
			"code decides in the controller. With -f nothing is asked of a cluster: what a file has wrong is said as karmada-apiserver and\n" +
			"Argosy's admission would say it, and calendars (excludeCalendarRef) are read from the files too.",
		Example: "  argosyctl cron preview -f deploy/samples/cronhpa.yaml --count 20\n" +
			"  argosyctl cron preview shop -n prod --from 2026-03-27T00:00:00Z",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	command.ValidArgsFunction = once(completeNames(flags, func() client.ObjectList { return &v1alpha1.CronHPAList{} }))
	command.Flags().
		StringSliceVarP(&o.files, "filename", "f", nil, "files or folders of CronHPAs, and the ConfigMaps their rules name; - is standard input")
	command.Flags().IntVar(&o.count, "count", 10, "how many firings")
	command.Flags().StringVarP(&o.output, "output", "o", "text", outputHelp)
	command.Flags().StringVar(&o.from, "from", "", "the instant to start from (RFC 3339); default now")
	return command
}

func (o *cronPreview) run(ctx context.Context, args []string) error {
	if _, err := structured(io.Discard, o.output, nil); err != nil {
		return err
	}
	from := o.now.Now()
	if o.from != "" {
		parsed, err := time.Parse(time.RFC3339, o.from)
		if err != nil {
			return fmt.Errorf("--from %q: want RFC 3339, such as 2026-03-27T00:00:00Z", o.from)
		}
		from = parsed
	}
	if o.count < 1 || o.count > 10_000 {
		return fmt.Errorf("--count %d: want 1 to 10000", o.count)
	}
	if (len(o.files) == 0) == (len(args) == 0) {
		return errors.New("name a CronHPA, or give a file with -f")
	}
	all, err := o.load(ctx, args)
	if err != nil {
		return err
	}
	var failed error
	if o.output != "text" {
		previews := []firingsOf{}
		for _, one := range all {
			preview := firings(one.cron, cronhpa.PreviewOf(one.cron, one.calendars, from, o.count))
			previews = append(previews, preview)
			if len(preview.Invalid) > 0 {
				failed = errors.Join(failed, fmt.Errorf("CronHPA %s: %s", one.cron.Name, strings.Join(preview.Invalid, "; ")))
			}
		}
		_, err := structured(o.Out, o.output, previews)
		return errors.Join(err, failed)
	}
	for i, one := range all {
		if len(all) > 1 {
			fmt.Fprintf(o.Out, "%sCronHPA %s/%s\n", strings.Repeat("\n", min(i, 1)), one.cron.Namespace, one.cron.Name)
		}
		if err := printFirings(o.Out, one.cron, cronhpa.PreviewOf(one.cron, one.calendars, from, o.count)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("CronHPA %s: %w", one.cron.Name, err))
		}
	}
	return failed
}

// timetable is a CronHPA and the calendars its rules name.
type timetable struct {
	cron      *v1alpha1.CronHPA
	calendars cronhpa.Calendars
}

func (o *cronPreview) load(ctx context.Context, args []string) ([]timetable, error) {
	if len(o.files) > 0 {
		return o.read(ctx)
	}
	control, namespace, err := controlPlane(o.flags)
	if err != nil {
		return nil, err
	}
	cron := &v1alpha1.CronHPA{}
	key := client.ObjectKey{Namespace: namespace, Name: args[0]}
	if err := control.Get(ctx, key, cron); apierrors.IsNotFound(err) {
		return nil, misnamed{problem: "CronHPA " + key.Name + " does not exist", namespace: namespace, list: &v1alpha1.CronHPAList{}}.explain(ctx,
			control)
	} else if err != nil {
		return nil, fmt.Errorf("reading CronHPA %s: %w", key, err)
	}
	calendars, err := cronhpa.CalendarsOf(ctx, control, cron)
	return []timetable{{cron, calendars}}, err
}

// read gives the CronHPAs of all files as karmada-apiserver would store them, each with the calendars of its namespace.
func (o *cronPreview) read(ctx context.Context) ([]timetable, error) {
	var all []timetable
	var others []string
	calendars := map[string]cronhpa.Calendars{}
	known := schemas{}
	for _, file := range o.files {
		objects, err := readObjects(file, o.In)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			object.SetNamespace(cmp.Or(object.GetNamespace(), ptr.Deref(o.flags.Namespace, ""), "default"))
			switch object.GroupVersionKind() {
			case v1alpha1.GroupVersion.WithKind("CronHPA"):
				cron := &v1alpha1.CronHPA{}
				if err := o.admit(ctx, known, file, object, cron); err != nil {
					return nil, err
				}
				all = append(all, timetable{cron: cron})
			case corev1.SchemeGroupVersion.WithKind("ConfigMap"):
				calendar := &corev1.ConfigMap{}
				if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, calendar, true); err != nil {
					return nil, fmt.Errorf("%s: ConfigMap %s: %w", file, object.GetName(), err)
				}
				if calendars[calendar.Namespace] == nil {
					calendars[calendar.Namespace] = cronhpa.Calendars{}
				}
				calendars[calendar.Namespace].Add(calendar)
			default:
				others = append(others, fmt.Sprintf("a %q", object.GetKind()))
				fmt.Fprintf(o.ErrOut, "note: %s holds %s %s of %s, which is no CronHPA and was passed over\n", file, object.GetKind(), object.GetName(),
					object.GetAPIVersion())
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds %s, want a CronHPA of %s", strings.Join(o.files, ", "), cmp.Or(strings.Join(others, ", "), "nothing"),
			v1alpha1.GroupVersion)
	}
	for i := range all {
		all[i].calendars = calendars[all[i].cron.Namespace]
	}
	return all, nil
}

// admit has karmada-apiserver's schema and Argosy's admission say what is wrong. What others in the control plane have to do with the
// target is not asked.
func (o *cronPreview) admit(ctx context.Context, known schemas, file string, object *unstructured.Unstructured,
	cron *v1alpha1.CronHPA) error {
	if err := known.admit(ctx, file, object, cron); err != nil {
		return err
	}
	if errs := cronhpa.ValidateRules(cron, o.now.Now()); len(errs) > 0 {
		return fmt.Errorf("%s: CronHPA %s: %w", file, cron.Name, errs.ToAggregate())
	}
	for _, warning := range cronhpa.Warnings(cron) {
		fmt.Fprintf(o.ErrOut, "note: CronHPA %s: %s\n", cron.Name, warning)
	}
	return nil
}
