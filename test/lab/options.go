package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// Options says what federation to start. The zero value is not useful: begin with DefaultOptions.
type Options struct {
	// Dir is the state folder. Start leaves it empty and gets a folder of its own.
	Dir string
	// Nodes is the number of KWOK nodes of each member; its length is the number of members.
	// They are called member1, member2 and so on.
	Nodes []int
	// NodeCPU and NodeMemory are the capacity of every node, as Kubernetes quantities.
	NodeCPU, NodeMemory string
	// Pull names the members that are registered in pull mode: a karmada-agent of their own carries Works to them. The others are
	// joined in push mode.
	Pull []string
	// AgentRoute says where these agents reach karmada-apiserver, which listens at address: a test puts something in between that
	// it can cut. Nil is straight.
	AgentRoute func(address string) (string, error) `json:"-"`
	// MemberRoute says where the control plane reaches a member in push mode, which listens at address: a test puts something in between
	// that it can cut. Nil is straight.
	MemberRoute func(member, address string) (string, error) `json:"-"`
	// Audit makes every API server write who changed what, but for leases and events: see Lab.AuditLog.
	Audit bool
	// Karmada is the version of its programs, one of binaries.Karmadas; empty is the base's.
	Karmada string
	// MemberKubernetes is the version that the members run, one of binaries.Kubernetes; empty is the base's, which the control plane has.
	MemberKubernetes string
	// Flags are further flags by process, such as "karmada/scheduler": feature gates, or what evicts.
	Flags map[string][]string
	// Descheduler runs karmada-descheduler, which asks Argosy's estimators what stands unschedulable.
	Descheduler bool
	// Reschedule names namespaces whose replicas move when they have waited for ten seconds, and no others do: a test should not wait for five
	// minutes. Empty is as it is installed, and "*" stands for all namespaces.
	Reschedule []string
	// ShippedWebhooks has API servers wait for Argosy's webhooks as long as an installation does, and no longer: WaitLonger.
	ShippedWebhooks bool
	// Stock leaves Argosy out: Karmada as it comes, for side-by-side tests.
	Stock bool
	// Kruise runs the OpenKruise manager in each member. Without it members have no CloneSets.
	Kruise bool
	// Rollouts is the member in which the controller of Kruise Rollout runs, beside OpenKruise's; none when empty. Its program is built then.
	Rollouts string
	// Metrics serves metrics.k8s.io in each member, which member HPAs need: by a server of the lab's own that sees a load at once, but in
	// MetricsServer.
	Metrics bool
	// MetricsServer is the member in which the real metrics-server does so; none when empty.
	MetricsServer string
	// APIServerPort fixes karmada-apiserver's port; 0 chooses a free one.
	APIServerPort int
	// Progress receives lines for a person; nil discards them.
	Progress io.Writer `json:"-"`
}

// DefaultOptions is the whole federation: three members of five nodes with everything in them.
func DefaultOptions() Options {
	return Options{
		Nodes:      []int{5, 5, 5},
		NodeCPU:    "8",
		NodeMemory: "32Gi",
		Kruise:     true,
		Metrics:    true,
	}
}

// Validate says what is wrong with the options in words of the command line.
func (o Options) Validate() error {
	switch {
	case len(o.Nodes) == 0:
		return errors.New("--members must be at least 1")
	case len(o.Nodes) > 20:
		return fmt.Errorf("--members is %d: one machine runs at most 20", len(o.Nodes))
	case o.Karmada != "" && !slices.Contains(binaries.Karmadas(), o.Karmada):
		return fmt.Errorf("--karmada %s: there are %s", o.Karmada, strings.Join(binaries.Karmadas(), ", "))
	case o.MemberKubernetes != "" && !slices.Contains(binaries.Kubernetes(), o.MemberKubernetes):
		return fmt.Errorf("--member-kubernetes %s: there are %s", o.MemberKubernetes, strings.Join(binaries.Kubernetes(), ", "))
	case o.Descheduler && o.Stock:
		return errors.New("--descheduler needs estimators, which a stock federation has not")
	case o.APIServerPort < 0 || o.APIServerPort > 65535:
		return fmt.Errorf("--apiserver-port %d is not a port", o.APIServerPort)
	}
	return o.validateMembers()
}

func (o Options) validateMembers() error {
	for i, n := range o.Nodes {
		if n < 0 || n > 5000 {
			return fmt.Errorf("member%d cannot have %d nodes: between 0 and 5000 are possible", i+1, n)
		}
	}
	names := o.members()
	if o.MetricsServer != "" && !slices.Contains(names, o.MetricsServer) {
		return fmt.Errorf("metrics-server in %s: there is no such member, only %s", o.MetricsServer, strings.Join(names, ", "))
	}
	if o.Rollouts != "" && (!o.Kruise || !slices.Contains(names, o.Rollouts)) {
		return fmt.Errorf("rollouts in %s: it needs OpenKruise, and one of %s", o.Rollouts, strings.Join(names, ", "))
	}
	for _, name := range o.Pull {
		if !slices.Contains(names, name) {
			return fmt.Errorf("--pull %s: there is no such member, only %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// programs that the federation is made of.
func (o Options) programs() []string {
	names := slices.DeleteFunc(binaries.Names(), func(name string) bool { return name == metricsServer && o.MetricsServer == "" })
	if o.Rollouts != "" {
		names = append(names, kruiseRollouts)
	}
	return names
}

func (o Options) members() []string {
	names := make([]string, len(o.Nodes))
	for i := range o.Nodes {
		names[i] = memberName(i)
	}
	return names
}

func memberName(i int) string { return fmt.Sprintf("member%d", i+1) }

// DecodeOptions reads what Up hands to the supervisor.
func DecodeOptions(encoded string) (Options, error) {
	var o Options
	if err := json.Unmarshal([]byte(encoded), &o); err != nil {
		return o, fmt.Errorf("reading the supervisor's options: %w", err)
	}
	return o, o.Validate()
}
