package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// approvable is a command that decides about operations of some kinds.
type approvable struct {
	use, example string
	kinds        []string
}

// choice is which of the operations that wait are meant, and what is said of them.
type choice struct {
	gate, operation, server string
	all                     bool
	reject                  bool
	reason                  string
}

func newApproveCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams, a approvable) *cobra.Command {
	var c choice
	var member string
	command := &cobra.Command{
		Use: a.use, Short: "Decide, in your own name, about what waits for a person",
		Long: "Approves an operation that status.pendingApprovals names, or with --reject keeps its gate shut. Where several wait, name one\n" +
			"with --operation, --gate or --server, or all of them with --all. Admission writes who decided and when; it needs the verb\n" +
			"approve (role argosy-vm-approver), and no program has it.",
		Example: a.example,
		Args:    oneNamed,

		ValidArgsFunction: once(a.words(flags)),
		RunE: func(command *cobra.Command, args []string) error {
			kind, name, err := nameOfKind(typed(args), a.kinds)
			if err != nil {
				return err
			}
			if c.reject && c.reason == "" {
				return errors.New("say why with --reason: somebody has to put it right")
			}
			target, namespace, err := oneMember(flags, member)
			if err != nil {
				return err
			}
			key := client.ObjectKey{Namespace: namespace, Name: name}
			what := approving{target: writer(command, target, streams.Out), kind: kind, key: key, member: member}
			return what.decide(command.Context(), c, streams.Out)
		},
	}
	command.Flags().StringVar(&c.gate, "gate", "", "the gate at which it waits")
	command.Flags().StringVar(&c.operation, "operation", "", "the operation that waits")
	command.Flags().StringVar(&c.server, "server", "", "the server that it is about")
	command.Flags().BoolVar(&c.all, "all", false, "all that wait and are meant, not one")
	command.Flags().BoolVar(&c.reject, "reject", false, "keep the gate shut for this operation")
	command.Flags().StringVar(&c.reason, "reason", "", "why, for those who read it later; a rejection needs one")
	command.Flags().StringVar(&member, "member", "", memberHelp)
	complete(command, "member", completeNames(flags, clusters))
	return rehearsable(command)
}

const memberHelp = "the member whose own object is meant, reached through karmada-apiserver in your name"

// words are what may be named: where there is one kind alone, names.
func (a approvable) words(flags *genericclioptions.ConfigFlags) cobra.CompletionFunc {
	if len(a.kinds) == 1 {
		return completeNames(flags, components)
	}
	return completeTyped(flags, machines())
}

// approving is one object with approvals.
type approving struct {
	target client.Client
	kind   runtimeschema.GroupVersionKind
	key    client.ObjectKey
	member string
}

// gated is what such an object says.
type gated struct {
	Spec struct {
		Approvals []gatev1alpha1.Approval `json:"approvals"`
	} `json:"spec"`
	Status struct {
		PendingApprovals []gatev1alpha1.PendingApproval `json:"pendingApprovals"`
	} `json:"status"`
}

// decide about what waits, on the object as it is now: its controller writes it too.
func (a approving) decide(ctx context.Context, c choice, out io.Writer) error {
	// Where nobody says who asks, admission refuses what is in another's name.
	me, err := whoAmI(ctx, a.target)
	if err != nil {
		me = ""
	}
	var told []string
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(a.kind)
		if err := a.target.Get(ctx, a.key, object); err != nil {
			return notThere(a.kind.Kind, a.key.Name, a.key.Namespace, a.member, err)
		}
		var before gated
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &before); err != nil {
			return fmt.Errorf("reading %s %s: %w", a.kind.Kind, a.key, err)
		}
		chosen, err := c.among(before.Status.PendingApprovals, out)
		if err != nil {
			return fmt.Errorf("%s %s: %w", a.kind.Kind, a.key.Name, err)
		}
		var decisions []gatev1alpha1.Approval
		if decisions, told, err = c.decisions(before.Spec.Approvals, chosen, me); err != nil || len(decisions) == 0 {
			return err
		}
		said, err := a.write(ctx, object, before.Spec.Approvals, decisions)
		told = append(told, said...)
		return err
	})
	if err != nil {
		return err
	}
	for _, line := range told {
		fmt.Fprintf(out, "%s of %s/%s\n", line, strings.ToLower(a.kind.Kind), a.key.Name)
	}
	return nil
}

// write the decisions, and say in whose name they were stored.
func (a approving) write(
	ctx context.Context, object *unstructured.Unstructured, before, decisions []gatev1alpha1.Approval,
) ([]string, error) {
	kept := slices.DeleteFunc(slices.Clone(before), func(old gatev1alpha1.Approval) bool {
		return find(decisions, old.Gate, old.OperationID) >= 0
	})
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": object.GetResourceVersion()},
		"spec":     map[string]any{"approvals": append(kept, decisions...)},
	})
	if err != nil {
		return nil, err
	}
	if err := a.target.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return nil, fmt.Errorf("deciding about %s %s: %w", a.kind.Kind, a.key.Name, err)
	}
	var after gated
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &after); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", a.kind.Kind, a.key, err)
	}
	var told []string
	for _, d := range decisions {
		i := find(after.Spec.Approvals, d.Gate, d.OperationID)
		if i < 0 || after.Spec.Approvals[i].By == "" {
			return nil, fmt.Errorf("the decision was stored without a name, and opens nothing: there is no admission of approvals here; "+
				"argosyctl install, or in a member argosyctl install member-manager, brings it (%s %s)", a.kind.Kind, a.key.Name)
		}
		told = append(told, after.Spec.Approvals[i].By+" "+verb(d.Decision)+" operation "+d.OperationID+" at gate "+d.Gate)
	}
	return told, nil
}

// find the decision about an operation at a gate; -1: there is none.
func find(approvals []gatev1alpha1.Approval, gate, operation string) int {
	return slices.IndexFunc(approvals, func(a gatev1alpha1.Approval) bool { return a.Gate == gate && a.OperationID == operation })
}

func verb(decision gatev1alpha1.ApprovalDecision) string {
	if decision == gatev1alpha1.Reject {
		return "rejected"
	}
	return "approved"
}

// among the operations that wait, the ones that are meant.
func (c choice) among(pending []gatev1alpha1.PendingApproval, out io.Writer) ([]gatev1alpha1.PendingApproval, error) {
	var chosen []gatev1alpha1.PendingApproval
	for _, p := range pending {
		meant := func(asked, is string) bool { return asked == "" || asked == is }
		if meant(c.gate, p.Gate) && meant(c.operation, p.OperationID) && meant(c.server, p.Server) {
			chosen = append(chosen, p)
		}
	}
	switch {
	case len(pending) == 0:
		return nil, errors.New("nothing waits for a person")
	case len(chosen) == 0:
		return nil, errors.Join(errors.New("no such operation waits for a person; these do"), writePending(out, pending))
	case len(chosen) > 1 && !c.all:
		err := fmt.Errorf("%d operations wait: name one with --operation, --gate or --server, or all of them with --all", len(chosen))
		return nil, errors.Join(err, writePending(out, chosen))
	}
	return chosen, nil
}

// decisions to add, and what is told of those that were taken already.
func (c choice) decisions(before []gatev1alpha1.Approval, chosen []gatev1alpha1.PendingApproval, me string) (
	out []gatev1alpha1.Approval, told []string, err error,
) {
	decision := gatev1alpha1.Approve
	if c.reject {
		decision = gatev1alpha1.Reject
	}
	for _, p := range chosen {
		i := find(before, p.Gate, p.OperationID)
		if i >= 0 && before[i].By != "" && before[i].Decision == decision {
			told = append(told, fmt.Sprintf("%s has %s operation %s at gate %s already: it goes on when its member has heard of it;",
				before[i].By, verb(decision), p.OperationID, p.Gate))
			continue
		}
		if i >= 0 && before[i].Decision == gatev1alpha1.Reject && before[i].By != me && me != "" {
			return nil, nil, fmt.Errorf("%s rejected operation %s at gate %s (%s), and nobody else can take that back",
				before[i].By, p.OperationID, p.Gate, cmp.Or(before[i].Reason, "no reason"))
		}
		out = append(out, gatev1alpha1.Approval{Gate: p.Gate, OperationID: p.OperationID, Decision: decision, Reason: c.reason})
	}
	return out, told, nil
}

func writePending(out io.Writer, pending []gatev1alpha1.PendingApproval) error {
	w := newTable(out, 2)
	fmt.Fprintln(w, "OPERATION\tGATE\tSERVER\tCLUSTER\tSUMMARY")
	for _, p := range pending {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.OperationID, p.Gate, cmp.Or(p.Server, "-"), cmp.Or(p.Cluster, "-"), p.Summary)
	}
	return w.Flush()
}
