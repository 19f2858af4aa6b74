package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/estimator/account"
)

func fits() []account.Workload {
	count := func(n int64) *int64 { return &n }
	answer := account.Member{Cluster: "m1", Fits: count(5), Exact: true,
		LimitedBy: map[string]int{"InterPodAffinity": 4, "NodeUnschedulable": 1},
		Nodes: []account.Node{
			{Node: "n3", Takes: 1, LimitedBy: "InterPodAffinity"}, {Node: "n1", Takes: 1, LimitedBy: "InterPodAffinity"},
			{Node: "n0", Takes: 1, LimitedBy: "InterPodAffinity"}, {Node: "n2", Takes: 1, LimitedBy: "InterPodAffinity"},
			{Node: "n9", LimitedBy: "NodeUnschedulable"},
		}}
	return []account.Workload{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web", Members: []account.Member{
		answer,
		{Cluster: "m2", Fits: count(7), TimedOut: true},
		{Cluster: "m3", Fits: count(0), Exact: true, Reason: "the member has no PriorityClass \"urgent\""},
		{Cluster: "m4", Error: "not read within 30s\nconnection refused"},
		{Cluster: "m5", Fits: count(3), Doubt: account.ForeignScheduler},
		{Cluster: "m6", Fits: count(2), Doubt: account.OlderPods},
	}}}
}

func TestFitPrintsForPeopleAndPrograms(t *testing.T) {
	for name, tc := range map[string]struct {
		options fitOptions
		want    string
	}{
		"text": {fitOptions{output: "text"}, `m1: exactly 5 fit; the next is refused by InterPodAffinity on 4 nodes, NodeUnschedulable on 1 node
  NODE                   TAKES   NEXT REFUSED BY
  n0, n1, n2 and 1 more  1 each  InterPodAffinity
  n9                     0       NodeUnschedulable
m2: at least, for time was up, 7 fit
m3: exactly 0 fit (the member has no PriorityClass "urgent")
m4: unknown: not read within 30s: connection refused
m5: at most, for no profile has the name of the pod's scheduler, 3 fit
m6: at least, for what the member adds to the pods is known from older ones only, 2 fit
`},
		"text, all nodes": {fitOptions{output: "text", allNodes: true},
			`m1: exactly 5 fit; the next is refused by InterPodAffinity on 4 nodes, NodeUnschedulable on 1 node
  NODE  TAKES  NEXT REFUSED BY
  n0    1      InterPodAffinity
  n1    1      InterPodAffinity
  n2    1      InterPodAffinity
  n3    1      InterPodAffinity
  n9    0      NodeUnschedulable
m2: at least, for time was up, 7 fit
m3: exactly 0 fit (the member has no PriorityClass "urgent")
m4: unknown: not read within 30s: connection refused
m5: at most, for no profile has the name of the pod's scheduler, 3 fit
m6: at least, for what the member adds to the pods is known from older ones only, 2 fit
`},
		"yaml": {fitOptions{output: "yaml"}, `- apiVersion: apps/v1
  kind: Deployment
  members:
  - cluster: m1
    exact: true
    fits: 5
    limitedBy:
      InterPodAffinity: 4
      NodeUnschedulable: 1
    nodes:
    - limitedBy: InterPodAffinity
      node: n3
      takes: 1
    - limitedBy: InterPodAffinity
      node: n1
      takes: 1
    - limitedBy: InterPodAffinity
      node: n0
      takes: 1
    - limitedBy: InterPodAffinity
      node: n2
      takes: 1
    - limitedBy: NodeUnschedulable
      node: n9
      takes: 0
  - cluster: m2
    exact: false
    fits: 7
    timedOut: true
  - cluster: m3
    exact: true
    fits: 0
    reason: the member has no PriorityClass "urgent"
  - cluster: m4
    error: |-
      not read within 30s
      connection refused
    exact: false
  - cluster: m5
    doubt: foreignScheduler
    exact: false
    fits: 3
  - cluster: m6
    doubt: olderPods
    exact: false
    fits: 2
  name: web
  namespace: shop
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			tc.options.Out = &out
			if err := tc.options.print(fits()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoSchedulerIsLinked: argosyctl is what people carry to their machines; 106 MB of it was too much.
func TestNoSchedulerIsLinked(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("asking what argosyctl is made of: %v", err)
	}
	for _, heavy := range []string{
		"k8s.io/kubernetes/pkg/scheduler", "k8s.io/kubernetes/pkg/apis/core/validation", "github.com/yuin/gopher-lua",
		"github.com/argosy-dev/argosy/fedhpa",
	} {
		if slices.Contains(strings.Fields(string(out)), heavy) {
			t.Errorf("argosyctl links %s (decision 0389)", heavy)
		}
	}
}

// estimatorStub stands in for argosy-estimator in the PATH: it keeps what it was asked, says something, and answers.
func estimatorStub(t *testing.T, answer string, code int) (asked func() string) {
	t.Helper()
	folder := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >%[1]s/args\ncat >%[1]s/objects\necho said >&2\ncat <<'END'\n%[2]s\nEND\nexit %[3]d\n",
		folder, answer, code)
	if err := os.WriteFile(filepath.Join(folder, estimatorProgram), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	return func() string {
		var all []byte
		for _, name := range []string{"args", "objects"} {
			content, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, content...)
		}
		return string(all)
	}
}

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"

// TestFitAsksTheEstimator: what was typed reaches the program that knows, and its answer is printed.
func TestFitAsksTheEstimator(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	list := "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: own}}\n"
	if err := os.WriteFile(file, []byte(deployment+"---\n"+list), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := estimatorStub(t, `[{"kind":"Deployment","name":"web","members":[{"cluster":"m1","fits":3,"exact":true}]}]`, 0)
	out, err := runCommand(t, "", "fit", "-f", file, "-n", "shop", "--server", "https://127.0.0.1:1", "--as", "jane", "--cluster", "m1,m2",
		"--timeout", "5s", "--all-nodes")
	if want := "m1: exactly 3 fit\n"; err != nil || !strings.HasSuffix(out, want) {
		t.Errorf("printed %q, %v; want %q", out, err, want)
	}
	want := `fit --as=jane --cluster=m1 --cluster=m2 --server=https://127.0.0.1:1 --timeout=5s
[{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"}},` +
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"own"}}]`
	if diff := cmp.Diff(want, asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestFitSaysWhatIsWrong: an unknown member and a program that refuses are no success, and neither is a program that is not there.
func TestFitSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(file, []byte(deployment), 0o600); err != nil {
		t.Fatal(err)
	}
	fit := func(t *testing.T) error {
		t.Helper()
		_, err := runCommand(t, "", "fit", "-f", file, "--server", "https://127.0.0.1:1")
		return err
	}
	t.Run("no program", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if err := fit(t); err == nil || !strings.Contains(err.Error(), "put that program of the same release beside this one") {
			t.Errorf("%v does not say what to do", err)
		}
	})
	for name, tc := range map[string]struct {
		answer string
		code   int
		want   string
	}{
		"it refused":                {"", 1, errReported.Error()},
		"a member was not read":     {`[{"members":[{"cluster":"m1","error":"gone"}]}]`, 0, errReported.Error()},
		"it printed something else": {"what?", 0, "reading the answer of "},
	} {
		t.Run(name, func(t *testing.T) {
			estimatorStub(t, tc.answer, tc.code)
			if err := fit(t); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestFitRefusesBadFlags(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no file":                    {nil, "name the workload's file with -f"},
		"a file that is not there":   {[]string{"-f", "none.yaml"}, "none.yaml"},
		"an unknown output":          {[]string{"-f", "cloneset.yaml", "-o", "table"}, `--output "table" is not known: use text, json, yaml`},
		"a kubeconfig not to be had": {[]string{"-f", "cloneset.yaml", "--kubeconfig", "none"}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runCommand(t, "", append([]string{"fit"}, tc.args...)...)
			if err == nil || errors.Is(err, errReported) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q in it; printed %q", err, tc.want, out)
			}
		})
	}
}
