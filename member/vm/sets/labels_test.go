package sets

import (
	"strings"
	"testing"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestBadLabels: what no Server can bear is named with its field, and nothing else is in the way.
func TestBadLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		metadata v1alpha1.TemplateMeta
		want     string
	}{
		"none": {},
		"fine": {metadata: v1alpha1.TemplateMeta{
			Labels: map[string]v1alpha1.LabelValue{"app.example.com/name": "web"}, Annotations: map[string]string{"note": "any; text\n"},
		}},
		"a label's key": {
			metadata: v1alpha1.TemplateMeta{Labels: map[string]v1alpha1.LabelValue{"no such key/at/all": "x"}},
			want:     `spec.template.metadata.labels: Invalid value: "no such key/at/all"`,
		},
		"a label's value": {
			metadata: v1alpha1.TemplateMeta{Labels: map[string]v1alpha1.LabelValue{"app": "a set; rm -rf /"}},
			want:     `spec.template.metadata.labels: Invalid value: "a set; rm -rf /"`,
		},
		"an annotation's key": {
			metadata: v1alpha1.TemplateMeta{Annotations: map[string]string{"no key!": "x"}},
			want:     `spec.template.metadata.annotations: Invalid value: "no key!"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := badLabels(&tc.metadata); !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
