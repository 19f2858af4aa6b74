package monitoring

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// world is one state of the programs, in promtool's notation, a sample a minute.
type world struct {
	series string
	// wantAt lists the minutes at which the alert must fire; wantNot those at which it must not.
	wantAt, wantNot []int
}

const (
	healthy = `
up{job="argosy-webhook",instance="a"} 1x120
up{job="argosy-webhook",instance="b"} 1x120
up{job="argosy-estimator",instance="a"} 1x120
up{job="argosy-controller-manager",instance="a"} 1x120
up{job="argosy-controller-manager",instance="b"} 1x120
leader_election_master_status{job="argosy-controller-manager",instance="a"} 1x120
leader_election_master_status{job="argosy-controller-manager",instance="b"} 0x120
argosy_interpreter_requests_total{job="argosy-webhook",kind="CloneSet",operation="Retain",result="answered"} 0+600x120
argosy_interpreter_requests_total{job="argosy-webhook",kind="CloneSet",operation="Retain",result="refused"} 0x120
argosy_interpreter_request_duration_seconds_bucket{job="argosy-webhook",operation="Retain",le="0.001"} 0+600x120
argosy_interpreter_request_duration_seconds_bucket{job="argosy-webhook",operation="Retain",le="+Inf"} 0+600x120
argosy_interpreter_overridden{job="argosy-webhook",kind="CloneSet",operation="Retain"} 0x120
argosy_interpreter_binding_reads_total{job="argosy-webhook",result="read"} 0+10x120
argosy_interpreter_binding_reads_total{job="argosy-webhook",result="unreadable"} 0x120
argosy_interpreter_shortfalls_total{job="argosy-webhook",kind="CloneSet",reason="MoreUpdated"} 0x120
controller_runtime_reconcile_total{job="argosy-controller-manager",controller="cronhpa",result="success"} 0+60x120
controller_runtime_reconcile_errors_total{job="argosy-controller-manager",controller="cronhpa"} 0+1x120
rest_client_requests_total{job="argosy-webhook",code="200"} 0+60x120
argosy_cronhpa_firing_lateness_seconds_bucket{job="argosy-controller-manager",le="1"} 0+20x120
argosy_cronhpa_firing_lateness_seconds_bucket{job="argosy-controller-manager",le="60"} 0+20x120
argosy_cronhpa_firing_lateness_seconds_bucket{job="argosy-controller-manager",le="+Inf"} 0+20x120
argosy_cronhpa_firings_total{job="argosy-controller-manager",result="Applied"} 0+20x120
argosy_cronhpa_firings_total{job="argosy-controller-manager",result="Missed"} 0x120
argosy_conditions_objects{job="argosy-controller-manager",kind="CronHPA",condition="TargetScalable",status="True",reason="Scalable"} 5x120
argosy_conditions_objects{job="argosy-controller-manager",kind="CronHPA",condition="Ready",status="False",reason="Suspended"} 1x120
argosy_conditions_objects{job="argosy-controller-manager",kind="PodScaleIn",condition="Accepted",status="False",reason="Refused"} 1x120
argosy_scalein_orders_total{job="argosy-controller-manager",result="Failed"} 0x120
argosy_reschedule_waiting_replicas{job="argosy-controller-manager",member="m1"} 4x5 0x115
argosy_reschedule_without_room_replicas{job="argosy-controller-manager",member="m1"} 0x120
argosy_conditions_oldest_seconds{job="argosy-controller-manager",kind="FedHPA",condition="BooksAgree",status="False"} 5x120
argosy_conditions_oldest_seconds{job="argosy-controller-manager",kind="FedHPA",condition="MembersScaling",status="False"} 30x120
argosy_fedhpa_overwrites_repaired_total{job="argosy-controller-manager"} 0x120
argosy_conditions_oldest_seconds{job="argosy-member-manager",kind="Component",condition="Rendered",status="False"} 20x120
argosy_component_writes_total{job="argosy-member-manager",kind="Deployment",cause="Changed"} 0+5x120
argosy_component_writes_total{job="argosy-member-manager",kind="Deployment",cause="ChangedByHand"} 0x120
up{job="argosy-member-manager",instance="a"} 1x120
up{job="argosy-member-manager",instance="b"} 1x120
argosy_vm_tasks_blocked{job="argosy-member-manager",type="CreateMachine"} 0x120
argosy_vm_oldest_approval_seconds{job="argosy-member-manager",instance="a"} 0x60 0+60x50 0x9
argosy_vm_longest_operation_seconds{job="argosy-member-manager",kind="Environment"} 0+60x50 _x70
argosy_vm_orphans{job="argosy-member-manager",driver="http"} 0x120
argosy_vm_prober_blind{job="argosy-member-manager"} 0x120
argosy_component_load_balancer_requests_total{job="argosy-member-manager",provider="slb",verb="Ensure",result="OK"} 0+4x120
argosy_component_load_balancer_requests_total{job="argosy-member-manager",provider="slb",verb="Get",result="Gone"} 0+1x120
argosy_component_load_balancer_requests_total{job="argosy-member-manager",provider="slb",verb="Ensure",result="Busy"} 2x120
argosy_vm_pool_requests_total{job="argosy-member-manager",driver="haproxy",verb="ensure",result="OK"} 0+4x120
argosy_vm_pool_requests_total{job="argosy-member-manager",driver="haproxy",verb="ensure",result="Unanswered"} 2x120
argosy_migration_failures_total{job="argosy-controller-manager",reason="Restarted",action="RolledBack"} 0x120
argosy_migration_applications{job="argosy-controller-manager",environment="production",state="failed"} 0x120
argosy_estimator_member_state_info{job="argosy-estimator",member="m1",state="Fresh"} 1x120
argosy_estimator_member_refused_watches{job="argosy-estimator",member="m1"} 0x120
argosy_estimator_pods{job="argosy-estimator",instance="a"} 40000x120
argosy_estimator_pod_budget{job="argosy-estimator",instance="a"} 50000x120
argosy_estimator_answer_duration_seconds_bucket{job="argosy-estimator",method="m",path="p",le="0.128"} 0+100x120
argosy_estimator_answer_duration_seconds_bucket{job="argosy-estimator",method="m",path="p",le="+Inf"} 0+100x120
`
	always = 60
)

// but is the healthy world with lines of one series replaced, or taken away with an empty line.
func but(prefix string, lines ...string) string {
	var out []string
	found := false
	for _, line := range strings.Split(healthy, "\n") {
		if strings.HasPrefix(line, prefix) {
			found = true
			continue
		}
		out = append(out, line)
	}
	if !found {
		panic("the healthy world has no " + prefix)
	}
	return strings.Join(append(out, lines...), "\n")
}

func worlds() map[string]world {
	return map[string]world{
		"ArgosyWebhookDown": {
			series: but(`up{job="argosy-webhook"`,
				`up{job="argosy-webhook",instance="a"} 1x30 0x90`),
			wantNot: []int{10, 31}, wantAt: []int{34, always},
		},
		"ArgosyWebhookRefuses": {
			series: but(`argosy_interpreter_requests_total{job="argosy-webhook",kind="CloneSet",operation="Retain",result="refused"}`,
				`argosy_interpreter_requests_total{job="argosy-webhook",kind="CloneSet",operation="Retain",result="refused"} 0+10x120`),
			wantNot: []int{5}, wantAt: []int{always},
		},
		"ArgosyWebhookSlow": {
			series: but(`argosy_interpreter_request_duration_seconds_bucket{job="argosy-webhook",operation="Retain",le="0.001"}`,
				`argosy_interpreter_request_duration_seconds_bucket{job="argosy-webhook",operation="Retain",le="0.001"} 0+500x120`,
				`argosy_interpreter_request_duration_seconds_bucket{job="argosy-webhook",operation="Retain",le="1"} 0+600x120`),
			wantNot: []int{5}, wantAt: []int{always},
		},
		"ArgosyInterpreterOverridden": {
			series: but(`argosy_interpreter_overridden`,
				`argosy_interpreter_overridden{job="argosy-webhook",kind="CloneSet",operation="Retain"} 1x120`),
			wantNot: []int{4}, wantAt: []int{always},
		},
		"ArgosyBindingsUnreadable": {
			series: but(`argosy_interpreter_binding_reads_total{job="argosy-webhook",result="unreadable"}`,
				`argosy_interpreter_binding_reads_total{job="argosy-webhook",result="unreadable"} 0+1x120`),
			wantNot: []int{10}, wantAt: []int{always},
		},
		"ArgosyRolloutsNotAsAsked": {
			series: but(`argosy_interpreter_shortfalls_total`,
				`argosy_interpreter_shortfalls_total{job="argosy-webhook",kind="CloneSet",reason="MoreUpdated"} 0x50 1x70`),
			wantNot: []int{40, 90}, wantAt: []int{55},
		},
		"ArgosyEstimatorWatchesRefused": {
			series: but(`argosy_estimator_member_refused_watches`,
				`argosy_estimator_member_refused_watches{job="argosy-estimator",member="m1"} 1x120`),
			wantNot: []int{3}, wantAt: []int{10, always},
		},
		"ArgosyEstimatorOverBudget": {
			series:  but(`argosy_estimator_pods`, `argosy_estimator_pods{job="argosy-estimator",instance="a"} 60000x120`),
			wantNot: []int{10}, wantAt: []int{20, always},
		},
		"ArgosyRolloutStandsStill": {
			series: healthy + `argosy_conditions_oldest_seconds{job="argosy-controller-manager",kind="CloneSet.apps.kruise.io",` +
				`condition="RolloutAsAsked",status="False"} 0+60x120
`, wantNot: []int{15}, wantAt: []int{25, always},
		},
		"ArgosyNoLeader": {
			series: but(`leader_election_master_status{job="argosy-controller-manager",instance="a"}`,
				`leader_election_master_status{job="argosy-controller-manager",instance="a"} 1x30 0x90`),
			wantNot: []int{10, 31}, wantAt: []int{always},
		},
		"ArgosyReconcileErrors": {
			series: but(`controller_runtime_reconcile_errors_total`,
				`controller_runtime_reconcile_errors_total{job="argosy-controller-manager",controller="cronhpa"} 0+20x120`),
			wantNot: []int{10}, wantAt: []int{always},
		},
		"ArgosyUnauthorized": {
			series: healthy + `rest_client_requests_total{job="argosy-estimator",code="403"} 0+1x120`, wantNot: []int{10}, wantAt: []int{always},
		},
		"ArgosyCronHPALate": {
			series: but(`argosy_cronhpa_firing_lateness_seconds_bucket`,
				`argosy_cronhpa_firing_lateness_seconds_bucket{job="argosy-controller-manager",le="60"} 0+10x120`,
				`argosy_cronhpa_firing_lateness_seconds_bucket{job="argosy-controller-manager",le="300"} 0+20x120`,
				`argosy_cronhpa_firing_lateness_seconds_bucket{job="argosy-controller-manager",le="+Inf"} 0+20x120`),
			wantNot: []int{3}, wantAt: []int{always},
		},
		"ArgosyCronHPAFiringsLost": {
			series: but(`argosy_cronhpa_firings_total{job="argosy-controller-manager",result="Missed"}`,
				`argosy_cronhpa_firings_total{job="argosy-controller-manager",result="Missed"} 0x50 1x70`),
			wantNot: []int{40, 90}, wantAt: []int{55},
		},
		"ArgosyCronHPACannotScale": {
			// What a reason says may change while the condition stays False.
			series: but(`argosy_conditions_objects{job="argosy-controller-manager",kind="CronHPA",condition="TargetScalable"`,
				`argosy_conditions_objects{job="argosy-controller-manager",kind="CronHPA",condition="TargetScalable",`+
					`status="False",reason="TargetNotFound"} _x10 2x10 _x100`,
				`argosy_conditions_objects{job="argosy-controller-manager",kind="CronHPA",condition="TargetScalable",`+
					`status="False",reason="TargetNotScalable"} _x20 2x100`),
			wantNot: []int{20}, wantAt: []int{always},
		},
		"ArgosyPodScaleInFailed": {
			series: but(`argosy_scalein_orders_total`,
				`argosy_scalein_orders_total{job="argosy-controller-manager",result="Failed"} 0x50 1x70`),
			wantNot: []int{40, 90}, wantAt: []int{55},
		},
		"ArgosyReplicasWait": {
			// What no member has room for is another alert's.
			series: but(`argosy_reschedule_w`,
				`argosy_reschedule_waiting_replicas{job="argosy-controller-manager",member="m1"} 0x10 4x110`,
				`argosy_reschedule_without_room_replicas{job="argosy-controller-manager",member="m1"} 0x70 4x50`),
			wantNot: []int{20, 80}, wantAt: []int{30, always},
		},
		"ArgosyFederationFull": {
			series: but(`argosy_reschedule_w`,
				`argosy_reschedule_waiting_replicas{job="argosy-controller-manager",member="m1"} 4x120`,
				`argosy_reschedule_without_room_replicas{job="argosy-controller-manager",member="m1"} 0x10 4x110`),
			wantNot: []int{20}, wantAt: []int{30, always},
		},
		"ArgosyComponentWaveStopped": {
			series: healthy + `
argosy_component_waves_stopped{job="argosy-member-manager",instance="a"} 0x10 1x110
`,
			wantNot: []int{15}, wantAt: []int{25, always},
		},
		"ArgosyReleaseStalled": {
			series: but(`argosy_conditions_oldest_seconds`,
				`argosy_conditions_oldest_seconds{job="argosy-controller-manager",kind="Release",condition="Stalled",status="True"} 0+60x120`),
			wantNot: []int{5}, wantAt: []int{15, always},
		},
		"ArgosyFedHPADisagrees": {
			series: but(`argosy_conditions_oldest_seconds`,
				`argosy_conditions_oldest_seconds{job="argosy-controller-manager",kind="FedHPA",condition="BooksAgree",status="False"} 0+60x120`),
			wantNot: []int{5}, wantAt: []int{15, always},
		},
		"ArgosyFedHPAMembersNotScaling": {
			series: but(`argosy_conditions_oldest_seconds`,
				`argosy_conditions_oldest_seconds{job="argosy-controller-manager",kind="FedHPA",condition="MembersScaling",status="False"} 0+60x120`),
			wantNot: []int{10}, wantAt: []int{20, always},
		},
		"ArgosyFedHPAOverwritten": {
			series: but(`argosy_fedhpa_overwrites_repaired_total`,
				`argosy_fedhpa_overwrites_repaired_total{job="argosy-controller-manager"} 0+1x120`),
			wantNot: []int{2}, wantAt: []int{always},
		},
		"ArgosyComponentsNotRendered": {
			series: but(`argosy_conditions_oldest_seconds`,
				`argosy_conditions_oldest_seconds{job="argosy-member-manager",kind="Component",condition="Rendered",status="False"} 0+60x120`),
			wantNot: []int{10}, wantAt: []int{20, always},
		},
		"ArgosyComponentsChangedByHand": {
			series: but(`argosy_component_writes_total`,
				`argosy_component_writes_total{job="argosy-member-manager",kind="Deployment",cause="ChangedByHand"} 0+1x120`),
			wantNot: []int{10}, wantAt: []int{always},
		},
		"ArgosyMemberManagerDown": {
			// Its pods do not answer, and then there are none; a federation without it has no alert.
			series: but(`up{job="argosy-member-manager"`,
				`up{job="argosy-member-manager",instance="a"} 1x30 0x20 _x69`),
			wantNot: []int{10, 31}, wantAt: []int{35, 50, 60},
		},
		"ArgosyVMBlocked": {
			series: but(`argosy_vm_tasks_blocked`,
				`argosy_vm_tasks_blocked{job="argosy-member-manager",type="DeleteMachine"} _x10 1x109`),
			wantNot: []int{5, 14}, wantAt: []int{20, always},
		},
		"ArgosyVMOperationLasts": {
			series: but(`argosy_vm_longest_operation_seconds`,
				`argosy_vm_longest_operation_seconds{job="argosy-member-manager",kind="Environment"} 0+60x120`),
			wantNot: []int{60}, wantAt: []int{70, 100},
		},
		"ArgosyVMApprovalOld": {
			series: but(`argosy_vm_oldest_approval_seconds`,
				`argosy_vm_oldest_approval_seconds{job="argosy-member-manager",instance="a"} 0+60x120`),
			wantNot: []int{60}, wantAt: []int{70, 100},
		},
		"ArgosyVMOrphans": {
			series: but(`argosy_vm_orphans`,
				`argosy_vm_orphans{job="argosy-member-manager",driver="http"} 0x10 3x110`),
			wantNot: []int{30}, wantAt: []int{45, 100},
		},
		"ArgosyVMBlindProber": {
			series: but(`argosy_vm_prober_blind`,
				`argosy_vm_prober_blind{job="argosy-member-manager"} 0x10 1x110`),
			wantNot: []int{10, 14}, wantAt: []int{20, always},
		},
		"ArgosyVMPoolRequestsFail": {
			series: but(`argosy_vm_pool_requests_total`,
				`argosy_vm_pool_requests_total{job="argosy-member-manager",driver="haproxy",verb="ensure",result="Unanswered"} 0x10 0+4x110`),
			wantNot: []int{10, 18}, wantAt: []int{30, always},
		},
		"ArgosyComponentLoadBalancerRequestsFail": {
			series: but(`argosy_component_load_balancer_requests_total`,
				`argosy_component_load_balancer_requests_total{job="argosy-member-manager",provider="slb",verb="Ensure",result="Invalid"} `+
					`0x10 0+4x110`),
			wantNot: []int{10, 18}, wantAt: []int{30, always},
		},
		"ArgosyMigrationFailed": {
			series: but(`argosy_migration_failures_total`,
				`argosy_migration_failures_total{job="argosy-controller-manager",reason="Restarted",action="RolledBack"} 0x50 1x70`),
			wantNot: []int{40, 90}, wantAt: []int{55},
		},
		"ArgosyMigrationsWaitForPeople": {
			series: but(`argosy_migration_applications`,
				`argosy_migration_applications{job="argosy-controller-manager",environment="production",state="failed"} 2x120`),
			wantNot: []int{30}, wantAt: []int{70},
		},
		"ArgosyEstimatorDown": {
			series: but(`up{job="argosy-estimator"`), wantNot: []int{1}, wantAt: []int{5, always},
		},
		"ArgosyEstimatorMemberLost": {
			series: but(`argosy_estimator_member_state_info`,
				`argosy_estimator_member_state_info{job="argosy-estimator",member="m1",state="Lost"} 1x50 _x69`,
				`argosy_estimator_member_state_info{job="argosy-estimator",member="m2",state="Misconfigured"} _x60 1x60`),
			wantNot: []int{4, 58, 63}, wantAt: []int{30, 70},
		},
		"ArgosyEstimatorUnknown": {
			series: healthy + `argosy_estimator_answers_total{job="argosy-estimator",method="m",member="m1",outcome="exact"} 0+90x120
argosy_estimator_answers_total{job="argosy-estimator",method="m",member="m1",outcome="Deadline"} 0+10x120
argosy_estimator_answers_total{job="argosy-estimator",method="m",member="m2",outcome="bound"} 0+90x120
`, wantNot: []int{9}, wantAt: []int{30, always},
		},
		"ArgosyEstimatorWithoutTemplates": {
			series: healthy + `argosy_estimator_answers_total{job="argosy-estimator",method="m",member="m1",outcome="exact"} 0+180x120
argosy_estimator_answers_total{job="argosy-estimator",method="m",member="m1",outcome="withoutTemplate"} 0+10x120
argosy_estimator_answers_total{job="argosy-estimator",method="m",member="m1",outcome="lastTemplate"} 0+10x120
argosy_estimator_answers_total{job="argosy-estimator",method="m",member="m2",outcome="olderPods"} 0+90x120
`, wantNot: []int{9}, wantAt: []int{30, always},
		},
		"ArgosyEstimatorSlow": {
			series: but(`argosy_estimator_answer_duration_seconds_bucket{job="argosy-estimator",method="m",path="p",le="0.128"}`,
				`argosy_estimator_answer_duration_seconds_bucket{job="argosy-estimator",method="m",path="p",le="0.128"} 0+90x120`,
				`argosy_estimator_answer_duration_seconds_bucket{job="argosy-estimator",method="m",path="p",le="0.256"} 0+100x120`),
			wantNot: []int{10}, wantAt: []int{always},
		},
	}
}

// TestAlertsFire demands a world in which each alert fires when it should, and not before.
func TestAlertsFire(t *testing.T) {
	for _, group := range rulesOf(t) {
		alert := group.Name()
		w, ok := worlds()[alert]
		if !ok {
			t.Errorf("no world is written for %s: a rule that was never seen to fire proves nothing", alert)
			continue
		}
		t.Run(alert, func(t *testing.T) { w.judge(t, group) })
	}
}

// TestAlertsTellApart has for some alerts further worlds: an installation of another shape, and what one of many must not hide.
func TestAlertsTellApart(t *testing.T) {
	// leaderElection.enabled is false: no replica has a series of it.
	alone := strings.ReplaceAll(but(`leader_election_master_status`), `up{job="argosy-controller-manager",instance="b"} 1x120`, "")
	const (
		controllers = `up{job="argosy-controller-manager",instance="a"} 1x120`
		managers    = `up{job="argosy-member-manager"`
		dies        = `up{job="argosy-member-manager",cluster="m1",instance="a"} 1x30 0x20 _x69`
		lives       = `up{job="argosy-member-manager",cluster="m2",instance="a"} 1x120`
	)
	for name, tc := range map[string]struct {
		alert string
		world world
	}{
		"leader election is off": {"ArgosyNoLeader", world{series: alone, wantNot: []int{0, 10, always}}},
		"off, and the only replica is gone": {"ArgosyNoLeader", world{
			series:  strings.Replace(alone, controllers, `up{job="argosy-controller-manager",instance="a"} 1x30 0x20 _x69`, 1),
			wantNot: []int{10, 31}, wantAt: []int{35, always}}},
		"off, and two replicas act": {"ArgosyNoLeader", world{
			series: alone + "\n" + `up{job="argosy-controller-manager",instance="b"} _x10 1x110`, wantNot: []int{5, 11}, wantAt: []int{15, always}}},
		"one member of two is down": {"ArgosyMemberManagerDown", world{
			series: but(managers, dies, lives), wantNot: []int{10, 31}, wantAt: []int{35, 50, 60}}},
		"a member has one replica of two": {"ArgosyMemberManagerDown", world{
			series: but(managers, dies, `up{job="argosy-member-manager",cluster="m1",instance="b"} 1x120`, lives), wantNot: []int{35, 50, always}}},
		"a member could never be read": {"ArgosyEstimatorMemberLost", world{
			series: but(`argosy_estimator_member_state_info`,
				`argosy_estimator_member_state_info{job="argosy-estimator",member="m1",state="Joining"} _x10 1x50 _x59`,
				`argosy_estimator_member_state_info{job="argosy-estimator",member="m1",state="Fresh"} _x61 1x59`,
				`argosy_estimator_member_state_info{job="argosy-estimator",member="m2",state="Fresh"} 1x120`),
			wantNot: []int{9, 13, 65}, wantAt: []int{16, 55}}},
		"members are read within minutes": {"ArgosyEstimatorMemberLost", world{
			series: but(`argosy_estimator_member_state_info`,
				`argosy_estimator_member_state_info{job="argosy-estimator",member="m1",state="Joining"} 1x3 stale`,
				`argosy_estimator_member_state_info{job="argosy-estimator",member="m1",state="Fresh"} _x3 1x116`),
			wantNot: []int{2, 5, 6, always}}},
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(rulesOf(t), func(rule *rules.AlertingRule) bool { return rule.Name() == tc.alert })
			tc.world.judge(t, rulesOf(t)[i])
		})
	}
}

// judge says at which minutes the alert should fire in the world and does not, or the other way about.
func (w world) judge(t *testing.T, alert *rules.AlertingRule) {
	t.Helper()
	fired := run(t, w.series, alert)
	for _, minute := range w.wantAt {
		if !fired[minute] {
			t.Errorf("it does not fire at minute %d", minute)
		}
	}
	for _, minute := range w.wantNot {
		if fired[minute] {
			t.Errorf("it fires at minute %d", minute)
		}
	}
}

func TestNoAlertFiresWhenAllIsWell(t *testing.T) {
	for _, rule := range rulesOf(t) {
		for minute, fires := range run(t, healthy, rule) {
			if fires {
				t.Errorf("%s fires at minute %d", rule.Name(), minute)
				break
			}
		}
	}
}

func rulesOf(t *testing.T) []*rules.AlertingRule {
	t.Helper()
	var out []*rules.AlertingRule
	for _, group := range ruleGroups(t) {
		for _, rule := range group.Rules {
			expr, err := parser.ParseExpr(rule.Expr)
			if err != nil {
				t.Fatalf("%s: %v", rule.Alert, err)
			}
			out = append(out, rules.NewAlertingRule(rule.Alert, expr, time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
				labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", false, promslog.NewNopLogger()))
		}
	}
	return out
}

// run evaluates the rule each minute for two hours and returns the minutes at which it fired.
func run(t *testing.T, series string, rule *rules.AlertingRule) map[int]bool {
	t.Helper()
	store := promqltest.LoadedStorage(t, "load 1m\n"+indent(series))
	defer store.Close()
	engine := promqltest.NewTestEngine(t, false, 0, 100000)
	fresh := rules.NewAlertingRule(rule.Name(), rule.Query(), rule.HoldDuration(), rule.KeepFiringFor(),
		rule.Labels(), rule.Annotations(), labels.EmptyLabels(), "", false, promslog.NewNopLogger())
	fired := map[int]bool{}
	for minute := 0; minute <= 110; minute++ {
		at := time.Unix(0, 0).Add(time.Duration(minute) * time.Minute)
		if _, err := fresh.Eval(context.Background(), 0, at, query(engine, store), nil, 0); err != nil {
			t.Fatalf("evaluating %s: %v", rule.Name(), err)
		}
		fired[minute] = fresh.State() == rules.StateFiring
	}
	return fired
}

func query(engine *promql.Engine, store storage.Queryable) rules.QueryFunc {
	return rules.EngineQueryFunc(engine, store)
}

func indent(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			out.WriteString("  " + strings.TrimSpace(line) + "\n")
		}
	}
	return out.String()
}
