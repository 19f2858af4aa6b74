package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
)

// newCronCommand groups what is about timetables.
func newCronCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "cron", Short: "Look at CronHPA timetables"}
	command.AddCommand(newCronPreviewCommand(flags, streams, clock.RealClock{}))
	return command
}

type cronPreviewOptions struct {
	file  string
	count int
	from  string
}

func newCronPreviewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams, now clock.PassiveClock) *cobra.Command {
	options := cronPreviewOptions{}
	command := &cobra.Command{
		Use:   "preview [NAME | -f FILE]",
		Short: "Print the next firings of a CronHPA, with zone and daylight-saving notes",
		Long: "Prints what a CronHPA of the control plane, or one in a file, will do next: of all rules together, in order. The same\n" +
			"code decides in the controller. With -f nothing is asked of a cluster.",
		Example: "  argosyctl cron preview -f deploy/samples/cronhpa.yaml --count 20\n" +
			"  argosyctl cron preview shop -n prod --from 2026-03-27T00:00:00Z",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return options.run(command.Context(), previewInput{flags: flags, streams: streams, now: now, args: args})
		},
	}
	command.Flags().StringVarP(&options.file, "filename", "f", "", "a file with one CronHPA; - is standard input")
	command.Flags().IntVar(&options.count, "count", 10, "how many firings")
	command.Flags().StringVar(&options.from, "from", "", "the instant to start from (RFC 3339); default now")
	return command
}

type previewInput struct {
	flags   *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams
	now     clock.PassiveClock
	args    []string
}

func (o cronPreviewOptions) run(ctx context.Context, in previewInput) error {
	from := in.now.Now()
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
	cron, err := o.load(ctx, in)
	if err != nil {
		return err
	}
	return printFirings(in.streams.Out, cron, from, o.count)
}

func (o cronPreviewOptions) load(ctx context.Context, in previewInput) (*v1alpha1.CronHPA, error) {
	cron := &v1alpha1.CronHPA{}
	if (o.file == "") == (len(in.args) == 0) {
		return nil, errors.New("name a CronHPA, or give a file with -f")
	}
	if o.file != "" {
		text, err := readFile(o.file, in.streams.In)
		if err != nil {
			return nil, err
		}
		var what metav1.TypeMeta
		if err := yaml.Unmarshal(text, &what); err == nil && what.Kind != "CronHPA" {
			return nil, fmt.Errorf("%s holds a %q, want a CronHPA", o.file, what.Kind)
		}
		if err := yaml.UnmarshalStrict(text, cron); err != nil {
			return nil, fmt.Errorf("reading %s: %w", o.file, err)
		}
		return cron, nil
	}
	control, namespace, err := controlPlane(in.flags)
	if err != nil {
		return nil, err
	}
	key := client.ObjectKey{Namespace: namespace, Name: in.args[0]}
	if err := control.Get(ctx, key, cron); apierrors.IsNotFound(err) {
		return nil, misnamed{problem: "CronHPA " + key.Name + " does not exist", namespace: namespace, list: &v1alpha1.CronHPAList{}}.explain(ctx, control)
	} else if err != nil {
		return nil, fmt.Errorf("reading CronHPA %s: %w", key, err)
	}
	return cron, nil
}

func readFile(path string, in io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(in)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the CronHPA: %w", err)
	}
	return text, nil
}

// firing is one line of the preview.
type firing struct {
	at    time.Time
	rule  v1alpha1.CronHPARule
	order int
	table *schedule.Timetable
}

// printFirings merges the rules' firings. Of those at one instant the rule listed last wins, as in the controller.
func printFirings(out io.Writer, cron *v1alpha1.CronHPA, from time.Time, count int) error {
	var all []firing
	for i, rule := range cron.Spec.Rules {
		table, err := schedule.Parse(schedule.Spec{Schedule: rule.Schedule, TimeZone: rule.TimeZone, ExcludeDates: rule.ExcludeDates})
		if err != nil {
			return fmt.Errorf("spec.rules[%d].%w", i, err)
		}
		wanted := count
		switch {
		case cron.Spec.Suspend || rule.Suspend:
			continue
		case rule.RunOnce:
			wanted = 1
		}
		for at, ok := table.Next(from); ok && wanted > 0; at, ok = table.Next(at) {
			all = append(all, firing{at: at, rule: rule, order: i, table: table})
			wanted--
		}
	}
	slices.SortStableFunc(all, func(a, b firing) int {
		if order := schedule.Order(a.table, a.at, b.table, b.at); order != 0 {
			return order
		}
		return a.order - b.order
	})
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "No rule fires: every one is suspended, or never matches within ten years.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "UTC\tLOCAL\tZONE\tRULE\tSETS\tNOTE")
	for i, f := range all[:min(count, len(all))] {
		note := f.table.Note(f.at)
		if i+1 < len(all) && all[i+1].at.Equal(f.at) {
			note = supersededBy(all, i)
		}
		local := f.at.In(f.table.Zone())
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.at.UTC().Format("2006-01-02 15:04"), local.Format("Mon 2006-01-02 15:04 -0700"),
			f.table.Zone(), f.rule.Name, sets(f.rule), note)
	}
	return w.Flush()
}

// supersededBy names the rule that goes last at the instant of firing i.
func supersededBy(all []firing, i int) string {
	last := i
	for last+1 < len(all) && all[last+1].at.Equal(all[i].at) {
		last++
	}
	why := "listed later"
	if schedule.Order(all[i].table, all[i].at, all[last].table, all[last].at) != 0 {
		why = "later on the wall clock"
	}
	return "superseded by rule " + all[last].rule.Name + ", due at the same instant and " + why
}

func sets(rule v1alpha1.CronHPARule) string {
	if rule.TargetReplicas != nil {
		return fmt.Sprintf("%d replicas", *rule.TargetReplicas)
	}
	bound := func(n *int32) string {
		if n == nil {
			return "own"
		}
		return fmt.Sprint(*n)
	}
	return "min " + bound(rule.TargetMinReplicas) + ", max " + bound(rule.TargetMaxReplicas)
}
