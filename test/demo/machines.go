package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
)

// runningMachines of a namespace in the lab's IaaS, by set.
func (s *Stage) runningMachines(ctx context.Context, namespace string) (map[string]int, error) {
	all, err := s.Lab.Machines(ctx)
	out := map[string]int{}
	for _, m := range all {
		server, ours := strings.CutPrefix(m.Name, namespace+"/")
		if set, _, ok := cutLast(server, "-"); ours && ok && m.State == httpdriver.Running {
			out[set]++
		}
	}
	return out, err
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

func (s *Stage) machines(ctx context.Context) (string, error) {
	running, err := s.runningMachines(ctx, kindsNamespace)
	var out []string
	for _, set := range slices.Sorted(maps.Keys(running)) {
		out = append(out, fmt.Sprintf("%s %d", set, running[set]))
	}
	return strings.Join(out, ", "), err
}

func (s *Stage) machinesOf(namespace, set string) See {
	return func(ctx context.Context) (string, error) {
		running, err := s.runningMachines(ctx, namespace)
		return fmt.Sprint(running[set]), err
	}
}

// cutPower of the machine of a server in member2.
func (s *Stage) cutPower(ctx context.Context, name string) error {
	server := &vmv1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: kindsNamespace, Name: name}}
	if err := s.Members["member2"].Get(ctx, client.ObjectKeyFromObject(server), server); err != nil {
		return fmt.Errorf("reading Server %s: %w", name, err)
	}
	return s.Lab.CutPower(ctx, string(server.UID))
}

// setsSay is what the control plane's sets say of their servers.
func (s *Stage) setsSay(ctx context.Context) (string, error) {
	var out []string
	for _, name := range []string{"payments", "ledger"} {
		set := &vmv1alpha1.VMReplicaSet{}
		if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: kindsNamespace, Name: name}, set); err != nil {
			return "", err
		}
		says := fmt.Sprintf("%s: %d servers, %d without code", name, set.Status.Replicas, set.Status.DeployingReplicas)
		if n := set.Status.UnknownReplicas; n > 0 {
			says += fmt.Sprintf(", %d unreachable", n)
		}
		out = append(out, says)
	}
	return strings.Join(out, "; "), nil
}

func (s *Stage) ledger(ctx context.Context) (string, error) {
	list := &vmv1alpha1.ServerList{}
	err := s.Members["member2"].List(ctx, list, client.InNamespace(kindsNamespace), client.MatchingLabels{vmv1alpha1.LabelSet: "ledger"})
	var out []string
	for _, server := range list.Items {
		out = append(out, server.Name)
	}
	return strings.Join(out, ", "), err
}

// waiting approvals of payments, where all are of servers of one name.
func (s *Stage) waiting(ctx context.Context) (string, error) {
	set, err := s.serverTemplate(ctx)
	what, clusters := map[string]bool{}, []string{}
	for _, p := range set.Status.PendingApprovals {
		what[p.Gate+" of "+p.Server] = true
		clusters = append(clusters, p.Cluster)
	}
	if len(what) == 0 {
		return "none", err
	}
	slices.Sort(clusters)
	return strings.Join(slices.Sorted(maps.Keys(what)), ", ") + " in " + strings.Join(clusters, ", "), err
}

// approveAll that wait, as a person does with kubectl.
func (s *Stage) approveAll(ctx context.Context) error {
	return retry.RetryOnConflict(writesMeet(), func() error {
		set, err := s.serverTemplate(ctx)
		if err != nil {
			return err
		}
		for _, p := range set.Status.PendingApprovals {
			set.Spec.Approvals = append(set.Spec.Approvals, gatev1alpha1.Approval{
				Gate: p.Gate, OperationID: p.OperationID, Decision: gatev1alpha1.Approve, Reason: "fewer are needed",
			})
		}
		return s.Karmada.Update(ctx, set)
	})
}
