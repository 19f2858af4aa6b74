package plan

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// TestWordsOfAnyLanguage: what people or members say is recorded in whole characters. Of half a one the API server stores another, and what
// is recorded then never equals what is decided.
func TestWordsOfAnyLanguage(t *testing.T) {
	for before := range 3 {
		words := strings.Repeat("a", before) + strings.Repeat("迁", 400)
		r := &record{now: time.Unix(0, 0), next: v1alpha1.MigrationStatus{}}
		r.condition(v1alpha1.ConditionAdvancing, metav1.ConditionFalse, v1alpha1.ReasonWriteRefused, words)
		r.history(v1alpha1.ReasonWriteRefused, words)
		said := meta.FindStatusCondition(r.next.Conditions, v1alpha1.ConditionAdvancing)
		for at, got := range map[string]string{"condition": said.Message, "history": r.next.History[0].Message} {
			if strings.ToValidUTF8(got, "?") != got {
				t.Errorf("%s: after %d bytes it ends with half a character: %q", at, before, got[len(got)-8:])
			}
			if len(got) > 1000 {
				t.Errorf("%s: %d bytes", at, len(got))
			}
		}
	}
}
