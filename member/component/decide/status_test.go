package decide

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// TestWhatIsInPlace: the condition Rendered and the hashes speak of what is there, not of what was asked for.
func TestWhatIsInPlace(t *testing.T) {
	workload := Key{"Deployment", "demo"}
	place := func(t *testing.T) *Input {
		in := input(t, demo())
		for _, key := range []Key{workload, {"Service", "demo"}} {
			in.live(t, key, in.Component.UID)
		}
		return in
	}
	rendered := func(status v1alpha1.ComponentStatus) string {
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRendered)
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
	hash := func(status v1alpha1.ComponentStatus) string {
		for _, r := range status.Resources {
			if r.Kind == workload.Kind {
				return r.Hash
			}
		}
		return ""
	}

	in := place(t)
	if have := rendered(Status(in, &Outcome{Live: in.Live})); !strings.HasPrefix(have, "True Rendered: 2 objects are in place") {
		t.Errorf("all in place: %s", have)
	}

	in = place(t)
	in.Live[workload].SetDeletionTimestamp(&metav1.Time{Time: time.Unix(1, 0)})
	const want = "False ObjectDeleted: Somebody deleted Deployment demo, and it is not gone yet."
	if have := rendered(Status(in, &Outcome{Live: in.Live})); !strings.HasPrefix(have, want) {
		t.Errorf("the workload is being deleted: %s", have)
	}

	in = place(t)
	in.Live[workload].SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: "before"})
	refused := []Blocked{{workload, v1alpha1.ReasonApplyRefused, "quota"}}
	if have := hash(Status(in, &Outcome{Live: in.Live, Refused: refused})); have != "before" {
		t.Errorf("the change was refused, and the hash is %q", have)
	}
}

// TestWhatFailed: what was asked of the cluster in vain is not said to be so, and its words are told.
func TestWhatFailed(t *testing.T) {
	in := input(t, demo())
	in.live(t, Key{"Service", "demo"}, in.Component.UID)
	out := &Outcome{Live: in.Live, Failed: errors.New("applying Deployment demo: etcdserver: request is too large")}
	is := func(kind, want, says string) {
		t.Helper()
		status := Status(in, out)
		c := meta.FindStatusCondition(status.Conditions, kind)
		if have := string(c.Status) + " " + c.Reason; have != want || !strings.Contains(c.Message, says) {
			t.Errorf("%s is %s: %s, want %s: %s", kind, have, c.Message, want, says)
		}
	}
	is(v1alpha1.ConditionRendered, "False ApplyFailed", "request is too large. It is tried again")

	// A Component that says it is unmanaged may be deleted, and what is still its own would go with it.
	in.Component.Annotations = map[string]string{v1alpha1.AnnotationUnmanaged: "true"}
	is(v1alpha1.ConditionUnmanaged, "False ApplyFailed", "until then they go with this Component")
	out.Failed = nil
	is(v1alpha1.ConditionUnmanaged, "True OptedOut", "outlive this Component")
}

// TestAChangeThatDoesNotComeUp: while the copies of before serve, Ready is True, and Degraded says what is in the way of the others.
func TestAChangeThatDoesNotComeUp(t *testing.T) {
	workload := Key{"Deployment", "demo"}
	stuck := []any{map[string]any{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too long"}}
	refused := []any{map[string]any{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: team"}}
	notPulled := []corev1.Pod{{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Image: "demo:1", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}},
	}}}}}
	const serves = "The version before goes on serving. Write back what spec said before, such as the image, or mend it."
	const look = "Check the name and tag of spec.image"
	for name, tc := range map[string]struct {
		// of one copy that is asked for: all there are, those of the change, and those that serve.
		replicas, updated, available int64
		conditions                   []any
		pods                         []corev1.Pod
		// each is "Status Reason", and parts of the message.
		ready, progressing, degraded []string
		// asked: its pods are looked at; again: it is looked at once more.
		asked, again bool
	}{
		"nothing known": {
			replicas: 2, updated: 1, available: 1, ready: []string{"True ReplicasReady"}, asked: true, again: true,
			progressing: []string{"True RollingOut", "1 of an earlier version are left."}, degraded: []string{"False AsAsked"},
		},
		"its image is not there": {
			replicas: 2, updated: 1, available: 1, pods: notPulled, ready: []string{"True ReplicasReady"}, asked: true, again: true,
			progressing: []string{"True RollingOut", look}, degraded: []string{"True ImageNotPulled", look, serves},
		},
		"for too long": {
			replicas: 2, updated: 1, available: 1, pods: notPulled, conditions: stuck,
			ready: []string{"True ReplicasReady"}, asked: true, again: true,
			progressing: []string{"False RolloutStuck", "it does not go on.", look, serves},
			degraded:    []string{"True ImageNotPulled", look, serves},
		},
		"for too long, and nothing known": {
			replicas: 2, updated: 1, available: 1, conditions: stuck, ready: []string{"True ReplicasReady"}, asked: true, again: true,
			progressing: []string{"False RolloutStuck", "The cluster says why (too long).", serves},
			degraded:    []string{"True RolloutStuck", "(too long)", serves},
		},
		"none serves": { // Ready says it, and one event tells of it.
			replicas: 1, updated: 1, pods: notPulled, ready: []string{"False ImageNotPulled", look}, asked: true, again: true,
			progressing: []string{"True RollingOut", look}, degraded: []string{"False AsAsked", "see the condition Ready"},
		},
		"a quota": {
			replicas: 1, available: 1, conditions: refused, ready: []string{"True ReplicasReady"}, asked: true, again: true,
			progressing: []string{"True RollingOut"}, degraded: []string{"True PodsRefused", "(exceeded quota: team)", serves},
		},
		"it is through": {
			replicas: 1, updated: 1, available: 1, pods: notPulled, ready: []string{"True ReplicasReady"},
			progressing: []string{"False RolloutComplete"}, degraded: []string{"False AsAsked"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, demo())
			live := in.live(t, workload, in.Component.UID)
			live.Object["status"] = map[string]any{
				"replicas": tc.replicas, "updatedReplicas": tc.updated, "availableReplicas": tc.available, "conditions": tc.conditions,
			}
			out := Status(in, &Outcome{Live: in.Live, Pods: tc.pods})
			for kind, want := range map[string][]string{
				v1alpha1.ConditionReady: tc.ready, v1alpha1.ConditionProgressing: tc.progressing, v1alpha1.ConditionDegraded: tc.degraded,
			} {
				c := meta.FindStatusCondition(out.Conditions, kind)
				if have := string(c.Status) + " " + c.Reason; have != want[0] {
					t.Errorf("%s is %s, want %s", kind, have, want[0])
				}
				for _, part := range want[1:] {
					if !strings.Contains(c.Message, part) {
						t.Errorf("%s says %q, want %q in it", kind, c.Message, part)
					}
				}
			}
			if _, asked := Missing(in, live); asked != tc.asked {
				t.Errorf("its pods are looked at: %v", asked)
			}
			if _, again := Waits(&out); again != tc.again {
				t.Errorf("it is looked at again: %v", again)
			}
		})
	}
}
