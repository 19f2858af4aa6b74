package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

func makeFedHPA() *api.FedHPA {
	return &api.FedHPA{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"},
		Spec: api.FedHPASpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MinReplicas:    2, MaxReplicas: 20,
		},
	}
}

func TestExplanationOfWhatWasJustMade(t *testing.T) {
	var out strings.Builder
	if err := (Explanation{FedHPA: makeFedHPA()}).Write(&out); err != nil {
		t.Fatal(err)
	}
	want := "FedHPA shop/web was made and not looked at yet: if this lasts, see whether argosy-controller-manager runs.\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestExplanation(t *testing.T) {
	fed := makeFedHPA()
	at := metav1.NewTime(time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC))
	fed.Status = api.FedHPAStatus{
		Phase: api.FedHPAActive, MinReplicas: 4, MaxReplicas: 20, BoundsFrom: "CronHPA nightly, rule day", ReserveReplicas: 3,
		LastDivision: &api.Division{Time: at, Reason: api.FedHPAReasonNearMax, Message: "member1 asks for 9 of at most 10"},
		Clusters: []api.FedHPAClusterStatus{
			{
				Name: "member1", State: api.ClusterActive, MinReplicas: 3, MaxReplicas: 13, CurrentReplicas: 9, DesiredReplicas: 9,
				FreeReplicas: ptr.To[int32](14), Message: "member1 got 3..13 of 4..20: 14 more fit (estimator), weight 1",
			},
			{
				Name: "member2", State: api.ClusterUnreachable, MinReplicas: 1, MaxReplicas: 4, CurrentReplicas: 2, DesiredReplicas: 2,
				Message: "member2 is unreachable, keeps its last 1..4",
			},
		},
		Conditions: []metav1.Condition{
			{Type: api.FedHPAReady, Status: metav1.ConditionTrue},
			{
				Type: api.FedHPAMembersScaling, Status: metav1.ConditionUnknown, Reason: api.FedHPAReasonMemberUnreachable,
				Message: "member2 cannot be reached", LastTransitionTime: at,
			},
		},
	}
	var out strings.Builder
	binding := &workv1alpha2.ResourceBinding{Spec: workv1alpha2.ResourceBindingSpec{Replicas: 11,
		Clusters: []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 9}, {Name: "member2", Replicas: 2}}}}
	err := Explanation{FedHPA: fed, Binding: binding, WhatIf: &split.Range{Min: 4, Max: 40}}.Write(&out)
	if err != nil {
		t.Fatal(err)
	}
	want := `FedHPA shop/web scales Deployment web between 4 and 20 (from CronHPA nightly, rule day). Phase Active.
Divided at 2026-05-01 10:00:00 UTC because member1 asks for 9 of at most 10 (ClusterNearMax).
3 of maxReplicas fit in no cluster and stay in reserve.

CLUSTER  STATE        MIN  MAX  RUNS  ASKS
member1  Active       3    13   9     9
member2  Unreachable  1    4    2     2

member1 got 3..13 of 4..20: 14 more fit (estimator), weight 1
member2 is unreachable, keeps its last 1..4

Scheduling result: member1=9,member2=2 (sum 11, replicas 11).
Members ask for: member1=9,member2=2.
MembersScaling is Unknown since 10:00:00 UTC: member2 cannot be reached (MemberUnreachable)

With 4..40, and the room known at the last division:
CLUSTER    MIN  MAX  ROOM
member1    3    23   14
member2    1    4    unknown
(reserve)       13   
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

// What ails every member alike is said once, in the conditions too.
func TestExplanationSaysAlikeOnce(t *testing.T) {
	fed := makeFedHPA()
	const ill = "the member's autoscaler cannot scale: no metrics"
	fed.Status = api.FedHPAStatus{Phase: api.FedHPAActive, MinReplicas: 4, MaxReplicas: 20, Clusters: []api.FedHPAClusterStatus{
		{Name: "member1", State: api.ClusterActive, Message: ill},
		{Name: "member2", State: api.ClusterActive, Message: "member2 got 1..4 of 4..20"},
		{Name: "member3", State: api.ClusterActive, Message: ill},
	}, Conditions: []metav1.Condition{
		{
			Type: api.FedHPAMembersScaling, Status: metav1.ConditionFalse, Reason: api.FedHPAReasonMemberNotScaling,
			Message: "member1, member3: " + ill,
		},
	}}
	var out strings.Builder
	if err := (Explanation{FedHPA: fed}).Write(&out); err != nil {
		t.Fatal(err)
	}
	if want := "\nmember1, member3: " + ill + "\nmember2 got 1..4 of 4..20\n\n"; !strings.Contains(out.String(), want) {
		t.Errorf("got\n%s\nwant in it\n%s", out.String(), want)
	}
	if want := "member1, member3: see above (MemberNotScaling)\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got\n%s\nwant at its end\n%s", out.String(), want)
	}
}
