package demo

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/pki"
)

// nowhere is a lab whose control plane nobody runs: enough for scenes that look at nothing.
func nowhere(t *testing.T) *lab.Lab {
	t.Helper()
	ca, err := pki.NewAuthority("test", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Client("jane")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := pki.WriteKubeconfig(ca.Kubeconfig("karmada", "https://127.0.0.1:1", pair), path); err != nil {
		t.Fatal(err)
	}
	return &lab.Lab{Info: lab.Info{Kubeconfigs: map[string]string{"karmada": path}}}
}

// says returns the given words one after the other, and the last for ever.
func says(words ...string) See {
	return func(context.Context) (string, error) {
		word := words[0]
		if len(words) > 1 {
			words = words[1:]
		}
		return word, nil
	}
}

// TestVerdict: a demo is worth nothing if it cannot fail.
func TestVerdict(t *testing.T) {
	const soon = 500 * time.Millisecond
	for name, tc := range map[string]struct {
		play func(context.Context, *Stage) error
		want map[string]bool
	}{
		"comes true late": {
			play: func(ctx context.Context, s *Stage) error {
				s.ExpectWithin(ctx, time.Minute, "pods", "10", says("0", "10"))
				return nil
			},
			want: map[string]bool{"pods": true},
		},
		"never comes true": {
			play: func(ctx context.Context, s *Stage) error {
				s.ExpectWithin(ctx, soon, "pods", "10", says("9"))
				return nil
			},
			want: map[string]bool{"pods": false},
		},
		"cannot be seen": {
			play: func(ctx context.Context, s *Stage) error {
				s.ExpectWithin(ctx, soon, "pods", "", func(context.Context) (string, error) { return "", errors.New("no connection") })
				return nil
			},
			want: map[string]bool{"pods": false},
		},
		"comes true and stays": {
			play: func(ctx context.Context, s *Stage) error {
				s.ExpectHeld(ctx, soon, "canary", "1", says("0", "1"))
				return nil
			},
			want: map[string]bool{"canary, held 0 s": true},
		},
		"comes true and goes on": {
			play: func(ctx context.Context, s *Stage) error {
				s.ExpectHeld(ctx, 5*time.Second, "canary", "1", says("0", "1", "3"))
				return nil
			},
			want: map[string]bool{"canary, held 5 s": false},
		},
		"in time and late": {
			play: func(_ context.Context, s *Stage) error {
				s.ExpectUnder("fast", time.Second, soon)
				s.ExpectUnder("slow", soon, time.Second)
				return nil
			},
			want: map[string]bool{"fast": true, "slow": false},
		},
		"a scene that breaks off": {
			play: func(context.Context, *Stage) error { return errors.New("no namespace") },
			want: map[string]bool{"the scene plays to its end": false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := Play(t.Context(), Options{Lab: nowhere(t), Scenes: []Scene{{Name: "s", Play: tc.play}}, Out: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			got, failed := map[string]bool{}, 0
			for _, row := range report.Rows {
				got[row.What] = row.OK
				if !row.OK {
					failed++
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if len(report.Failed()) != failed {
				t.Errorf("Failed() lists %d rows, want %d", len(report.Failed()), failed)
			}
		})
	}
}

// TestWrongIsMoreThanLate: what was only late does not fail a test; a person is shown it.
func TestWrongIsMoreThanLate(t *testing.T) {
	late := Scene{Name: "s", Play: func(_ context.Context, s *Stage) error {
		s.ExpectUnder("slow", time.Millisecond, time.Second)
		return errors.New("no namespace")
	}}
	report, err := Play(t.Context(), Options{Lab: nowhere(t), Out: t.Output(), Scenes: []Scene{late}})
	if err != nil {
		t.Fatal(err)
	}
	if failed, wrong := report.Failed(), report.Wrong(); len(failed) != 2 || len(wrong) != 1 || wrong[0].What == "slow" {
		t.Errorf("failed %v, wrong %v", failed, wrong)
	}
}

func TestTable(t *testing.T) {
	r := Report{Rows: []Row{
		{Scene: "s", What: "pods", Expected: "10", Seen: "10", OK: true},
		{
			Scene: "s", What: "members with the VMDeployment and the ConfigMap, which no policy names", Expected: "under 10 s", Seen: "0.2 s",
			OK: true,
		},
		{Scene: "s", What: "health", Expected: "Healthy", Seen: "error:\n no route", OK: false},
	}}
	var out strings.Builder
	r.Table(&out, false)
	want := `
      SCENE  WHAT                                      SEEN
ok    s      pods                                      10
ok    s      members with the VMDeployment and the     0.2 s (expected: under 10 s)
             ConfigMap, which no policy names
FAIL  s      health                                    error: no route (expected: Healthy)

1 of 3 are not as expected.
`
	trailing := regexp.MustCompile(` +\n`)
	if diff := cmp.Diff(want, trailing.ReplaceAllString(out.String(), "\n")); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestScenesAreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Scenes() {
		if s.Name == "" || s.Title == "" || s.Why == "" || s.Play == nil {
			t.Errorf("scene %q lacks a name, a title, a reason or its play", s.Name)
		}
		if names[s.Name] {
			t.Errorf("two scenes are called %q", s.Name)
		}
		names[s.Name] = true
	}
	if _, err := Select(Scenes(), []string{"hamlet"}); err == nil {
		t.Error("an unknown scene was selected")
	}
}

func TestShares(t *testing.T) {
	for name, tc := range map[string]struct {
		numbers map[string]int
		want    string
	}{
		"order does not matter": {map[string]int{"member1": 3, "member2": 4, "member3": 3}, "4+3+3"},
		"nothing":               {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Shares(tc.numbers); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSumSeries(t *testing.T) {
	const text = `# TYPE argosy_requests_total counter
argosy_requests_total{kind="CloneSet",operation="Retain",result="answered"} 3
argosy_requests_total{kind="CloneSet",operation="Retain",result="refused"} 9
argosy_requests_total{kind="Deployment",operation="Retain",result="answered"} 5
`
	got, err := sumSeries(strings.NewReader(text), "argosy_requests_total", "operation", map[string]string{"result": "answered"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"Retain": 8}, got); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
}
