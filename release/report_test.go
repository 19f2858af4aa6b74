package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/release/decide"
)

func workOf(t *testing.T, text string) *workv1alpha1.Work {
	t.Helper()
	work := &workv1alpha1.Work{}
	if err := yaml.Unmarshal([]byte(text), work); err != nil {
		t.Fatal(err)
	}
	return work
}

const reportedWork = `
metadata: {name: web, namespace: karmada-es-member1}
spec:
  workload:
    manifests:
    - apiVersion: apps/v1
      kind: Deployment
      metadata:
        name: web
        labels: {}
        annotations: {release.argosy.dev/revision: r2, release.argosy.dev/share: "2", resourcetemplate.karmada.io/generation: "5"}
      spec: {replicas: 4}
status:
  manifestStatuses:
  - identifier: {kind: Deployment, name: web, version: v1, ordinal: 0, resource: ""}
    health: Healthy
    status: {resourceTemplateGeneration: 5, generation: 3, observedGeneration: 3, replicas: 4, updatedReplicas: 2, availableReplicas: 3}
`

// TestReported: what a member said counts only when it is about this manifest.
func TestReported(t *testing.T) {
	two := int64(2)
	whole := decide.Work{Revision: "r2", Share: &two, Observed: true, Ran: true, Desired: 4, Updated: 2, Ready: 3, Old: 2, Healthy: true}
	for name, tc := range map[string]struct {
		old, new string
		want     func(decide.Work) decide.Work
	}{
		"as it is": {want: func(w decide.Work) decide.Work { return w }},
		"of the template before": {"resourceTemplateGeneration: 5", "resourceTemplateGeneration: 4",
			func(w decide.Work) decide.Work { w.Observed = false; return w }},
		"not seen by the member's": {"observedGeneration: 3", "observedGeneration: 2",
			func(w decide.Work) decide.Work { w.Observed = false; return w }},
		"not seen by the member's since it was made": {", observedGeneration: 3", "",
			func(w decide.Work) decide.Work { w.Observed, w.Ran = false, false; return w }},
		"not healthy": {"health: Healthy", "health: Unknown", func(w decide.Work) decide.Work { w.Healthy, w.Unjudged = false, true; return w }},
		"unhealthy":   {"health: Healthy", "health: Unhealthy", func(w decide.Work) decide.Work { w.Healthy = false; return w }},
		"all new":     {"updatedReplicas: 2", "updatedReplicas: 4", func(w decide.Work) decide.Work { w.Updated, w.Old = 4, 0; return w }},
		"of another object": {"{kind: Deployment, name: web,", "{kind: Deployment, name: other,",
			func(w decide.Work) decide.Work { return decide.Work{Revision: w.Revision, Share: w.Share} }},
		"scaled by the member's own HPA": {"labels: {}", "labels: {resourcetemplate.karmada.io/retain-replicas: \"true\"}",
			func(w decide.Work) decide.Work { return w }},
		"suspended": {"spec:\n  workload", "spec:\n  suspendDispatching: true\n  workload",
			func(w decide.Work) decide.Work { w.Suspended = true; return w }},
		"refused": {"status:\n  manifest",
			"status:\n  conditions: [{type: Applied, status: \"False\", message: forbidden, reason: a, lastTransitionTime: null}]\n  manifest",
			func(w decide.Work) decide.Work { w.Refused = "forbidden"; return w }},
		"the connection broke": {"status:\n  manifest",
			"status:\n  conditions: [{type: Applied, status: \"False\", message: 'Put \"https://m1/x\": EOF', reason: a, " +
				"lastTransitionTime: null}]\n  manifest",
			func(w decide.Work) decide.Work { w.Unanswered = `Put "https://m1/x": EOF`; return w }},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := reported(workOf(t, strings.Replace(reportedWork, tc.old, tc.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			want := tc.want(whole)
			if diff := cmp.Diff(&want, have); diff != "" {
				t.Errorf("(-want +have):\n%s", diff)
			}
		})
	}
	// Of held overrides the template's generation says nothing: they change without it.
	held := strings.NewReplacer("apiVersion: apps/v1\n      kind: Deployment", "apiVersion: apps.kruise.io/v1alpha1\n      kind: CloneSet",
		"{kind: Deployment,", "{kind: CloneSet,", "annotations: {", "annotations: {release.argosy.dev/overrides: r2, ").Replace(reportedWork)
	for name, tc := range map[string]struct {
		text             string
		observed, untold bool
	}{
		"of this revision":      {strings.Replace(held, "replicas: 4, up", "releaseRevision: r2, replicas: 4, up", 1), true, false},
		"of the one before":     {strings.Replace(held, "replicas: 4, up", "releaseRevision: r1, replicas: 4, up", 1), false, false},
		"of nobody knows which": {held, false, true},
		"overrides act at once": {strings.Replace(held, "release.argosy.dev/overrides: r2, ", "", 1), true, false},
		"of a Deployment's Works": {
			strings.Replace(reportedWork, "annotations: {", "annotations: {release.argosy.dev/overrides: r2, ", 1), true, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := reported(workOf(t, tc.text))
			if err != nil || have.Observed != tc.observed || have.Untold != tc.untold {
				t.Errorf("observed %t, want %t; untold %t, want %t; error %v", have.Observed, tc.observed, have.Untold, tc.untold, err)
			}
		})
	}
	bound := strings.Replace(reportedWork, "annotations: {", "annotations: {release.argosy.dev/stable: r2, release.argosy.dev/open: OPEN, ", 1)
	for open, want := range map[string]bool{"member1": true, `"*"`: false, `""`: true, `"*", release.argosy.dev/revision: r3`: true} {
		text := strings.Replace(bound, "OPEN", open, 1)
		if strings.Contains(open, "revision") {
			text = strings.Replace(text, ", release.argosy.dev/revision: r2", "", 1)
		}
		if have, err := reported(workOf(t, text)); err != nil || have.Bound != want {
			t.Errorf("open %s: bound %t, want %t; error %v", open, have.Bound, want, err)
		}
	}
	if have, err := reported(&workv1alpha1.Work{}); err != nil || have.Observed {
		t.Errorf("a Work without manifests: %+v, %v", have, err)
	}
}
