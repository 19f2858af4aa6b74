package plan

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

func TestDivide(t *testing.T) {
	for name, tc := range map[string]struct {
		n       int
		weights []int32
		want    []int
	}{
		"twenty by 1:2:7":       {n: 20, weights: []int32{1, 2, 7}, want: []int{2, 4, 14}},
		"five by 1:2:7":         {n: 5, weights: []int32{1, 2, 7}, want: []int{1, 1, 3}},
		"one by 1:2:7":          {n: 1, weights: []int32{1, 2, 7}, want: []int{1}},
		"two: no empty batches": {n: 2, weights: []int32{1, 2, 7}, want: []int{1, 1}},
		"no weights: 1:2:7":     {n: 10, want: []int{1, 2, 7}},
		"all at once":           {n: 7, weights: []int32{1}, want: []int{7}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Divide(tc.n, tc.weights)); diff != "" {
				t.Errorf("batches (-want +got):\n%s", diff)
			}
		})
	}
}

// However states fall, nothing of a batch may open while one before it is not done, and everybody is in one batch.
func TestTurnsKeepTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Listed {
			return Listed{Environment: rapid.SampledFrom(environments).Draw(t, "environment"), State: State(rapid.IntRange(0, 4).Draw(t, "state"))}
		}), 1, 60).Draw(t, "entries")
		turns, sums := Turns(entries, []int32{1, 2, 7})
		var total int32
		for _, sum := range sums {
			total += sum.Applications
		}
		listed := 0
		for i := range entries {
			if entries[i].State != Off {
				listed++
			}
		}
		if int(total) != listed {
			t.Fatalf("%d of %d applications are in the sums", total, listed)
		}
		rank := map[v1alpha1.Environment]int{v1alpha1.EnvironmentTest: 0, v1alpha1.EnvironmentPreRelease: 1, v1alpha1.EnvironmentProduction: 2}
		for i := range entries {
			if entries[i].State == Off {
				if turns[i].Open || turns[i].Prepare {
					t.Fatalf("entry %d was rolled back by hand and has turn %+v", i, turns[i])
				}
				continue
			}
			if turns[i].Batch == "" || !turns[i].Open && turns[i].Reason == "" {
				t.Fatalf("entry %d has turn %+v", i, turns[i])
			}
			for j := range entries {
				if entries[j].State == Off {
					continue
				}
				earlier := rank[entries[j].Environment] < rank[entries[i].Environment] ||
					entries[j].Environment == entries[i].Environment && turns[j].Batch < turns[i].Batch
				if turns[i].Open && earlier && entries[j].State != Done {
					t.Fatalf("entry %d may open before entry %d is done", i, j)
				}
				if turns[i].Open && entries[j].State == Failed && entries[j].Environment == entries[i].Environment && turns[j].Batch == turns[i].Batch {
					t.Fatalf("entry %d may open though entry %d of its batch failed", i, j)
				}
			}
		}
	})
}

func TestApprovers(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	at := func(minutes int) *metav1.Time {
		t := metav1.NewTime(now.Add(time.Duration(minutes) * time.Minute))
		return &t
	}
	approvals := []v1alpha1.Approval{
		{PlanHash: "aa", User: "alice", Time: at(1)}, {PlanHash: "aa", User: "alice", Time: at(2)}, {PlanHash: "aa", User: "bob", Time: at(3)},
		{PlanHash: "bb", User: "carol", Time: at(3)}, {PlanHash: "aa", User: "dave", Time: at(-1)},
		{PlanHash: "aa", Time: at(3)}, {PlanHash: "aa", User: "erin"},
	}
	if diff := cmp.Diff([]string{"alice", "bob"}, Approvers(approvals, "aa", now)); diff != "" {
		t.Errorf("approvers (-want +got):\n%s", diff)
	}
	if got := Approvers([]v1alpha1.Approval{{User: "alice", Time: at(1)}}, "", now); len(got) != 0 {
		t.Errorf("a plan without a hash is approved by %v", got)
	}
}

func TestChanged(t *testing.T) {
	before := &v1alpha1.Evidence{UID: "u", TemplateHash: "h", Revision: "1", Replicas: 2, PodCount: 2, Generation: 4,
		Pods: []v1alpha1.PodEvidence{{Name: "a", UID: "1"}, {Name: "b", UID: "2", Restarts: 3}}}
	for name, tc := range map[string]struct {
		change     func(*v1alpha1.Evidence)
		autoscaled bool
		revisions  []string
		want       string
	}{
		"nothing":                              {change: func(*v1alpha1.Evidence) {}},
		"the generation alone":                 {change: func(e *v1alpha1.Evidence) { e.Generation++ }},
		"another object":                       {change: func(e *v1alpha1.Evidence) { e.UID = "v" }, want: "another object"},
		"another pod template":                 {change: func(e *v1alpha1.Evidence) { e.TemplateHash = "g" }, want: "pod template"},
		"another revision":                     {change: func(e *v1alpha1.Evidence) { e.Revision = "2" }, want: "revision"},
		"other replicas":                       {change: func(e *v1alpha1.Evidence) { e.Replicas = 3 }, want: "replicas"},
		"a restart":                            {change: func(e *v1alpha1.Evidence) { e.Pods[1].Restarts = 4 }, want: "restarted in b (3 to 4)"},
		"a pod replaced, nobody knows by what": {change: func(e *v1alpha1.Evidence) { e.Pods[0].UID = "9" }, want: "pods are gone: a"},
		"a pod replaced by its like":           {revisions: []string{"r"}, change: func(e *v1alpha1.Evidence) { e.Pods[0].UID = "9" }},
		"a pod gone without another": {
			revisions: []string{"r"}, change: func(e *v1alpha1.Evidence) { e.Pods = e.Pods[1:]; e.PodCount = 1 },
		},
		"a pod of another revision": {
			revisions: []string{"r"}, want: "pods of revision q",
			change: func(e *v1alpha1.Evidence) { e.Pods[0].UID = "9"; e.PodRevisions = []string{"q", "r"} },
		},
		"a restart of one that stays": {
			revisions: []string{"r"}, want: "restarted in b (3 to 4)",
			change: func(e *v1alpha1.Evidence) { e.Pods[0].UID = "9"; e.Pods[1].Restarts = 4 },
		},
		"scaled out by its autoscaler": {
			autoscaled: true,
			change:     func(e *v1alpha1.Evidence) { e.Replicas = 3; e.Pods = append(e.Pods, v1alpha1.PodEvidence{UID: "3"}) },
		},
		"scaled in by its autoscaler": {
			autoscaled: true, change: func(e *v1alpha1.Evidence) { e.Replicas = 1; e.Pods = e.Pods[1:]; e.PodCount = 1 },
		},
		"more gone than it scaled in": {
			autoscaled: true, want: "pods are gone: a, b",
			change: func(e *v1alpha1.Evidence) { e.Replicas = 1; e.Pods = nil; e.PodCount = 0 },
		},
		"a restart under an autoscaler": {
			autoscaled: true, want: "restarted", change: func(e *v1alpha1.Evidence) { e.Pods[1].Restarts = 9 },
		},
		"fewer than a list that was full": {change: func(e *v1alpha1.Evidence) { e.PodCount = 1; e.Pods = nil }, want: "pods are gone"},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := before.DeepCopy(), before.DeepCopy()
			before.PodRevisions, after.PodRevisions = tc.revisions, tc.revisions
			tc.change(after)
			got := changed(before, after, tc.autoscaled)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("changed: %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	live := object(t, `{apiVersion: v1, kind: Service, metadata: {name: web, uid: u, generation: 1,
		labels: {team: shop}, annotations: {note: a}}, spec: {ports: [{port: 80}]}, status: {x: 1}}`)
	for name, tc := range map[string]struct {
		planned string
		want    []v1alpha1.FieldChange
	}{
		"only what the server counts": {
			planned: `{apiVersion: v1, kind: Service, metadata: {name: web, uid: u, generation: 9, resourceVersion: "7",
			labels: {team: shop}, annotations: {note: a}}, spec: {ports: [{port: 80}]}}`},
		"Karmada's metadata": {
			planned: `{apiVersion: v1, kind: Service, metadata: {name: web, uid: u,
				labels: {team: shop, karmada.io/managed: "true"}, annotations: {note: a, work.karmada.io/name: w}}, spec: {ports: [{port: 80}]}}`,
			want: []v1alpha1.FieldChange{
				{Path: `metadata.annotations["work.karmada.io/name"]`, Kind: v1alpha1.ChangeBookkeeping, Planned: `"w"`},
				{Path: `metadata.labels["karmada.io/managed"]`, Kind: v1alpha1.ChangeBookkeeping, Planned: `"true"`},
			},
		},
		"someone's label, and a port": {
			planned: `{apiVersion: v1, kind: Service, metadata: {name: web, uid: u,
				labels: {team: bank}, annotations: {note: a}}, spec: {ports: [{port: 81}]}}`,
			want: []v1alpha1.FieldChange{
				{Path: "metadata.labels.team", Kind: v1alpha1.ChangeHarmful, Live: `"shop"`, Planned: `"bank"`},
				{Path: "spec.ports[0].port", Kind: v1alpha1.ChangeHarmful, Live: "80", Planned: "81"},
			},
		},
		"an owner": {
			planned: `{apiVersion: v1, kind: Service, metadata: {name: web, uid: u,
				ownerReferences: [{name: o}], labels: {team: shop}, annotations: {note: a}}, spec: {ports: [{port: 80}]}}`,
			want: []v1alpha1.FieldChange{{Path: "metadata.ownerReferences", Kind: v1alpha1.ChangeHarmful, Planned: `[{"name":"o"}]`}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Compare(live, object(t, tc.planned))); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	changes := Compare(object(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {key: aHVudGVyMg==}}`),
		object(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {key: b3RoZXI=}}`))
	if len(changes) != 1 || strings.Contains(changes[0].Live+changes[0].Planned, "aHVu") || strings.Contains(changes[0].Planned, "b3Ro") {
		t.Errorf("a Secret's content is in the plan: %+v", changes)
	}
}

// The plan a person approves, as it is printed.
func TestWrite(t *testing.T) {
	f := newFederation(t)
	f.need = 1
	f.settle(v1alpha1.PhaseAwaitingApproval)
	var out bytes.Buffer
	if err := Write(&out, f.status, false); err != nil {
		t.Fatal(err)
	}
	want := `Take over: plan ` + f.status.Plan.Hash + `, drawn up ` + f.status.Plan.Time.UTC().Format("2006-01-02 15:04:05 MST") + `

cluster a (6 replicas)
  deployment/web: unchanged, 8 bookkeeping
  configmap/web: unchanged, 7 bookkeeping
  secret/web: unchanged, 7 bookkeeping
  service/web: unchanged, 8 bookkeeping

cluster b (4 replicas)
  deployment/web: unchanged, 8 bookkeeping
  configmap/web: unchanged, 1 kept by override, 7 bookkeeping
    = data.region: "eu-b"
  secret/web: unchanged, 7 bookkeeping
  service/web: unchanged, 8 bookkeeping

Bookkeeping: labels and annotations of Karmada's, which reach no pod (see --all).
Only bookkeeping changes: no pod restarts, and nothing is deleted.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
