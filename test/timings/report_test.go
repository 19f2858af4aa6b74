package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	for name, tc := range map[string]struct {
		events []string
		want   string
	}{
		"passed: one line for the package, whatever its tests said": {
			events: []string{
				`{"Action":"start","Package":"m/argosy/a"}`,
				`{"Action":"output","Package":"m/argosy/a","Output":"federation ready\n"}`,
				`{"Action":"output","Package":"m/argosy/a","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"m/argosy/a","Test":"TestA","Output":"--- PASS: TestA (3.00s)\n"}`,
				`{"Action":"pass","Package":"m/argosy/a","Test":"TestA","Elapsed":3}`,
				`{"Action":"pass","Package":"m/argosy/a","Test":"TestB","Elapsed":61.5}`,
				`{"Action":"skip","Package":"m/argosy/a","Test":"TestC","Elapsed":90}`,
				`{"Action":"output","Package":"m/argosy/a","Output":"PASS\n"}`,
				`{"Action":"output","Package":"m/argosy/a","Output":"ok  \tm/argosy/a\t64.511s\n"}`,
				`{"Action":"pass","Package":"m/argosy/a","Elapsed":64.5}`,
			},
			want: "ok  \tm/argosy/a\t64.511s\nslowest 2 of 2 tests:\n    61.5 s  a  TestB\n     3.0 s  a  TestA\n",
		},
		"failed: all that the test and its package said": {
			events: []string{
				`{"Action":"output","Package":"m/argosy/a","Test":"TestA","Output":"    a_test.go:1: wrong\n"}`,
				`{"Action":"output","Package":"m/argosy/a","Test":"TestA","Output":"--- FAIL: TestA (0.10s)\n"}`,
				`{"Action":"fail","Package":"m/argosy/a","Test":"TestA","Elapsed":0.1}`,
				`{"Action":"output","Package":"m/argosy/a","Output":"FAIL\n"}`,
				`{"Action":"output","Package":"m/argosy/a","Output":"FAIL\tm/argosy/a\t0.2s\n"}`,
				`{"Action":"fail","Package":"m/argosy/a","Elapsed":0.2}`,
			},
			want: "    a_test.go:1: wrong\n--- FAIL: TestA (0.10s)\nFAIL\nFAIL\tm/argosy/a\t0.2s\n",
		},
		"out of time: what the test said that did not end": {
			events: []string{
				`{"Action":"output","Package":"m/argosy/a","Test":"TestA","Output":"panic: test timed out\n"}`,
				`{"Action":"output","Package":"m/argosy/a","Output":"FAIL\tm/argosy/a\t600.0s\n"}`,
				`{"Action":"fail","Package":"m/argosy/a","Elapsed":600}`,
			},
			want: "panic: test timed out\nFAIL\tm/argosy/a\t600.0s\n",
		},
		"does not compile, and words of somebody else": {
			events: []string{
				`{"ImportPath":"m/argosy/a","Action":"build-output","Output":"a.go:1: no\n"}`,
				`go: warning`,
				`{"Action":"output","Package":"m/argosy/a","Output":"FAIL\tm/argosy/a [build failed]\n"}`,
				`{"Action":"fail","Package":"m/argosy/a","Elapsed":0,"FailedBuild":"m/argosy/a"}`,
			},
			want: "a.go:1: no\ngo: warning\nFAIL\tm/argosy/a [build failed]\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(strings.Join(tc.events, "\n") + "\n")); err != nil {
				t.Fatal(err)
			}
			r.slowest(shown)
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
