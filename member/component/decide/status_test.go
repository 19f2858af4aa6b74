package decide

import (
	"strings"
	"testing"
	"time"

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
