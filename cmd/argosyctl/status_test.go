package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/internal/application"
)

// TestStatusIsAsWideAsATerminal: without -o wide a line fits a terminal, and the tag of an image, which people look for, is seen.
func TestStatusIsAsWideAsATerminal(t *testing.T) {
	image := "registry.company.example/a-team-with-a-long-name/a-service-with-a-longer-name:v1.27.3-8f31c0d"
	count := ptr.To[int64](12)
	view := application.View{Kind: "Deployment", Namespace: "shop", Name: "web", Clusters: []application.Row{
		{Cluster: "member-in-a-region", Source: application.SourceReported, Assigned: count, Current: count, Updated: count, Ready: count,
			Waiting: count, Generation: count, Images: []string{image}},
		{Cluster: "member1", Source: application.SourceMember, Images: []string{"web:v1"}},
	}}
	for name, tc := range map[string]struct {
		wide          bool
		want, wantNot []string
	}{
		"narrow": {want: []string{"…", "longer-name:v1.27.3-8f31c0d\n", " web:v1\n"}, wantNot: []string{image, "READ FROM"}},
		"wide":   {wide: true, want: []string{image, "READ FROM", "web:v1", "Reported\n", "Member\n"}, wantNot: []string{"…"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := writeView(&out, view, time.Time{}, tc.wide); err != nil {
				t.Fatal(err)
			}
			said(t, out.String(), tc.wide, tc.want, tc.wantNot)
		})
	}
}

// TestTraceIsAsWideAsATerminal cuts what a step says; what it stands at is told below in full.
func TestTraceIsAsWideAsATerminal(t *testing.T) {
	message := "the member refused it: " + strings.Repeat("quota of the namespace, ", 8) + "in the end"
	trace := application.Trace{Kind: "Deployment", Namespace: "shop", Name: "web", Steps: []application.Step{
		{Name: "template", State: "Done", Message: "generation 3"},
		{Name: "member", Cluster: "member1", State: "Failed", Message: message},
	}}
	for name, tc := range map[string]struct {
		wide          bool
		want, wantNot []string
	}{
		"narrow": {want: []string{"generation 3\n", "…\n", "the member refused it"}, wantNot: []string{"in the end"}},
		"wide":   {wide: true, want: []string{"generation 3\n", message}, wantNot: []string{"…"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := writeTrace(&out, trace, tc.wide); err != nil {
				t.Fatal(err)
			}
			said(t, out.String(), tc.wide, tc.want, tc.wantNot)
		})
	}
}

func said(t *testing.T, text string, wide bool, want, wantNot []string) {
	t.Helper()
	for _, word := range want {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not said:\n%s", word, text)
		}
	}
	for _, word := range wantNot {
		if strings.Contains(text, word) {
			t.Errorf("%q is said:\n%s", word, text)
		}
	}
	for line := range strings.Lines(text) {
		if columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); !wide && columns > narrow {
			t.Errorf("a line has %d columns:\n%s", columns, line)
		}
	}
}
