package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release"
)

func underWay() *v1alpha1.Release {
	one := intstr.FromInt32(1)
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"},
		Spec: v1alpha1.ReleaseSpec{
			TargetRef: v1alpha1.TargetReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
			Stages: []v1alpha1.Stage{
				{Name: "one", Updated: &one, Gates: v1alpha1.Gates{Approvals: 2, SoakSeconds: 90}},
				{Name: "first", Clusters: &v1alpha1.ClusterSelection{Names: []string{"member1"}}}, {Name: "all"},
			},
			Approvals: []v1alpha1.Approval{{Revision: "r2", Stage: "one", User: "bob"}, {Revision: "r1", Stage: "one", User: "ann"}},
		},
		Status: v1alpha1.ReleaseStatus{
			Revision: "r2", Stage: "one", Dispatch: &v1alpha1.Dispatch{Revision: "r2", Stable: "r1"}, UpdatedText: "1/10", ReadyText: "10/10",
			Held: 2,
			Clusters: []v1alpha1.ClusterStatus{
				{Name: "member1", State: v1alpha1.ClusterPart, Revision: "r2", Replicas: 4, Wanted: 1, Updated: 1, Ready: 4},
				{Name: "member2", State: v1alpha1.ClusterHeld, Revision: "r1", Replicas: 3, Updated: -1, Ready: -1},
			},
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionAdopted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAdopted},
				{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAwaitingApproval,
					Message: "stage one has 1 of 2 approvals"},
				{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAsExpected},
			},
			History: []v1alpha1.Revision{{Name: "r1", Images: []string{"web:1"}}, {Name: "r2", Images: []string{"web:2"}}},
		},
	}
}

func TestReleaseEdits(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC))
	for name, tc := range map[string]struct {
		verb, user string
		flags      []string
		prepare    func(*v1alpha1.Release)
		want       string
		wantErr    string
		check      func(v1alpha1.ReleaseSpec) bool
	}{
		"approve": {verb: "approve", user: "ann", want: "ann approved stage one of revision r2",
			check: func(s v1alpha1.ReleaseSpec) bool {
				// That of a revision that is gone made room.
				return len(s.Approvals) == 2 && s.Approvals[1].User == "ann" && s.Approvals[1].Stage == "one" && s.Approvals[1].Time != nil
			}},
		"approve twice": {verb: "approve", user: "bob", wantErr: "another person must"},
		"approve nothing": {verb: "approve", user: "ann", prepare: func(r *v1alpha1.Release) { r.Status.Stage = "" },
			wantErr: "no stage is open"},
		"pause":  {verb: "pause", want: "paused", check: func(s v1alpha1.ReleaseSpec) bool { return s.Mode == v1alpha1.ModePause }},
		"resume": {verb: "resume", want: "goes on", check: func(s v1alpha1.ReleaseSpec) bool { return s.Mode == v1alpha1.ModeRun }},
		"promote": {verb: "promote", want: "revision r2 is opened everywhere",
			prepare: func(r *v1alpha1.Release) { r.Spec.Mode = v1alpha1.ModePause },
			check:   func(s v1alpha1.ReleaseSpec) bool { return s.Promoted == "r2" && s.Mode == v1alpha1.ModeRun }},
		"undo": {verb: "undo", want: "revision r2 is rejected: every cluster goes back to r1",
			prepare: func(r *v1alpha1.Release) { r.Spec.Promoted = "r2" },
			check:   func(s v1alpha1.ReleaseSpec) bool { return len(s.Rejected) == 1 && s.Promoted == "" }},
		"undo to an older one": {verb: "undo", flags: []string{"--to-revision=r0"},
			want: "revision r2 is rejected: every cluster goes back to r0",
			prepare: func(r *v1alpha1.Release) {
				r.Status.History = append([]v1alpha1.Revision{{Name: "r0"}}, r.Status.History...)
				r.Spec.Rejected = []string{"r0"}
			},
			check: func(s v1alpha1.ReleaseSpec) bool {
				return slices.Equal(s.Rejected, []string{"r1", "r2"}) && s.RollbackTo == "r0"
			}},
		"undo the stable one to an older": {verb: "undo", flags: []string{"--to-revision=r0"},
			want: "revision r1 is rejected: every cluster goes back to r0",
			prepare: func(r *v1alpha1.Release) {
				r.Status.History = append([]v1alpha1.Revision{{Name: "r0"}}, r.Status.History...)
				r.Status.Revision = "r1"
			},
			check: func(s v1alpha1.ReleaseSpec) bool {
				return slices.Equal(s.Rejected, []string{"r1"}) && s.RollbackTo == "r0"
			}},
		"undo to the stable one": {verb: "undo", flags: []string{"--to-revision=r1"}, want: "every cluster goes back to r1",
			check: func(s v1alpha1.ReleaseSpec) bool {
				return slices.Equal(s.Rejected, []string{"r2"}) && s.RollbackTo == ""
			}},
		"undo to nothing known":      {verb: "undo", flags: []string{"--to-revision=x"}, wantErr: "revision x is not in the history"},
		"undo to the template's own": {verb: "undo", flags: []string{"--to-revision=r2"}, wantErr: "argosyctl release promote web"},
		"report": {verb: "report", user: "ci", flags: []string{"--check=Smoke", "--result=Passed"},
			want: "check Smoke of stage one of revision r2: Passed",
			prepare: func(r *v1alpha1.Release) {
				r.Spec.Stages[0].Gates.Checks = []string{"Smoke"}
				r.Spec.Checks = []v1alpha1.Check{{Revision: "r1", Stage: "one", Name: "Load"},
					{Revision: "r2", Stage: "one", Name: "Smoke", User: "ci"},
					{Revision: "r2", Stage: "one", Name: "Smoke", User: "ann"}}
			},
			check: func(s v1alpha1.ReleaseSpec) bool {
				return len(s.Checks) == 2 && s.Checks[0].User == "ann" && s.Checks[1].User == "ci" && s.Checks[1].Result == v1alpha1.CheckPassed &&
					s.Checks[1].Time != nil
			}},
		"report nothing": {verb: "report", flags: []string{"--result=Passed"}, wantErr: "--check: name the check"},
		"report what nobody waits for": {verb: "report", flags: []string{"--check=Smok", "--result=Passed"},
			prepare: func(r *v1alpha1.Release) { r.Spec.Stages[0].Gates.Checks = []string{"Smoke"} },
			wantErr: "--check: stage one does not wait for Smok; it waits for: Smoke"},
		"report a failure that nobody asked for": {verb: "report", user: "ci", flags: []string{"--check=Other", "--result=Failed"},
			want:  "check Other of stage one of revision r2: Failed",
			check: func(s v1alpha1.ReleaseSpec) bool { return len(s.Checks) == 1 }},
		"report half": {verb: "report", flags: []string{"--check=Smoke", "--result=passed"},
			wantErr: `--result: want Passed or Failed, have "passed"`},
		"report of no stage": {verb: "report", flags: []string{"--check=Smoke", "--result=Passed"}, wantErr: "no stage is open",
			prepare: func(r *v1alpha1.Release) { r.Status.Stage = "" }},
		"undo the stable one": {verb: "undo", prepare: func(r *v1alpha1.Release) { r.Status.Revision = "r1" }, wantErr: "is the stable one"},
		"retry what is fine":  {verb: "retry", wantErr: "was not rejected"},
		"retry before a look": {verb: "retry", prepare: func(r *v1alpha1.Release) { r.Status = v1alpha1.ReleaseStatus{} },
			wantErr: "the controller has not looked at it yet"},
		"promote what has no target": {verb: "promote", wantErr: "no revision of it is known yet: the target does not exist",
			prepare: func(r *v1alpha1.Release) {
				r.Status = v1alpha1.ReleaseStatus{Conditions: []metav1.Condition{{
					Type: v1alpha1.ConditionAdopted, Status: metav1.ConditionFalse, Message: "the target does not exist: nothing is held",
				}}}
			}},
		"retry": {verb: "retry", want: "begins at the first stage", prepare: func(r *v1alpha1.Release) { r.Spec.Rejected = []string{"r2"} },
			check: func(s v1alpha1.ReleaseSpec) bool {
				return len(s.Rejected) == 0 && len(s.Approvals) == 1 && s.Approvals[0].User == "ann"
			}},
		"retry what failed": {verb: "retry", want: "begins at the first stage",
			prepare: func(r *v1alpha1.Release) { r.Status.Failure = &v1alpha1.Failure{Revision: "r2", Attempt: 1} },
			check:   func(s v1alpha1.ReleaseSpec) bool { return s.Attempt == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			of := underWay()
			if tc.prepare != nil {
				tc.prepare(of)
			}
			for _, edit := range releaseEdits(now) {
				if verb, _, _ := strings.Cut(edit.use, " "); verb != tc.verb {
					continue
				}
				set := pflag.NewFlagSet(tc.verb, pflag.ContinueOnError)
				if edit.flags != nil {
					edit.flags(set)
				}
				if err := set.Parse(tc.flags); err != nil {
					t.Fatal(err)
				}
				said, err := edit.change(of, tc.user)
				if tc.wantErr != "" {
					if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
						t.Errorf("error %v, want %q", err, tc.wantErr)
					}
					return
				}
				if err != nil || !strings.Contains(said, tc.want) || !tc.check(of.Spec) {
					t.Errorf("said %q, error %v, spec %+v", said, err, of.Spec)
				}
				return
			}
			t.Errorf("no such verb")
		})
	}
}

func TestWriteReleaseStatus(t *testing.T) {
	var out bytes.Buffer
	if err := writeReleaseStatus(&out, underWay()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Release shop/web of CloneSet web, revision r2, stable r1", "1/10 updated, 10/10 ready, 2 clusters held",
		"> one: 1 replica updated, soak 1m30s, 2 approvals", "  first: clusters member1", "  all: everything",
		"member2   Held    r1         3          0        ?         ?", "Progressing: AwaitingApproval: stage one has 1 of 2 approvals",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, not := range []string{"Adopted", "Stalled", "RolledBack"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q in\n%s", not, out.String())
		}
	}
	out.Reset()
	one := underWay()
	one.Status.Held, one.Spec.Overrides = 1, v1alpha1.OverridesHold
	one.Spec.With = []v1alpha1.WithReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "web"}}
	one.Spec.Stages[0].Gates.Approvals = 1
	if err := writeReleaseStatus(&out, one); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{", 1 cluster held\n", "With it: ConfigMap web, overrides\n", "soak 1m30s, 1 approval\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	one = underWay()
	one.Status.Revision, one.Status.ObservedGeneration = "", 1 // its template was deleted
	if err := writeReleaseStatus(&out, one); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "revision none") || strings.Contains(out.String(), "Clusters") {
		t.Errorf("without a template:\n%s", out.String())
	}
	out.Reset()
	if err := writeHistory(&out, revisionsOf(underWay())); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "*  r2") || !strings.Contains(out.String(), "=  r1") {
		t.Errorf("history:\n%s", out.String())
	}
}

func TestWritePreviews(t *testing.T) {
	object := func(image string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"image": image}}}
	}
	var out bytes.Buffer
	err := writePreviews(&out, []release.Preview{
		{Cluster: "member1", Revision: "r2", Now: object("web:2"), Then: object("web:2")},
		{Cluster: "member2", Revision: "r1", Now: object("web:1"), Then: object("web:2")},
		{Cluster: "member3", Revision: "r1", Now: object("web:1"), Then: object("web:2")},
		{Cluster: "member4", Then: object("web:2")},
		{Cluster: "member4", With: "ConfigMap web", Revision: "r1", Now: object("a"), Then: object("b")},
	}, "text")
	want := `member1: revision r2
  nothing differs
member2, member3: revision r1
  - /spec/image: "web:1"
  + /spec/image: "web:2"
member4: revision none
  has nothing of it yet
member4: ConfigMap web, revision r1
  - /spec/image: "a"
  + /spec/image: "b"
`
	if out.String() != want {
		t.Errorf("printed\n%s", out.String())
	}
	var code exitError
	if !errors.As(err, &code) || code.code != exitDiffers {
		t.Errorf("error %v", err)
	}
}
