package bench

import (
	"fmt"
	"os"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/argosy-dev/argosy/estimator/inflight"
)

const (
	ledgerBindings = 1000
	ledgerMembers  = 500
	// ledgerAim is for the answers about all members together, in time of a processor. One look at all promises for each took 7 s.
	ledgerAim = time.Second
)

// TestLedger measures what it costs an estimator to take others' promises into account when very much was scheduled just now: each binding
// is over all members, and one question of karmada-scheduler goes to each member.
func TestLedger(t *testing.T) {
	Only(t)
	ledger := inflight.NewLedger()
	now := time.Now() //nolint:forbidigo // a benchmark's time is the real one
	noted := timed(ledgerBindings, func(i int) {
		b := &workv1alpha2.ResourceBinding{}
		b.Namespace, b.Name = "shop", fmt.Sprintf("web-%d-deployment", i)
		b.Spec.Resource = workv1alpha2.ObjectReference{Kind: "Deployment", Namespace: "shop", Name: fmt.Sprintf("web-%d", i)}
		for j := range ledgerMembers {
			b.Spec.Clusters = append(b.Spec.Clusters, workv1alpha2.TargetCluster{Name: fmt.Sprintf("member-%d", j), Replicas: 1})
		}
		ledger.Observe(b, now, false)
	})
	promises := 0
	begun := cpuTime()
	asked := timed(ledgerMembers, func(i int) { promises += len(ledger.Ahead(fmt.Sprintf("member-%d", i), now)) })
	all := cpuTime() - begun
	knows := timed(ledgerBindings, func(i int) {
		if !ledger.Knows("member-7", "shop", fmt.Sprintf("web-%d", i)) {
			t.Errorf("web-%d is not known", i)
		}
	})
	if want := ledgerBindings * ledgerMembers; promises != want {
		t.Fatalf("%d promises of %d", promises, want)
	}
	if all > ledgerAim {
		t.Errorf("the promises to all members took %s of a processor, aim %s", all, ledgerAim)
	}
	Table{
		Title: fmt.Sprintf("Estimator: the ledger of promises, %d young bindings over %d members", ledgerBindings, ledgerMembers),
		Peer:  "no peer: Karmada's estimator knows of no promises",
		Rows: []Row{
			{What: "a binding noted, p50 / p99", Ours: spell(noted)},
			{What: "the promises to one member, p50 / p99", Ours: spell(asked)},
			{What: "those to all members, time of a processor", Ours: fmt.Sprintf("%.0f ms", all.Seconds()*1000)},
			{What: "whether a workload is known, p50 / p99", Ours: spell(knows)},
		},
		Notes: []string{"Looking at all promises for each answer took 7 s for all members."},
	}.Print(os.Stdout)
}
