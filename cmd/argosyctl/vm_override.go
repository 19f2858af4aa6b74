package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// overriding is what a person says of a Server.
type overriding struct {
	state, reason string
	once, remove  bool
	lasts         time.Duration
	skip          []string
}

func newVMOverrideCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var o overriding
	var member string
	command := &cobra.Command{
		Use: "override SERVER --state STATE --reason TEXT", Short: "Put a server into a state, above every fact, or end that",
		Long: "Writes spec.override of a Server: a human decision is above every fact that the system sees. It holds until it is removed or\n" +
			"--for has passed; with --once the state is changed one time, and automation goes on from there. Admission writes who decided and\n" +
			"when; it needs the verb override (role argosy-vm-operator) in the member.",
		Example: "  # It was mended by hand: go on as if its environment were there\n" +
			"  argosyctl vm override payments-3 --state Deploying --once --reason 'disk swapped' -n shop --member member1\n\n" +
			"  # Take it out of service, and leave its machine for the inquiry\n" +
			"  argosyctl vm override payments-3 --state Offline --skip DeleteMachine --reason inquiry -n shop --member member1\n\n" +
			"  # Let the system decide again\n" +
			"  argosyctl vm override payments-3 --remove -n shop --member member1",
		Args: cobra.ExactArgs(1),

		ValidArgsFunction: once(completeNames(flags, servers)),
		RunE: func(command *cobra.Command, args []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			target, namespace, err := oneMember(flags, member)
			if err != nil {
				return err
			}
			key := client.ObjectKey{Namespace: namespace, Name: strings.TrimPrefix(args[0], "server/")}
			return o.write(command.Context(), writer(command, target, streams.Out), key, member, clock.RealClock{}.Now(), streams.Out)
		},
	}
	command.Flags().StringVar(&o.state, "state", "", "the state: "+strings.Join(overrideStates, ", "))
	command.Flags().StringVar(&o.reason, "reason", "", "why, for those who read it later")
	command.Flags().BoolVar(&o.once, "once", false, "change the state one time, instead of holding it")
	command.Flags().DurationVar(&o.lasts, "for", 0, "how long it holds, such as 2h; 0 until it is removed")
	command.Flags().StringSliceVar(&o.skip, "skip", nil, "tasks of that state that are not run, such as DeleteMachine")
	command.Flags().BoolVar(&o.remove, "remove", false, "end the override: the system decides again")
	command.Flags().StringVar(&member, "member", "", memberHelp)
	complete(command, "member", completeNames(flags, clusters))
	complete(command, "state", cobra.FixedCompletions(overrideStates, cobra.ShellCompDirectiveNoFileComp))
	return rehearsable(command)
}

// overrideStates are those a person can put a server into.
var overrideStates = []string{
	string(v1alpha1.ServerInitializing), string(v1alpha1.ServerDeploying), string(v1alpha1.ServerReady), string(v1alpha1.ServerOffline),
}

func (o overriding) validate() error {
	switch {
	case o.remove && (o.state != "" || o.once || o.lasts != 0 || len(o.skip) > 0):
		return errors.New("--remove ends the override and goes with no other option of it")
	case o.remove:
		return nil
	case !slices.Contains(overrideStates, o.state):
		return fmt.Errorf("--state %q: want one of %s", o.state, strings.Join(overrideStates, ", "))
	case o.reason == "":
		return errors.New("say why with --reason: those who find it so will ask")
	case o.lasts < 0:
		return fmt.Errorf("--for %s: want a time to come", o.lasts)
	case o.once && o.lasts > 0:
		return errors.New("--once changes the state one time: --for would hold nothing")
	}
	return nil
}

// write is one patch of spec.override, which the member's admission stamps.
func (o overriding) write(
	ctx context.Context, target client.Client, key client.ObjectKey, member string, now time.Time, out io.Writer,
) error {
	server := &v1alpha1.Server{}
	if err := target.Get(ctx, key, server); err != nil {
		return notThere("Server", key.Name, key.Namespace, member, err)
	}
	if o.remove && server.Spec.Override == nil {
		fmt.Fprintf(out, "server/%s has no override: the system decides\n", key.Name)
		return nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"override": o.field(now)}})
	if err != nil {
		return err
	}
	if err := target.Patch(ctx, server, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("overriding Server %s: %w", key.Name, err)
	}
	if o.remove {
		fmt.Fprintf(out, "server/%s is the system's to decide about again\n", key.Name)
		return nil
	}
	return tellOverride(server, out)
}

// field is spec.override as a merge writes it: what an earlier one had beside goes with it, and nothing is left of one that ends.
func (o overriding) field(now time.Time) map[string]any {
	if o.remove {
		return nil
	}
	out := map[string]any{
		"state": o.state, "mode": v1alpha1.OverrideHold, "reason": o.reason, "expiresAt": nil, "skipTasks": o.skip, "by": nil, "at": nil,
	}
	if o.once {
		out["mode"] = v1alpha1.OverrideOnce
	}
	if o.lasts > 0 {
		out["expiresAt"] = metav1.Time{Time: now.Add(o.lasts)}
	}
	return out
}

// tellOverride says in whose name it was stored.
func tellOverride(server *v1alpha1.Server, out io.Writer) error {
	stored := server.Spec.Override
	if stored == nil || stored.By == "" {
		return fmt.Errorf("the override of Server %s was stored without a name, and does nothing: there is no admission of it here; "+
			"argosyctl install member-manager brings it", server.Name)
	}
	until := "until it is removed"
	if stored.ExpiresAt != nil {
		until = "until " + stored.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if stored.Mode == v1alpha1.OverrideOnce {
		until = "once"
	}
	fmt.Fprintf(out, "server/%s is put into state %s by %s, %s\n", server.Name, stored.State, stored.By, until)
	return nil
}
