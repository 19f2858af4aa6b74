package server

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
)

// TestWhichPodStandsForTheReplicas goes through the rules one by one: each where the ones before it do not apply.
func TestWhichPodStandsForTheReplicas(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "guardeds"}, "web", errors.New("no right"))
	slow := errors.New("reading Deployment shop/web from karmada-apiserver: deadline exceeded")
	alive := []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}}}
	of := func(matches ...bool) (pods []candidate) {
		for _, m := range matches {
			pods = append(pods, candidate{pod: &corev1.Pod{}, known: true, matches: m})
		}
		return pods
	}
	for name, tc := range map[string]struct {
		evidence evidence
		want     string
		pods     int
		known    bool
		doubt    oracle.Doubt
	}{
		"a template":                                {evidence{templates: of(true)}, "template", 1, true, ""},
		"a template, and a live pod":                {evidence{templates: of(false), live: alive}, "template", 1, true, ""},
		"two kinds of one name, one is meant":       {evidence{templates: of(false, true)}, "template", 1, true, ""},
		"two kinds of one name, nothing tells":      {evidence{templates: of(false, false)}, "template", 2, true, ""},
		"no template, a live pod":                   {evidence{live: alive}, "livePod", 1, true, ""},
		"a template that may not be read, a pod":    {evidence{unread: forbidden, live: alive}, "livePod", 1, true, oracle.WithoutTemplate},
		"a template not read in time, a pod":        {evidence{unread: slow, live: alive}, "livePod", 1, true, oracle.WithoutTemplate},
		"nobody says which workload":                {evidence{}, "request", 1, false, ""},
		"a template that may not be read, no pod":   {evidence{unread: forbidden}, "request", 1, false, oracle.WithoutTemplate},
		"a kind that is not served any more":        {evidence{unread: template.ErrNoKind}, "request", 1, false, oracle.WithoutTemplate},
		"a template not read in time: nobody knows": {evidence{unread: slow}, "", 0, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tc.evidence.requirements = requests("1")
			tc.evidence.request = template.Synthetic(tc.evidence.requirements, "shop", "web")
			pods := tc.evidence.choose()
			if len(pods) != tc.pods {
				t.Fatalf("%d candidates, want %d", len(pods), tc.pods)
			}
			for _, pod := range pods {
				if pod.by != tc.want || pod.known != tc.known || pod.doubt != tc.doubt {
					t.Errorf("by %q, known %v, doubt %q; want %q, %v, %q", pod.by, pod.known, pod.doubt, tc.want, tc.known, tc.doubt)
				}
			}
		})
	}
}

// TestTheDocsNameTheWays: in the order in which they are tried.
func TestTheDocsNameTheWays(t *testing.T) {
	page, err := os.ReadFile("../../docs/concepts/estimator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "**Which pod is counted.**")
	table, _, _ = strings.Cut(table, "\n**")
	var documented []string
	for line := range strings.Lines(table) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			documented = append(documented, name)
		}
	}
	var tried []string
	for _, way := range standIns {
		tried = append(tried, way.name)
	}
	if !slices.Equal(documented, tried) {
		t.Errorf("the docs name %q, tried are %q", documented, tried)
	}
}
