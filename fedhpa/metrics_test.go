package fedhpa

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// TestMeasures: divisions by reason, what was put right, and for how long the books were wrong; taking over is no disagreement.
func TestMeasures(t *testing.T) {
	m, registry := newMeasures(), prometheus.NewRegistry()
	if err := m.register(registry); err != nil {
		t.Fatal(err)
	}
	start := time.Unix(0, 0)
	look := func(seconds int, status metav1.ConditionStatus, reason string, plan decide.Plan) {
		plan.Status.Conditions = []metav1.Condition{{Type: api.FedHPABooksAgree, Status: status, Reason: reason}}
		m.observe(types.NamespacedName{Namespace: "shop", Name: "web"}, &plan, start.Add(time.Duration(seconds)*time.Second))
	}
	look(0, metav1.ConditionFalse, api.FedHPAReasonTakingOver, decide.Plan{Divided: api.FedHPAReasonTakenOver})
	look(90, metav1.ConditionTrue, api.FedHPAReasonBooksAgree, decide.Plan{Divided: api.FedHPAReasonActive})
	look(100, metav1.ConditionFalse, api.FedHPAReasonSyncing, decide.Plan{
		Overwritten: true, Actions: []decide.Action{{Kind: decide.WriteBinding}, {Kind: decide.ScaleTemplate}},
	})
	look(101, metav1.ConditionFalse, api.FedHPAReasonSyncing, decide.Plan{})
	look(102, metav1.ConditionTrue, api.FedHPAReasonBooksAgree, decide.Plan{})
	look(200, metav1.ConditionTrue, api.FedHPAReasonBooksAgree, decide.Plan{Divided: api.FedHPAReasonActive})
	//nolint:lll // as Prometheus reads it
	want := `
# HELP argosy_fedhpa_divisions_total Divisions of limits over members, by what asked for them.
# TYPE argosy_fedhpa_divisions_total counter
argosy_fedhpa_divisions_total{reason="Active"} 2
argosy_fedhpa_divisions_total{reason="TakenOver"} 1
# HELP argosy_fedhpa_overwrites_repaired_total Scheduling results that somebody wrote over the members' counts, and that were put right.
# TYPE argosy_fedhpa_overwrites_repaired_total counter
argosy_fedhpa_overwrites_repaired_total 1
# HELP argosy_fedhpa_writes_total Writes to the control plane, by kind.
# TYPE argosy_fedhpa_writes_total counter
argosy_fedhpa_writes_total{kind="ScaleTemplate"} 1
argosy_fedhpa_writes_total{kind="WriteBinding"} 1
# HELP argosy_fedhpa_disagreement_seconds How long the control plane said something else than the members' autoscalers, from first sight to agreement.
# TYPE argosy_fedhpa_disagreement_seconds histogram
argosy_fedhpa_disagreement_seconds_bucket{le="0.1"} 0
argosy_fedhpa_disagreement_seconds_bucket{le="0.25"} 0
argosy_fedhpa_disagreement_seconds_bucket{le="0.5"} 0
argosy_fedhpa_disagreement_seconds_bucket{le="1"} 0
argosy_fedhpa_disagreement_seconds_bucket{le="2.5"} 1
argosy_fedhpa_disagreement_seconds_bucket{le="5"} 1
argosy_fedhpa_disagreement_seconds_bucket{le="10"} 1
argosy_fedhpa_disagreement_seconds_bucket{le="30"} 1
argosy_fedhpa_disagreement_seconds_bucket{le="60"} 1
argosy_fedhpa_disagreement_seconds_bucket{le="300"} 1
argosy_fedhpa_disagreement_seconds_bucket{le="+Inf"} 1
argosy_fedhpa_disagreement_seconds_sum 2
argosy_fedhpa_disagreement_seconds_count 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "argosy_fedhpa_divisions_total",
		"argosy_fedhpa_overwrites_repaired_total",
		"argosy_fedhpa_writes_total", "argosy_fedhpa_disagreement_seconds"); err != nil {
		t.Error(err)
	}
}
