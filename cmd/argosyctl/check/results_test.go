package check

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/internal/install"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// whole is an installation in which nothing is wrong.
func whole() Facts {
	return Facts{
		Client: "v0.2.0", APIServer: "v1.35.4", Kruise: true, Administrator: true,
		Served: map[string]bool{
			"cluster.karmada.io/v1alpha1": true, "config.karmada.io/v1alpha1": true, "policy.karmada.io/v1alpha1": true,
			"work.karmada.io/v1alpha2": true,
		},
		Members:   []Member{{"member1", true}, {"member2", true}},
		Compared:  30,
		Lease:     &Lease{Holder: "argosy-controller-manager-0", Renewed: now.Add(-3 * time.Second)},
		Estimated: []string{"member1", "member2"},
		Host: Host{Asked: true, Version: "v1.33.1", Namespace: "karmada-system", Programs: []Program{
			{Name: "argosy-webhook", Version: "v0.2.0", Ready: 2, Desired: 2},
		}},
	}
}

// TestJudge: one thing is altered at a time, and that one is told, as the kind of trouble it is.
func TestJudge(t *testing.T) {
	tests := map[string]struct {
		alter func(*Facts)
		check string
		want  Status
		says  string
	}{
		"unreachable":        {func(f *Facts) { f.Unreachable = errors.New("connection refused") }, "karmada-apiserver", Unknown, "refused"},
		"a member":           {func(f *Facts) { f.Served = nil }, "karmada-apiserver", Problem, "cluster.karmada.io/v1alpha1"},
		"too old":            {func(f *Facts) { f.APIServer = "v1.29.9" }, "karmada-apiserver", Problem, "1.30 is needed"},
		"version unreadable": {func(f *Facts) { f.APIServer = "main" }, "karmada-apiserver", Unknown, `"main"`},
		"kinds missing": {func(f *Facts) {
			f.Differences = []install.Difference{{Object: "CustomResourceDefinition fedhpas", Missing: true}}
		},
			"kinds and roles", Problem, "1 of 30 are not there: CustomResourceDefinition fedhpas"},
		"kinds of another version": {func(f *Facts) { f.Differences = []install.Difference{{Object: "ClusterRole argosy-edit"}} },
			"kinds and roles", Warning, "1 of 30 are not those of this argosyctl: ClusterRole argosy-edit"},
		"no right to compare": {func(f *Facts) { f.DifferencesErr = errors.New("forbidden") }, "kinds and roles", Unknown, "forbidden"},
		"never led":           {func(f *Facts) { f.Lease = nil }, "controllers", Unknown, "there is no Lease"},
		"given up":            {func(f *Facts) { f.Lease.Holder = "" }, "controllers", Problem, "no argosy-controller-manager leads"},
		"leader gone": {func(f *Facts) { f.Lease.Renewed = now.Add(-3 * time.Minute) }, "controllers", Problem,
			"argosy-controller-manager-0 led last, 3m0s ago"},
		"lease unreadable": {func(f *Facts) { f.Lease, f.LeaseErr = nil, errors.New("forbidden") }, "controllers", Unknown, "forbidden"},
		"nobody joined":    {func(f *Facts) { f.Members, f.Estimated = nil, nil }, "members", Warning, "no cluster has joined"},
		"a member away":    {func(f *Facts) { f.Members[1].Ready = false }, "members", Warning, "1 of 2 are not Ready: member2"},
		"members unknown":  {func(f *Facts) { f.Members, f.MembersErr = nil, errors.New("forbidden") }, "members", Unknown, "forbidden"},
		"no estimator":     {func(f *Facts) { f.Estimated = nil }, "estimator", Warning, "no member has an estimator"},
		"a member without estimator": {func(f *Facts) { f.Estimated = f.Estimated[:1] }, "estimator", Problem,
			"1 of 2 members have none: member2"},
		"an estimator that is gone": {func(f *Facts) { f.Deaf = []string{"localhost:9000"} }, "estimator", Problem,
			"nobody listens at localhost:9000"},
		"estimators unknown": {func(f *Facts) { f.Estimated, f.EstimatorErr = nil, errors.New("forbidden") }, "estimator", Unknown, "forbidden"},
		"host unreachable":   {func(f *Facts) { f.Host.Err = errors.New("no route") }, "programs", Unknown, "no route"},
		"nothing runs":       {func(f *Facts) { f.Host.Programs = nil }, "programs", Problem, "namespace karmada-system"},
		"a program down":     {func(f *Facts) { f.Host.Programs[0].Ready = 0 }, "argosy-webhook", Problem, "0 of 2 ready"},
		"a replica down":     {func(f *Facts) { f.Host.Programs[0].Ready = 1 }, "argosy-webhook", Warning, "1 of 2 ready"},
		"another version":    {func(f *Facts) { f.Client = "v0.3.0" }, "argosy-webhook", Warning, "this argosyctl is v0.3.0"},
	}
	if got := troubles(Judge(whole(), now)); len(got) != 0 {
		t.Fatalf("of a whole installation: %v", got)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			facts := whole()
			tt.alter(&facts)
			wantTrouble(t, Judge(facts, now), tt.check, tt.want, tt.says)
		})
	}
}

// TestWhoFindsOut: who may not compare is sent to whoever may, and who got no answer is not.
func TestWhoFindsOut(t *testing.T) {
	for want, err := range map[string]error{
		"an administrator's kubeconfig finds it out": fmt.Errorf("applying it: %w", apierrors.NewForbidden(schema.GroupResource{}, "a", nil)),
		"ask again": errors.New("Timeout: request did not complete within requested timeout"),
	} {
		if got := installed(Facts{DifferencesErr: err}); got.Status != Unknown || got.Remedy != want {
			t.Errorf("%v: %+v, want %q", err, got, want)
		}
	}
}

// TestJudgeBefore: what an installation needs, one thing altered at a time.
func TestJudgeBefore(t *testing.T) {
	tests := map[string]struct {
		alter func(*Facts)
		check string
		want  Status
		says  string
	}{
		"no administrator": {func(f *Facts) { f.Administrator = false }, "rights", Problem, "may not do everything"},
		"rights unknown":   {func(f *Facts) { f.RightsErr = errors.New("timeout") }, "rights", Unknown, "timeout"},
		"no OpenKruise":    {func(f *Facts) { f.Kruise = false }, "OpenKruise", Warning, "does not serve CloneSet"},
		"host not named":   {func(f *Facts) { f.Host = Host{} }, "host cluster", Unknown, "not asked"},
		"host too old":     {func(f *Facts) { f.Host.Version = "v1.26.3" }, "host cluster", Problem, "1.27 is needed"},
	}
	if got := troubles(JudgeBefore(ready(t, withValues(t, "")), now)); len(got) != 0 {
		t.Fatalf("with all that is needed: %v", got)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			facts := ready(t, withValues(t, ""))
			tt.alter(&facts)
			wantTrouble(t, JudgeBefore(facts, now), tt.check, tt.want, tt.says)
		})
	}
}

// TestFiveHundredMembersAway: the line stays short.
func TestFiveHundredMembersAway(t *testing.T) {
	facts := whole()
	facts.Members = make([]Member, 500)
	for _, r := range Judge(facts, now) {
		if len(r.Message) > 200 {
			t.Errorf("%s is %d characters long: %s", r.Check, len(r.Message), r.Message)
		}
	}
}

func troubles(results []Result) []Result {
	var out []Result
	for _, r := range results {
		if r.Status != OK {
			out = append(out, r)
		}
	}
	return out
}

func wantTrouble(t *testing.T, results []Result, check string, status Status, says string) {
	t.Helper()
	found := troubles(results)
	if len(found) != 1 || found[0].Check != check || found[0].Status != status || !strings.Contains(found[0].Message, says) {
		t.Errorf("got %+v, want %s %s that says %q alone", found, status, check, says)
	}
}
