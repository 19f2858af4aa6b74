package fedhpa

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
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

// TestWorkRoundTrip: what is sent to a member is read back as sent, with what the member reports.
func TestWorkRoundTrip(t *testing.T) {
	sent := split.Range{Min: 2, Max: 9}
	inForce := split.Range{Min: 2, Max: 7}
	applied := metav1.Condition{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionTrue}
	cases := map[string]struct {
		condition *metav1.Condition
		status    string
		change    func(*workv1alpha1.Work, *api.FedHPA)
		want      decide.Autoscaler
	}{
		"not yet applied": {want: decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true}},
		"the member obeys older limits": {
			condition: &applied,
			status:    `{"currentReplicas":5,"desiredReplicas":6,"minReplicas":2,"maxReplicas":7}`,
			want: decide.Autoscaler{
				Sent: sent, SpecCurrent: true, Owned: true, Applied: true, InForce: &inForce, Current: 5, Desired: 6, Judged: true,
			},
		},
		"Karmada reflects counts only": {
			condition: &applied,
			status:    `{"currentReplicas":5,"desiredReplicas":6}`,
			want:      decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true, Applied: true, InForce: &sent, Current: 5, Desired: 6},
		},
		"it cannot read metrics": {
			condition: &applied,
			status: `{"currentReplicas":5,"desiredReplicas":5,"minReplicas":2,"maxReplicas":7,
				"conditions":[{"type":"ScalingActive","status":"False","reason":"FailedGetResourceMetric","message":"no metrics"}]}`,
			want: decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true, Applied: true, InForce: &inForce, Current: 5, Desired: 5,
				Judged: true,
				Fault:  "no metrics (FailedGetResourceMetric)"},
		},
		"another one selects the same pods": {
			condition: &applied,
			status: `{"currentReplicas":5,"desiredReplicas":4,"minReplicas":2,"maxReplicas":7,
				"conditions":[{"type":"ScalingActive","status":"False","reason":"AmbiguousSelector","message":"controlled by multiple HPAs"}]}`,
			want: decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true, Applied: true, InForce: &inForce, Current: 5, Desired: 4,
				Judged: true,
				Fault:  "controlled by multiple HPAs (AmbiguousSelector)", Ambiguous: true},
		},
		"its workload is gone": {
			condition: &applied,
			status: `{"currentReplicas":5,"desiredReplicas":5,"minReplicas":2,"maxReplicas":7,
				"conditions":[{"type":"AbleToScale","status":"False","reason":"FailedGetScale","message":"web not found"}]}`,
			want: decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true, Applied: true, InForce: &inForce, Current: 5, Desired: 5,
				Judged: true,
				Fault:  "web not found (FailedGetScale)", Lost: true},
		},
		"somebody scaled its workload to zero in the member": {
			condition: &applied,
			status: `{"currentReplicas":0,"desiredReplicas":0,"minReplicas":2,"maxReplicas":7,
				"conditions":[{"type":"ScalingActive","status":"False","reason":"ScalingDisabled",
					"message":"scaling is disabled since the replica count of the target is zero"}]}`,
			want: decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true, Applied: true, InForce: &inForce, Judged: true,
				Fault: "the workload stands at zero there, which switches its autoscaler off: scale it to one or more in the member (ScalingDisabled)"},
		},
		"somebody took its label off": {
			change: func(work *workv1alpha1.Work, _ *api.FedHPA) { work.Labels = nil },
			want:   decide.Autoscaler{Sent: sent, Owned: true},
		},
		"the member refuses it": {
			condition: &metav1.Condition{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionFalse, Message: "already exists"},
			want:      decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true, Message: "already exists", Refused: true},
		},
		"the connection to it broke": {
			condition: &metav1.Condition{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionFalse, Message: `Put "https://m1/x": EOF`},
			want:      decide.Autoscaler{Sent: sent, SpecCurrent: true, Owned: true, Message: `Put "https://m1/x": EOF`},
		},
		"the spec changed since": {
			change: func(_ *workv1alpha1.Work, fed *api.FedHPA) {
				fed.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
			},
			want: decide.Autoscaler{Sent: sent, Owned: true},
		},
		"somebody else's": {
			change: func(work *workv1alpha1.Work, _ *api.FedHPA) { delete(work.Annotations, api.FedHPAOwnerAnnotation) },
			want:   decide.Autoscaler{Sent: sent, SpecCurrent: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fed := makeFedHPA()
			work, err := newWork("member1", fed, sent)
			if err != nil {
				t.Fatal(err)
			}
			if tc.condition != nil {
				work.Status.Conditions = []metav1.Condition{*tc.condition}
			}
			if tc.status != "" {
				work.Status.ManifestStatuses = []workv1alpha1.ManifestStatus{{Status: &runtime.RawExtension{Raw: []byte(tc.status)}}}
			}
			if tc.change != nil {
				tc.change(work, fed)
			}
			if diff := cmp.Diff(tc.want, *autoscalerIn(work, fed)); diff != "" {
				t.Errorf("autoscalerIn (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCountsRoundTrip(t *testing.T) {
	for text, want := range map[string]decide.Counts{
		"member1=9,member2=5": {"member1": 9, "member2": 5},
		"":                    nil,
		"member1":             nil,
		"member1=x":           nil,
		"=3":                  nil,
		"member1=-1":          nil,
	} {
		got := decide.ParseCounts(text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseCounts(%q) (-want +got):\n%s", text, diff)
		}
		if want != nil && got.String() != text {
			t.Errorf("%v is written as %q, want %q", got, got.String(), text)
		}
	}
}
