package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/cmd/argosyctl/removal"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/member/vm/state"
)

// explained is the output for programs.
type explained struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Is says how it is, Until what ends that, and Next what a person does.
	Is    string `json:"is"`
	Until string `json:"until,omitempty"`
	Next  string `json:"next"`

	Pending    []gatev1alpha1.PendingApproval `json:"pendingApprovals,omitempty"`
	Tasks      []v1alpha1.Task                `json:"tasks,omitempty"`
	Conditions []metav1.Condition             `json:"conditions,omitempty"`
}

func newVMExplainCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var output, member string
	command := &cobra.Command{
		Use: "explain KIND/NAME", Short: "Say how a set, a delivery or a server is, why, and what to do next",
		Long: "Says of a VMReplicaSet, a VMDeployment or a Server in which state it is, why, what it waits for, and what a person does next.\n" +
			"In the control plane it is what the members reported; --member names one to ask it alone, and Servers are in members only.",
		Example: "  argosyctl vm explain vmrs/payments -n shop\n\n" +
			"  argosyctl vm explain server/payments-3 -n shop --member member1",
		Args: oneNamed,

		ValidArgsFunction: once(completeTyped(flags, machines())),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := structured(io.Discard, output, nil); err != nil {
				return err
			}
			kind, name, err := nameOfKind(typed(args), []string{"VMReplicaSet", "VMDeployment", "Server"})
			if err != nil {
				return err
			}
			target, namespace, err := oneMember(flags, member)
			if err != nil {
				return err
			}
			e := explaining{target: target, key: client.ObjectKey{Namespace: namespace, Name: name}, member: member, now: clock.RealClock{}.Now()}
			found, err := e.explain(command.Context(), kind)
			if err != nil {
				return err
			}
			if done, err := structured(streams.Out, output, found); done {
				return err
			}
			return found.print(streams.Out, e.now)
		},
	}
	command.Flags().StringVar(&member, "member", "", memberHelp)
	complete(command, "member", completeNames(flags, clusters))
	command.Flags().StringVarP(&output, "output", "o", "text", outputHelp)
	return command
}

// explaining is one object that is asked about.
type explaining struct {
	target client.Reader
	key    client.ObjectKey
	member string
	now    time.Time
}

func (e explaining) explain(ctx context.Context, kind runtimeschema.GroupVersionKind) (explained, error) {
	out := explained{Kind: kind.Kind, Namespace: e.key.Namespace, Name: e.key.Name}
	switch kind.Kind {
	case "Server":
		server := &v1alpha1.Server{}
		if err := e.target.Get(ctx, e.key, server); err != nil {
			return out, notThere(kind.Kind, e.key.Name, e.key.Namespace, e.member, err)
		}
		e.server(server, &out)
	case "VMDeployment":
		delivery := &v1alpha1.VMDeployment{}
		if err := e.target.Get(ctx, e.key, delivery); err != nil {
			return out, notThere(kind.Kind, e.key.Name, e.key.Namespace, e.member, err)
		}
		e.delivery(delivery, &out)
	default:
		set := &v1alpha1.VMReplicaSet{}
		if err := e.target.Get(ctx, e.key, set); err != nil {
			return out, notThere(kind.Kind, e.key.Name, e.key.Namespace, e.member, err)
		}
		e.set(set, &out)
	}
	return out, nil
}

// in is how a command names where this was found.
func (e explaining) in() string {
	if e.member == "" {
		return " -n " + e.key.Namespace
	}
	return " -n " + e.key.Namespace + " --member " + e.member
}

func (e explaining) approve(word string) string {
	return "look at what waits, then decide: argosyctl vm approve " + word + "/" + e.key.Name + e.in()
}

func (e explaining) server(server *v1alpha1.Server, out *explained) {
	status := &server.Status
	out.Pending, out.Tasks, out.Conditions = status.PendingApprovals, status.Tasks, status.Conditions
	reason := ""
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil {
		reason = ready.Reason
	}
	by := "the system"
	if override := server.Spec.Override; status.DecidedBy == v1alpha1.DecidedByHuman && override != nil {
		by = cmp.Or(override.By, "a person") + " (" + override.Reason + ")"
	}
	out.Is = fmt.Sprintf("%s, decided by %s", cmp.Or(string(status.Phase), "not looked at yet"), by)
	table := state.Table()
	if i := slices.IndexFunc(table, func(l state.Line) bool { return l.Name == reason }); i >= 0 {
		out.Is += ": " + reason + ", for " + strings.ReplaceAll(table[i].When, "`", "")
		out.Until = table[i].Until
	}
	out.Next = e.nextOfServer(server, reason)
}

// nextOfServer is about the first thing in the way.
func (e explaining) nextOfServer(server *v1alpha1.Server, reason string) string {
	status := &server.Status
	failed := func(t v1alpha1.Task) bool { return t.State == v1alpha1.TaskFailed }
	again := func(t v1alpha1.Task) bool { return t.State == v1alpha1.TaskRunning && t.Message != "" }
	switch {
	case status.Phase == "":
		return "see that argosy-member-manager runs here (argosyctl install member-manager)."
	case server.DeletionTimestamp != nil:
		deletions := removal.Member{Cluster: e.member, Servers: []v1alpha1.Server{*server}}.Deletions()
		return cmp.Or(deletions[0].Next, "wait: it waits for "+deletions[0].WaitsFor+".")
	case status.ObservedGeneration < server.Generation:
		return unseen
	case len(status.PendingApprovals) > 0:
		return e.approve("server")
	case slices.ContainsFunc(status.Tasks, failed):
		task := status.Tasks[slices.IndexFunc(status.Tasks, failed)]
		next := "change the Server: it begins anew."
		if status.Phase != v1alpha1.ServerUnknown { // which nobody can ask for
			next = fmt.Sprintf("argosyctl vm override %s --state %s --once --reason ...%s, or change the Server: either begins anew.",
				e.key.Name, status.Phase, e.in())
		}
		return fmt.Sprintf("task %s failed for good (%s): mend that, then %s", task.Type, task.Message, next)
	case reason == v1alpha1.ReasonOverride:
		return "nothing by itself: a person decided. argosyctl vm override " + e.key.Name + " --remove" + e.in() + " ends that."
	case meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionFailoverDue):
		return "see its set, which decides about failover: argosyctl vm explain vmrs/" + server.Labels[v1alpha1.LabelSet] + e.in()
	case meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionPaused):
		return "nothing by itself: spec.paused starts no further task."
	case reason == v1alpha1.ReasonNoRelease:
		return "nothing: its machine is there, and a VMDeployment delivers code to it."
	case slices.ContainsFunc(status.Tasks, again):
		task := status.Tasks[slices.IndexFunc(status.Tasks, again)]
		return fmt.Sprintf("wait: task %s is tried again (attempt %d): %s", task.Type, task.Attempts, task.Message)
	case meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady):
		return "nothing; it serves."
	}
	return "wait."
}

func (e explaining) set(set *v1alpha1.VMReplicaSet, out *explained) {
	status := &set.Status
	out.Pending, out.Conditions = status.PendingApprovals, status.Conditions
	kept := ptr.Deref(set.Spec.Replicas, 1) - status.AbandonedReplicas
	out.Is = fmt.Sprintf("%d of %d servers serve, %d have the current environment", status.ReadyReplicas, kept, status.UpdatedReplicas)
	for _, part := range []struct {
		n     int32
		words string
	}{
		{status.InitializingReplicas, "get a machine or environment"}, {status.DeployingReplicas, "get code"},
		{status.UnknownReplicas, "cannot be reached"}, {status.OfflineReplicas, "are out of service"},
		{status.AbandonedReplicas, "were given up"}, {status.HeldReplicas, "keep an older machine"},
	} {
		if part.n > 0 {
			out.Is += fmt.Sprintf(", %d %s", part.n, part.words)
		}
	}
	out.Next = e.nextOfSet(set)
}

func (e explaining) nextOfSet(set *v1alpha1.VMReplicaSet) string {
	conditions := set.Status.Conditions
	is := func(kind string) bool { return meta.IsStatusConditionTrue(conditions, kind) }
	message := func(kind string) string { return messageOf(conditions, kind) }
	switch {
	case len(conditions) == 0:
		return "nobody has reported on it. In the control plane it needs a PropagationPolicy that selects it; " +
			"in each member argosy-member-manager must run (argosyctl install member-manager)."
	case set.DeletionTimestamp != nil && len(set.Status.PendingApprovals) == 0:
		return "wait: its servers are being removed. argosyctl vm deletions says what they wait for."
	case is(v1alpha1.ConditionReplicaFailure):
		return "mend what is in the way: " + message(v1alpha1.ConditionReplicaFailure)
	case len(set.Status.PendingApprovals) > 0:
		return e.approve("vmrs")
	case meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionRemediationAllowed):
		return "look at what they have in common, a network or a zone: so many are unhealthy that nobody is given up (" +
			message(v1alpha1.ConditionRemediationAllowed) + "). Raise spec.failover.maxUnhealthy only if they are really lost."
	case is(v1alpha1.ConditionPaused):
		return "nothing by itself: it is paused. Take spec.paused off to go on."
	case meta.IsStatusConditionFalse(conditions, aggregate.ConditionMembersReported):
		return unasked + message(aggregate.ConditionMembersReported)
	case set.Status.ObservedGeneration < set.Generation:
		return unseen
	case set.Status.UnknownReplicas > 0:
		return "wait, or look at the servers that cannot be reached: kubectl get servers in the member."
	case is(v1alpha1.ConditionProgressing):
		return "wait: " + message(v1alpha1.ConditionProgressing)
	case set.Status.HeldReplicas > 0:
		return "nothing; to replace machines of an older template set updateStrategy.onMachineChange: Replace (argosyctl vm plan shows whom)."
	case set.Status.ReadyReplicas < ptr.Deref(set.Spec.Replicas, 1)-set.Status.AbandonedReplicas:
		return "nothing of the set, which has what it asks for. Look at the servers that do not serve, and at their VMDeployment: " +
			message(v1alpha1.ConditionAvailable)
	}
	return "nothing; it is as asked."
}

func (e explaining) delivery(delivery *v1alpha1.VMDeployment, out *explained) {
	status := &delivery.Status
	out.Pending, out.Conditions = status.PendingApprovals, status.Conditions
	release := cmp.Or(status.Version, delivery.Spec.Release.Version)
	if delivery.Spec.RollbackTo != nil {
		release = fmt.Sprintf("%s (spec.rollbackTo; spec.release is %s)", cmp.Or(status.Version, "not reported yet"),
			delivery.Spec.Release.Version)
	}
	out.Is = fmt.Sprintf("release %s, batch %d of %d: %d of %d servers have it, %d serve with it", release,
		status.CurrentBatch, status.Batches, status.UpdatedServers, status.Servers, status.ReadyServers)
	out.Next = e.nextOfDelivery(delivery)
}

func (e explaining) nextOfDelivery(delivery *v1alpha1.VMDeployment) string {
	status := &delivery.Status
	is := func(kind string) bool { return meta.IsStatusConditionTrue(status.Conditions, kind) }
	message := func(kind string) string { return messageOf(status.Conditions, kind) }
	switch {
	case len(status.Conditions) == 0:
		return "nobody has reported on it: it needs a PropagationPolicy, and in each member an argosy-member-manager that delivers code."
	case len(status.PendingApprovals) > 0:
		return e.approve("vmdeploy")
	case is(v1alpha1.ConditionAwaitingApproval): // and nothing is pending: somebody said no
		return "nothing by itself; another release, or spec.rollbackTo, goes on: " + message(v1alpha1.ConditionAwaitingApproval)
	case is(v1alpha1.ConditionStalled):
		return "mend the servers that failed, or go back with spec.rollbackTo: " + message(v1alpha1.ConditionStalled)
	case is(v1alpha1.ConditionPaused):
		return "nothing by itself: it is paused. Take spec.paused off to go on."
	case meta.IsStatusConditionFalse(status.Conditions, aggregate.ConditionMembersReported):
		return unasked + message(aggregate.ConditionMembersReported)
	case status.ObservedGeneration < delivery.Generation:
		return unseen
	case is(v1alpha1.ConditionComplete) && status.ReadyServers < status.Servers:
		return "nothing of the release, which is delivered. Look at the servers that do not serve: " + message(v1alpha1.ConditionAvailable)
	case is(v1alpha1.ConditionComplete):
		return "nothing; it is delivered."
	case is(v1alpha1.ConditionProgressing):
		return "wait: a batch is on its way. " + message(v1alpha1.ConditionProgressing)
	}
	return "wait: nobody knows whether it is delivered. " + message(v1alpha1.ConditionComplete)
}

const (
	// unasked begins what is said where a member cannot be asked, or its report not be read.
	unasked = "nothing of the template. What it says is not of now: "
	unseen  = "wait: not everybody who acts on it has seen its last change."
)

// messageOf a condition; empty where there is none.
func messageOf(conditions []metav1.Condition, kind string) string {
	if c := meta.FindStatusCondition(conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

func (x explained) print(out io.Writer, now time.Time) error {
	fmt.Fprintf(out, "%s %s/%s: %s.\n", x.Kind, x.Namespace, x.Name, x.Is)
	if x.Until != "" {
		fmt.Fprintf(out, "That ends when %s.\n", strings.ReplaceAll(x.Until, "`", ""))
	}
	w := newTable(out, 2)
	for _, t := range x.Tasks {
		ago := "-"
		if t.StartedAt != nil {
			ago = duration.HumanDuration(now.Sub(t.StartedAt.Time)) + " ago"
		}
		fmt.Fprintf(w, "task\t%s %s\t%s\t%s\n", t.Type, t.State, ago, strings.Join(strings.Fields(t.Message), " "))
	}
	for _, p := range x.Pending {
		fmt.Fprintf(w, "waits\t%s %s\t%s\t%s\n", p.Gate, p.OperationID, cmp.Or(p.Cluster, "-"), p.Summary)
	}
	for _, c := range x.Conditions {
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\n", c.Type, c.Status, c.Reason, duration.HumanDuration(now.Sub(c.LastTransitionTime.Time)),
			strings.Join(strings.Fields(c.Message), " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "Next: "+x.Next)
	return nil
}
