package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/environment"
	"github.com/argosy-dev/argosy/member/vm/fleet"
	vmsets "github.com/argosy-dev/argosy/member/vm/sets"
	"github.com/argosy-dev/argosy/member/vm/settings"
)

// planned is what a changed VMReplicaSet would do in one member.
type planned struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Changes are the parts of the template that differ.
	Changes []string `json:"changes"`
	fleet.Forecast
	phases map[string]v1alpha1.ServerPhase
}

// vmPlans is the output for programs.
type vmPlans struct {
	Items  []planned      `json:"items"`
	Notes  []string       `json:"notes,omitempty"`
	Unsaid []silentMember `json:"unknown,omitempty"`
}

type vmPlan struct {
	genericiooptions.IOStreams
	files   []string
	members []string
	// replicas of members, as somebody says that they will be divided.
	replicas map[string]int
	output   string
	clock    clock.PassiveClock
}

func newVMPlanCommand(
	flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams, now clock.PassiveClock,
) *cobra.Command {
	o := &vmPlan{IOStreams: streams, clock: now}
	command := &cobra.Command{
		Use: "plan -f FILE", Short: "Say what a changed VMReplicaSet would do to servers",
		Long: "Says of each server of the members what the VMReplicaSets of the files would do: changed in place, replaced, held, kept by the\n" +
			"partition, removed, or made, and in which order. It is found by the functions that the members decide by, of what runs there\n" +
			"now. Nothing is written. Which members get servers that are more or fewer is the scheduler's to say, and argosyctl fit says what\n" +
			"fits; with --replicas that is planned too, for the division you name.",
		Example: "  argosyctl vm plan -f payments.yaml -n shop\n\n" +
			"  # Ten servers instead of eight, two more of them in member2\n" +
			"  argosyctl vm plan -f payments.yaml -n shop --replicas member1=4,member2=6\n\n" +
			"  # Of one member, by its own kubeconfig\n" +
			"  argosyctl vm plan -f payments.yaml -n shop --context member1",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if _, err := structured(io.Discard, o.output, nil); err != nil {
				return err
			}
			wanted, err := o.read(command.Context(), ptr.Deref(flags.Namespace, ""))
			if err != nil {
				return err
			}
			control, _, err := controlPlane(flags)
			if err != nil {
				return err
			}
			return o.run(command.Context(), fleetReader{control: control, only: o.members}, wanted)
		},
	}
	command.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "files or folders of VMReplicaSets; - is standard input")
	command.Flags().StringSliceVar(&o.members, "member", nil, "these members alone")
	command.Flags().StringToIntVar(&o.replicas, "replicas", nil, "how many servers members will have: MEMBER=N[,MEMBER=N]")
	command.Flags().StringVarP(&o.output, "output", "o", "text", outputHelp)
	complete(command, "member", completeNames(flags, clusters))
	return command
}

// read the VMReplicaSets of the files, as an API server would store them.
func (o *vmPlan) read(ctx context.Context, namespace string) ([]v1alpha1.VMReplicaSet, error) {
	if len(o.files) == 0 {
		return nil, errors.New("name the VMReplicaSet's file with -f")
	}
	var out []v1alpha1.VMReplicaSet
	known := schemas{}
	for _, file := range o.files {
		objects, err := readObjects(file, o.In)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if object.GroupVersionKind() != v1alpha1.GroupVersion.WithKind("VMReplicaSet") {
				continue // a file has the set's Secrets and policies too
			}
			object.SetNamespace(cmp.Or(object.GetNamespace(), namespace, "default"))
			var set v1alpha1.VMReplicaSet
			if err := known.admit(ctx, file, object, &set); err != nil {
				return nil, err
			}
			out = append(out, set)
		}
	}
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("%s: no VMReplicaSet is in it", strings.Join(o.files, ", "))
	case len(o.replicas) > 0 && len(out) > 1:
		return nil, fmt.Errorf("--replicas is of one VMReplicaSet, and there are %d", len(out))
	}
	for member, n := range o.replicas {
		if n < 0 {
			return nil, fmt.Errorf("--replicas: %s cannot have %d servers", member, n)
		}
	}
	return out, nil
}

func (o *vmPlan) run(ctx context.Context, members fleetReader, wanted []v1alpha1.VMReplicaSet) error {
	plans := vmPlans{Items: []planned{}}
	templates := make([]*v1alpha1.VMReplicaSet, len(wanted))
	for i := range wanted {
		template := &v1alpha1.VMReplicaSet{}
		err := members.control.Get(ctx, client.ObjectKeyFromObject(&wanted[i]), template)
		if client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
			return fmt.Errorf("reading VMReplicaSet %s/%s: %w", wanted[i].Namespace, wanted[i].Name, err)
		}
		if err == nil {
			templates[i] = template
		}
	}
	silent, err := members.each(ctx, func(cluster string, member client.Reader) (func(), error) {
		var found []planned
		for i := range wanted {
			plan, err := o.in(ctx, cluster, member, &wanted[i], templates[i])
			if err != nil {
				return nil, err
			}
			if plan != nil {
				found = append(found, *plan)
			}
		}
		return func() { plans.Items = append(plans.Items, found...) }, nil
	})
	if err != nil {
		return err
	}
	plans.Unsaid = silent
	for i := range wanted {
		plans.Notes = append(plans.Notes, o.notesOf(&wanted[i], templates[i], plans.Items)...)
	}
	if done, err := structured(o.Out, o.output, plans); done || err != nil {
		return errors.Join(err, unsaid(silent))
	}
	return errors.Join(plans.print(o.Out), unsaid(silent))
}

// unsaid ends a command that does not know all: what it did not hear may matter.
func unsaid(silent []silentMember) error {
	if len(silent) == 0 {
		return nil
	}
	return errReported
}

// in one member; nil where it has no such set.
func (o *vmPlan) in(ctx context.Context, cluster string, member client.Reader, wanted, template *v1alpha1.VMReplicaSet) (*planned, error) {
	list := &v1alpha1.VMReplicaSetList{}
	err := listOf(ctx, member, "VMReplicaSet", list, client.InNamespace(wanted.Namespace))
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	i := slices.IndexFunc(list.Items, func(set v1alpha1.VMReplicaSet) bool { return set.Name == wanted.Name })
	if i < 0 {
		return nil, nil
	}
	live := &list.Items[i]
	all := &v1alpha1.ServerList{}
	err = listOf(ctx, member, "Server", all, client.InNamespace(wanted.Namespace), client.MatchingLabels{v1alpha1.LabelSet: wanted.Name})
	if err != nil {
		return nil, err
	}
	out := &planned{
		Cluster: cluster, Namespace: wanted.Namespace, Name: wanted.Name, Changes: changesOf(&live.Spec.Template, &wanted.Spec.Template),
		phases: map[string]v1alpha1.ServerPhase{},
	}
	var servers []v1alpha1.Server
	for _, server := range all.Items {
		if metav1.IsControlledBy(&server, live) {
			servers = append(servers, server)
			out.phases[server.Name] = server.Status.Phase
		}
	}
	slices.SortFunc(servers, func(a, b v1alpha1.Server) int { return cmp.Compare(a.Name, b.Name) })
	then := live.DeepCopy()
	then.Spec = *wanted.Spec.DeepCopy()
	// What the member has as its own stays its own.
	then.Spec.ServersToDelete, then.Spec.Approvals = live.Spec.ServersToDelete, live.Spec.Approvals
	if cluster != "" {
		divide(then, live, template)
		if n, said := o.replicas[cluster]; said {
			then.Spec.Replicas = ptr.To(int32(n))
		}
	}
	hash := ""
	if packages := then.Spec.Template.Spec.Packages; settings.Any(packages) {
		contents, err := settings.Read(ctx, member, then.Namespace, packages)
		if err != nil {
			return nil, err // what packages are set up with decides who changes
		}
		hash = environment.SettingsHash(contents)
	}
	out.Forecast = fleet.Foresee(vmsets.Input(then, hash, servers, o.clock.Now()))
	return out, nil
}

// divide gives the member its part of the fleet's numbers: the part it has, where the number does not change.
func divide(then, live, template *v1alpha1.VMReplicaSet) {
	var before v1alpha1.VMReplicaSetSpec
	if template != nil {
		before = template.Spec
	}
	whole, part := int(ptr.Deref(before.Replicas, 1)), int(ptr.Deref(live.Spec.Replicas, 1))
	then.Spec.Replicas = live.Spec.Replicas
	to := &then.Spec.UpdateStrategy
	to.Partition = partOf(to.Partition, before.UpdateStrategy.Partition, live.Spec.UpdateStrategy.Partition, whole, part)
	to.MaxUnavailable = partOf(to.MaxUnavailable, before.UpdateStrategy.MaxUnavailable, live.Spec.UpdateStrategy.MaxUnavailable, whole, part)
}

// partOf a number that means the fleet: as it is divided now where it stays, and by the member's part of the servers where it changes.
func partOf(wanted, before, live *intstr.IntOrString, whole, part int) *intstr.IntOrString {
	switch {
	case wanted == nil || wanted.Type == intstr.String:
		return wanted
	case equality.Semantic.DeepEqual(wanted, before):
		return live
	case whole == 0:
		return wanted
	}
	return ptr.To(intstr.FromInt32(int32((wanted.IntValue()*part + whole - 1) / whole)))
}

// changesOf a template, by its fields.
func changesOf(before, after *v1alpha1.ServerTemplate) []string {
	out := []string{}
	for _, part := range []struct {
		name       string
		then, next any
	}{
		{"metadata", before.Metadata, after.Metadata},
		{"machine", before.Spec.Machine, after.Spec.Machine},
		{"packages", before.Spec.Packages, after.Spec.Packages},
		{"loadBalancers", before.Spec.LoadBalancers, after.Spec.LoadBalancers},
		{"monitors", before.Spec.Monitors, after.Spec.Monitors},
		{"healthCheck", before.Spec.HealthCheck, after.Spec.HealthCheck},
	} {
		if !equality.Semantic.DeepEqual(part.then, part.next) {
			out = append(out, part.name)
		}
	}
	return out
}

// notesOf what a forecast for members cannot say.
func (o *vmPlan) notesOf(wanted, template *v1alpha1.VMReplicaSet, plans []planned) []string {
	var out []string
	name := wanted.Namespace + "/" + wanted.Name
	mine := func(p planned) bool { return p.Namespace == wanted.Namespace && p.Name == wanted.Name }
	replicas := ptr.Deref(wanted.Spec.Replicas, 1)
	if !slices.ContainsFunc(plans, mine) {
		return append(out, fmt.Sprintf("%s runs in no member that was asked: its %d servers would be made", name, replicas))
	}
	out = append(out, o.division(name, replicas, func(cluster string) bool {
		return slices.ContainsFunc(plans, func(p planned) bool { return mine(p) && p.Cluster == cluster })
	})...)
	federated := slices.ContainsFunc(plans, func(p planned) bool { return mine(p) && p.Cluster != "" })
	if federated && len(o.replicas) == 0 && template != nil && ptr.Deref(template.Spec.Replicas, 1) != replicas {
		out = append(out, fmt.Sprintf(
			"%s: replicas %d -> %d: the scheduler says which members that concerns; --replicas plans a division that you name", name,
			ptr.Deref(template.Spec.Replicas, 1), replicas))
	}
	var gates []string
	for _, g := range wanted.Spec.Gates {
		gates = append(gates, fmt.Sprintf("%s (stage %s)", g.Name, g.Stage))
	}
	if len(gates) > 0 {
		out = append(out, fmt.Sprintf("%s: each server waits until somebody approves at gate %s", name, strings.Join(gates, ", ")))
	}
	return out
}

// division says what is to be said of the division that was named.
func (o *vmPlan) division(name string, replicas int32, runs func(cluster string) bool) []string {
	var out []string
	sum := 0
	for _, cluster := range slices.Sorted(maps.Keys(o.replicas)) {
		sum += o.replicas[cluster]
		if !runs(cluster) {
			out = append(out, fmt.Sprintf("%s does not run in %s by now: its %d servers there would be made", name, cluster, o.replicas[cluster]))
		}
	}
	if len(o.replicas) > 0 && sum != int(replicas) {
		out = append(out, fmt.Sprintf("%s: --replicas names %d servers, and the file asks for %d: members that are not named keep what they have",
			name, sum, replicas))
	}
	return out
}

func (p vmPlans) print(out io.Writer) error {
	for _, item := range p.Items {
		if err := item.print(out); err != nil {
			return err
		}
	}
	for _, note := range p.Notes {
		fmt.Fprintln(out, "Note: "+note)
	}
	for _, silent := range p.Unsaid {
		fmt.Fprintf(out, "Unknown: %s cannot be asked: %s\n", silent.Cluster, silent.Message)
	}
	return nil
}

// outcomes in the order in which they are told, with their words.
var outcomes = []struct {
	outcome fleet.Outcome
	words   string
}{
	{fleet.Replaced, "replaced"},
	{fleet.InPlace, "changed in place"},
	{fleet.MachineHeld, "held: onMachineChange is Hold"},
	{fleet.Partitioned, "kept by the partition"},
	{fleet.OnDelete, "changed when a person removes it"},
	{fleet.Removed, "removed"},
	{fleet.Leaving, "on its way out"},
	{fleet.Made, "made"},
	{fleet.Unchanged, "unchanged"},
}

func (p planned) print(out io.Writer) error {
	in := ""
	if p.Cluster != "" {
		in = " in " + p.Cluster
	}
	var counts []string
	for _, o := range outcomes {
		if n := p.Count(o.outcome); n > 0 {
			word, _, _ := strings.Cut(o.words, ":")
			counts = append(counts, fmt.Sprintf("%d %s", n, word))
		}
	}
	fmt.Fprintf(out, "VMReplicaSet %s/%s%s: %s.\n", p.Namespace, p.Name, in, cmp.Or(strings.Join(counts, ", "), "no servers"))
	if len(p.Changes) > 0 {
		fmt.Fprintf(out, "The template changes: %s.\n", strings.Join(p.Changes, ", "))
	}
	if p.Paused {
		fmt.Fprintln(out, "It is paused: nothing of this happens before spec.paused is taken off.")
	}
	if p.Count(fleet.Replaced)+p.Count(fleet.InPlace) > 0 {
		between := ""
		if p.IntervalSeconds > 0 {
			between = fmt.Sprintf(", and %d s between two", p.IntervalSeconds)
		}
		fmt.Fprintf(out, "At most %d may be away at a time%s.\n", p.AtATime, between)
	}
	w := newTable(out, 2)
	fmt.Fprintln(w, "TURN\tSERVER\tPHASE\tBECOMES")
	fates := slices.Clone(p.Fates)
	slices.SortStableFunc(fates, func(a, b fleet.Fate) int { return cmp.Compare(orLast(a.Turn), orLast(b.Turn)) })
	for _, fate := range fates {
		i := slices.IndexFunc(outcomes, func(o struct {
			outcome fleet.Outcome
			words   string
		}) bool {
			return o.outcome == fate.Outcome
		})
		words, turn := outcomes[i].words, "-"
		if fate.HeldMachine {
			words += "; its machine is held"
		}
		if fate.Turn > 0 {
			turn = fmt.Sprint(fate.Turn)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", turn, fate.Server, cmp.Or(string(p.phases[fate.Server]), "-"), words)
	}
	return w.Flush()
}

// orLast puts those without a turn behind the others.
func orLast(turn int) int {
	if turn == 0 {
		return int(^uint(0) >> 1)
	}
	return turn
}
