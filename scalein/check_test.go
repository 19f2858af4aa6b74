package scalein

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		change     func(*facts)
		wantReason string
		wantWait   bool
		wantSays   string
	}{
		"as written": {change: func(*facts) {}},
		"no template": {
			change: func(f *facts) { f.template = nil }, wantReason: v1alpha1.ReasonTargetNotFound, wantSays: "namespace shop",
		},
		"no such kind": {
			change:     func(f *facts) { f.template, f.kindUnknown = nil, true },
			wantReason: v1alpha1.ReasonTargetKindUnknown, wantSays: "install OpenKruise's CRDs",
		},
		"an autoscaler owns the replicas": {
			change: func(f *facts) { f.owner = "FedHPA web" }, wantReason: v1alpha1.ReasonTargetOwned, wantSays: "FedHPA web",
		},
		"the members own the replicas": {
			change: func(f *facts) { f.template.retained = true }, wantReason: v1alpha1.ReasonTargetOwned, wantSays: "scalein adopt",
		},
		"cut off from the federation": {
			change: func(f *facts) { f.template.cutOff, f.owner = true, "FedHPA web" }, wantReason: v1alpha1.ReasonCutOff,
			wantSays: "scale in there",
		},
		"not propagated": {
			change: func(f *facts) { f.binding = nil }, wantReason: v1alpha1.ReasonBindingUnsettled, wantWait: true,
		},
		"duplicated": {
			change: func(f *facts) { f.binding.divided = false }, wantReason: v1alpha1.ReasonTargetNotDivided, wantSays: "Divided",
		},
		"another order": {
			change: func(f *facts) { f.busy = "PodScaleIn first" }, wantReason: v1alpha1.ReasonTargetBusy, wantWait: true, wantSays: "first",
		},
		"the scheduler is held by somebody": {
			change: func(f *facts) { f.binding.suspended = true }, wantReason: v1alpha1.ReasonBindingUnsettled, wantWait: true,
		},
		"an eviction runs": {
			change: func(f *facts) { f.binding.evicting = true }, wantReason: v1alpha1.ReasonBindingUnsettled, wantWait: true,
		},
		"the scheduler is behind": {
			change: func(f *facts) { f.template.replicas++ }, wantReason: v1alpha1.ReasonBindingUnsettled, wantWait: true,
		},
		"a member that cannot be asked is unknown": {
			change:     func(f *facts) { f.members["member1"] = member{unreachable: "connection refused"} },
			wantReason: v1alpha1.ReasonMemberUnreachable, wantWait: true, wantSays: "connection refused",
		},
		"no such pod": {
			change:     func(f *facts) { delete(f.members["member1"].pods, "member1-pod-0") },
			wantReason: v1alpha1.ReasonPodNotFound, wantSays: "member1-pod-0 of member1",
		},
		"terminating": {
			change: func(f *facts) {
				f.members["member1"].pods["member1-pod-0"] = pod{owner: "member1-uid", terminating: true}
			},
			wantReason: v1alpha1.ReasonPodTerminating,
		},
		"another's pod": {
			change:     func(f *facts) { f.members["member1"].pods["member1-pod-0"] = pod{owner: "another"} },
			wantReason: v1alpha1.ReasonPodNotOwned,
		},
		"a cluster without it": {
			change:     func(f *facts) { f.order.Spec.Pods[0].Cluster = "member9" },
			wantReason: v1alpha1.ReasonPodNotFound, wantSays: "member9",
		},
		"named twice": {
			change:     func(f *facts) { f.order.Spec.Pods = append(f.order.Spec.Pods, f.order.Spec.Pods[0]) },
			wantReason: v1alpha1.ReasonPodDuplicate,
		},
		"its cluster is found": {
			change: func(f *facts) { f.order.Spec.Pods[0].Cluster = "" },
		},
		"in two clusters": {
			change: func(f *facts) {
				f.order.Spec.Pods[0].Cluster = ""
				f.members["member2"].pods["member1-pod-0"] = pod{owner: "member2-uid"}
			},
			wantReason: v1alpha1.ReasonPodAmbiguous, wantSays: "name its cluster",
		},
		"in no cluster": {
			change:     func(f *facts) { f.order.Spec.Pods[0] = v1alpha1.PodReference{Name: "nowhere"} },
			wantReason: v1alpha1.ReasonPodNotFound, wantSays: "nowhere",
		},
		"perhaps in the one that cannot be asked": {
			change: func(f *facts) {
				f.order.Spec.Pods[0] = v1alpha1.PodReference{Name: "nowhere"}
				f.members["member2"] = member{unreachable: "timeout"}
			},
			wantReason: v1alpha1.ReasonMemberUnreachable, wantWait: true,
		},
		"below a disruption budget": {
			change: func(f *facts) {
				m := f.members["member1"]
				m.budgets = []budget{{name: "keep", allowed: 0, pods: map[string]bool{"member1-pod-0": true}}}
				f.members["member1"] = m
			},
			wantReason: v1alpha1.ReasonDisruptionBudget, wantSays: "keep",
		},
		"an unhealthy pod costs no budget": {
			change: func(f *facts) {
				m := f.members["member1"]
				m.budgets = []budget{{name: "keep", allowed: 0, pods: map[string]bool{"member1-pod-0": true}}}
				m.pods["member1-pod-0"] = pod{owner: "member1-uid"}
				f.members["member1"] = m
			},
		},
		"more than the member holds, as during a rollout, is refused for good": {
			change: func(f *facts) {
				f.binding.clusters = []clusterReplicas{{"member1", 0}, {"member2", 5}}
			},
			wantReason: v1alpha1.ReasonBindingUnsettled, wantSays: "name fewer in a new order",
		},
		"nothing would be left": {
			change: func(f *facts) {
				f.binding.clusters = []clusterReplicas{{"member1", 1}}
				f.binding.replicas, f.template.replicas = 1, 1
			},
			wantReason: v1alpha1.ReasonNoReplicaLeft,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(map[string]int32{"member1": 3, "member2": 2}, "member1-pod-0").facts()
			tc.change(&f)
			got := check(f)
			if got.reason != tc.wantReason || got.wait != tc.wantWait || !strings.Contains(got.message, tc.wantSays) {
				t.Errorf("check() = %+v, want reason %q, wait %v and a message with %q", got, tc.wantReason, tc.wantWait, tc.wantSays)
			}
			if want := []v1alpha1.ClusterScaleIn{{Name: "member1", ReplicasBefore: 3, ReplicasAfter: 2,
				Pods: []string{"member1-pod-0"}}}; tc.wantReason == "" {
				if diff := cmp.Diff(want, got.plan); diff != "" {
					t.Errorf("plan (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestARefusedOrderChangesNothing: what is refused before anything was written ends there, at once or after its time.
func TestARefusedOrderChangesNothing(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 3, "member2": 2}, "member1-pod-9")
	f.controller()
	if f.order.Status.Phase != v1alpha1.PhaseRefused || f.order.Status.CompletionTime == nil || f.template.request != "" {
		t.Errorf("status %+v, template %+v", f.order.Status, f.template)
	}
	waiting := newFederation(map[string]int32{"member1": 3, "member2": 2}, "member1-pod-0")
	waiting.binding.evicting = true
	waiting.controller()
	if waiting.order.Status.Phase != v1alpha1.PhaseChecking {
		t.Errorf("phase %s, want it to wait for what may pass", waiting.order.Status.Phase)
	}
	waiting.now = waiting.now.Add(601 * time.Second)
	waiting.controller()
	if waiting.order.Status.Phase != v1alpha1.PhaseRefused {
		t.Errorf("phase %s, want Refused after its time", waiting.order.Status.Phase)
	}
}

// TestAPodThatVanishesBeforeTheReplicasMove takes the request back: nothing was lowered yet.
func TestAPodThatVanishesBeforeTheReplicasMove(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 3, "member2": 2}, "member1-pod-0")
	f.controller()
	f.controller()
	if f.template.request == "" {
		t.Fatal("the names were not announced: the test no longer tests")
	}
	delete(f.kruise["member1"].pods, "member1-pod-0")
	f.settleDown()
	if f.order.Status.Phase != v1alpha1.PhaseRefused || f.template.request != "" || f.template.replicas != 5 || len(f.deleted) != 0 {
		t.Errorf("status %+v, template %+v, deleted %v", f.order.Status, f.template, f.deleted)
	}
}
