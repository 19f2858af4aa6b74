package admission

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	gateapproval "github.com/argosy-dev/argosy/internal/gate/approval"
)

func scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	out := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(out); err != nil {
		t.Fatal(err)
	}
	return out
}

// request of a user to bring an object from old to next; nil on one side is a create or a deletion.
func request(t testing.TB, user string, old, next client.Object) admission.Request {
	t.Helper()
	raw := func(object client.Object) runtime.RawExtension {
		content, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: content}
	}
	out := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Update, UserInfo: authenticationv1.UserInfo{Username: user},
	}}
	switch {
	case old == nil:
		out.Operation, out.Object = admissionv1.Create, raw(next)
	case next == nil:
		out.Operation, out.OldObject = admissionv1.Delete, raw(old)
	default:
		out.OldObject, out.Object = raw(old), raw(next)
	}
	return out
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const (
	hashNow  = "aaaaaaaaaaaaaaaa"
	hashPast = "bbbbbbbbbbbbbbbb"
)

func approval(hash, user string) v1alpha1.Approval {
	out := v1alpha1.Approval{PlanHash: hash, User: user}
	if user != "" {
		at := metav1.NewTime(noon.Add(-time.Hour))
		out.Time = &at
	}
	return out
}

func planned(approvals ...v1alpha1.Approval) *v1alpha1.Migration {
	out := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	out.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Migration"}
	out.Status.Plan = &v1alpha1.Plan{Hash: hashNow}
	out.Spec.Approvals = approvals
	return out
}

func TestApprovalsAreStampedFromTheRequest(t *testing.T) {
	handler := &Approvals{Decoder: admission.NewDecoder(scheme(t)), Clock: testingclock.NewFakePassiveClock(noon)}
	in := request(t, "bob", planned(approval(hashNow, "alice")),
		planned(approval(hashNow, "alice"), v1alpha1.Approval{PlanHash: hashNow, User: "carol"}))
	response := handler.Handle(t.Context(), in)
	if !response.Allowed {
		t.Fatalf("refused: %v", response.Result)
	}
	raw, err := json.Marshal(response.Patches)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply(in.Object.Raw)
	if err != nil {
		t.Fatal(err)
	}
	got := &v1alpha1.Migration{}
	if err := json.Unmarshal(patched, got); err != nil {
		t.Fatal(err)
	}
	if got.Spec.Approvals[0].User != "alice" || got.Spec.Approvals[0].Time.Time.Equal(noon) {
		t.Errorf("alice's approval was touched: %+v", got.Spec.Approvals[0])
	}
	if got.Spec.Approvals[1].User != "bob" || !got.Spec.Approvals[1].Time.Time.Equal(noon) {
		t.Errorf("bob approved in carol's name: %+v", got.Spec.Approvals[1])
	}
}

func rejection(user string) v1alpha1.Approval {
	out := approval(hashNow, user)
	out.Decision, out.Reason = v1alpha1.DecisionReject, "no"
	return out
}

func TestWhoMayApprove(t *testing.T) {
	harmful := planned()
	harmful.Status.Plan.Harmful = 2
	unplanned := planned()
	unplanned.Status.Plan = nil
	cutOff := planned(approval(hashNow, "bob"))
	cutOff.Status.History = []v1alpha1.HistoryEntry{{Phase: v1alpha1.PhaseCuttingOff, Time: metav1.NewTime(noon)}}
	for name, tc := range map[string]struct {
		user  string
		old   *v1alpha1.Migration
		after []v1alpha1.Approval
		want  string
	}{
		"the first approval": {user: "bob", old: planned(), after: []v1alpha1.Approval{approval(hashNow, "bob")}},
		"a second person": {
			user: "bob", old: planned(approval(hashNow, "alice")), after: []v1alpha1.Approval{approval(hashNow, "alice"), approval(hashNow, "bob")},
		},
		"the same person again": {
			user: "bob", old: planned(approval(hashNow, "bob")), after: []v1alpha1.Approval{approval(hashNow, "bob"), approval(hashNow, "bob")},
			want: "another person must",
		},
		"again, after a cut-off": {
			user: "bob", old: cutOff, after: []v1alpha1.Approval{approval(hashNow, "bob"), approval(hashNow, "bob")},
		},
		"another plan": {
			user: "bob", old: planned(), after: []v1alpha1.Approval{approval(hashPast, "bob")}, want: "is not the current one, which is " + hashNow,
		},
		"a plan that harms": {
			user: "bob", old: harmful, after: []v1alpha1.Approval{approval(hashNow, "bob")}, want: "would change 2 fields",
		},
		"no plan yet": {
			user: "bob", old: unplanned, after: []v1alpha1.Approval{approval(hashNow, "bob")}, want: "no plan yet",
		},
		"a program": {
			user: "system:serviceaccount:ci:robot", old: planned(), after: []v1alpha1.Approval{approval(hashNow, "x")}, want: "approved by people",
		},
		"one's own is withdrawn":        {user: "bob", old: planned(approval(hashNow, "bob"))},
		"another's is withdrawn":        {user: "bob", old: planned(approval(hashNow, "alice")), want: "only alice can withdraw"},
		"a past plan's approval may go": {user: "bob", old: planned(approval(hashPast, "alice"))},
		"a rejection":                   {user: "bob", old: planned(), after: []v1alpha1.Approval{rejection("bob")}},
		"a rejection beside another's approval": {
			user: "bob", old: planned(approval(hashNow, "alice")), after: []v1alpha1.Approval{approval(hashNow, "alice"), rejection("bob")},
		},
		"a rejection of a plan that harms": {user: "bob", old: harmful, after: []v1alpha1.Approval{rejection("bob")}},
		"a rejection beside one's own approval": {
			user: "bob", old: planned(approval(hashNow, "bob")), after: []v1alpha1.Approval{approval(hashNow, "bob"), rejection("bob")},
			want: "bob has decided about plan " + hashNow + " already: take that back",
		},
		"a rejection instead of one's own approval": {
			user: "bob", old: planned(approval(hashNow, "bob")), after: []v1alpha1.Approval{rejection("bob")},
		},
		"two rejections": {
			user: "bob", old: planned(rejection("bob")), after: []v1alpha1.Approval{rejection("bob"), rejection("bob")},
			want: "bob has decided about plan",
		},
		"another's rejection is withdrawn": {user: "bob", old: planned(rejection("alice")), want: "only alice can withdraw their own rejection"},
		"a program rejects": {
			user: "system:serviceaccount:ci:robot", old: planned(), after: []v1alpha1.Approval{rejection("x")}, want: "approved by people",
		},
		"an edit that is no approval": {
			user: "bob", old: planned(approval(hashNow, "alice")), after: []v1alpha1.Approval{approval(hashNow, "alice")},
		},
		"the controller's writes go past": {
			user: "system:serviceaccount:argosy-system:x", old: planned(approval(hashNow, "alice")),
			after: []v1alpha1.Approval{approval(hashNow, "alice")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			next := tc.old.DeepCopy()
			next.Spec.Approvals = tc.after
			handler := &Migrations{Decoder: admission.NewDecoder(scheme(t))}
			judge(t, handler.Handle(t.Context(), request(t, tc.user, tc.old, next)), tc.want)
		})
	}
}

func judge(t *testing.T, response admission.Response, want string) {
	t.Helper()
	message := ""
	if response.Result != nil {
		message = response.Result.Message
	}
	if response.Allowed != (want == "") || !strings.Contains(message, want) {
		t.Errorf("allowed: %v, %q; want %q", response.Allowed, message, want)
	}
}

func TestRecordsAreKept(t *testing.T) {
	handler := &Migrations{Decoder: admission.NewDecoder(scheme(t))}
	for phase, want := range map[v1alpha1.Phase]string{
		"": "", v1alpha1.PhasePending: "", v1alpha1.PhaseLeft: "",
		v1alpha1.PhaseCutOff: "argosyctl migration leave", v1alpha1.PhaseFederated: "cannot be deleted",
		v1alpha1.PhaseOpening: "cannot be deleted",
	} {
		t.Run("phase "+string(phase), func(t *testing.T) {
			old := planned()
			old.Status.Phase = phase
			judge(t, handler.Handle(t.Context(), request(t, "bob", old, nil)), want)
		})
	}
}

func TestCutOffObjectsAreKept(t *testing.T) {
	for name, tc := range map[string]struct {
		annotations map[string]string
		want        string
	}{
		"federated": {},
		"cut off": {
			annotations: map[string]string{v1alpha1.AnnotationCutOff: "deployment-web"}, want: "argosyctl migration leave -n shop deployment/web",
		},
		"its leave is prepared": {
			annotations: map[string]string{v1alpha1.AnnotationGuarded: "deployment-web"}, want: "argosyctl migration leave",
		},
		"leaving by its plan":   {annotations: map[string]string{v1alpha1.AnnotationLeaving: "deployment-web"}},
		"both: the plan counts": {annotations: map[string]string{v1alpha1.AnnotationCutOff: "x", v1alpha1.AnnotationLeaving: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			old := planned()
			old.Annotations = tc.annotations
			judge(t, (&CutOff{}).Handle(t.Context(), request(t, "bob", old, nil)), tc.want)
		})
	}
}

func whitelist(name string, entries ...v1alpha1.WhitelistEntry) *v1alpha1.MigrationWhitelist {
	out := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.MigrationWhitelistSpec{Entries: entries}}
	out.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MigrationWhitelist"}
	return out
}

func listed(apiVersion, kind, name string) v1alpha1.WhitelistEntry {
	return v1alpha1.WhitelistEntry{
		Namespace: "shop", Environment: v1alpha1.EnvironmentTest,
		WorkloadReference: v1alpha1.WorkloadReference{APIVersion: apiVersion, Kind: kind, Name: name},
	}
}

func TestWhitelistEdits(t *testing.T) {
	web := listed("apps/v1", "Deployment", "web")
	moved := web
	moved.Environment = v1alpha1.EnvironmentProduction
	frozen := whitelist("all")
	frozen.Spec.Strategy.FreezeWindows = []gatev1alpha1.FreezeWindow{
		{Name: "n", Days: []gatev1alpha1.Weekday{"Monday"}, From: "01:00", To: "02:00", TimeZone: "Mars/North"},
	}
	federated := planned()
	federated.Spec.WorkloadReference = web.WorkloadReference
	federated.Status.Phase = v1alpha1.PhaseFederated
	other := planned()
	other.Name = "statefulset-web"
	other.Spec.WorkloadReference = v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web"}
	for name, tc := range map[string]struct {
		have     []client.Object
		old, new *v1alpha1.MigrationWhitelist
		want     string
		warns    bool
	}{
		"a new one": {new: whitelist("all", web)},
		"a kind that cannot be divided": {
			new: whitelist("all", listed("batch/v1", "Job", "j")), want: "spec.entries[0] (shop/j Job): batch/v1 Job cannot be migrated",
		},
		"listed elsewhere": {
			have: []client.Object{whitelist("other", web)}, new: whitelist("all", web), want: "whitelist other lists it already",
		},
		"a zone that is none":  {new: frozen, want: `spec.strategy.freezeWindows[0].timeZone "Mars/North"`},
		"taken off: a warning": {old: whitelist("all", web), new: whitelist("all"), warns: true},
		"changed while federated": {
			have: []client.Object{federated}, old: whitelist("all", web), new: whitelist("all", moved),
			want: "its entry can be taken off, not changed",
		},
		"left alone while federated": {have: []client.Object{federated}, old: whitelist("all", web), new: whitelist("all", web)},
		"another group of that name": {
			have: []client.Object{other}, new: whitelist("all", listed("apps.kruise.io/v1beta1", "StatefulSet", "web")),
			want: "its Migration is for apiVersion apps/v1",
		},
		"deleted with entries": {old: whitelist("all", web), want: "take them off first"},
		"deleted when empty":   {old: whitelist("all")},
	} {
		t.Run(name, func(t *testing.T) {
			handler := &WhitelistChecks{
				Decoder: admission.NewDecoder(scheme(t)), Reader: fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(tc.have...).Build(),
			}
			var old, next client.Object
			if tc.old != nil {
				old = tc.old
			}
			if tc.new != nil {
				next = tc.new
			}
			response := handler.Handle(t.Context(), request(t, "admin", old, next))
			judge(t, response, tc.want)
			if (len(response.Warnings) > 0) != tc.warns {
				t.Errorf("warnings %v, want some: %v", response.Warnings, tc.warns)
			}
		})
	}
}

// The registration asks each only about those who may patch and not update; see test/integration/migration for that half.
func TestWhatApproversAndPublishersMayChange(t *testing.T) {
	const robot = "system:serviceaccount:ci:robot"
	approve := func(m *v1alpha1.Migration) { m.Spec.Approvals = []v1alpha1.Approval{approval(hashNow, "bob")} }
	release := func(m *v1alpha1.Migration) { m.Spec.ReleasedTime = &metav1.Time{Time: noon} }
	leave := func(m *v1alpha1.Migration) { m.Spec.AfterCutOff = v1alpha1.AfterCutOffLeave }
	for name, tc := range map[string]struct {
		who    *gateapproval.OwnField
		user   string
		change func(*v1alpha1.Migration)
		want   string
	}{
		"nothing":     {who: Approvers(), user: "bob", change: func(*v1alpha1.Migration) {}},
		"an approval": {who: Approvers(), user: "bob", change: approve},
		"the wish to leave": {
			who: Approvers(), user: "bob", change: leave, want: "spec.afterCutOff: bob may approve plans and no more",
		},
		"the attempt": {
			who: Approvers(), user: "bob", change: func(m *v1alpha1.Migration) { m.Spec.Attempt = 7 }, want: "spec.attempt",
		},
		"a release": {who: Approvers(), user: "bob", change: release, want: "spec.releasedTime"},
		"a finalizer": {
			who: Approvers(), user: "bob", change: func(m *v1alpha1.Migration) { m.Finalizers = []string{"a/b"} }, want: "metadata.finalizers",
		},
		"an annotation": {
			who: Approvers(), user: "bob", change: func(m *v1alpha1.Migration) { m.Annotations = map[string]string{"a": "b"} },
			want: "metadata.annotations",
		},
		"an approving service account": {
			who: Approvers(), user: robot, change: approve, want: "spec.approvals: a plan is approved by people, and " + robot,
		},
		"a service account's release": {who: Publishers(), user: robot, change: release},
		"a service account's approval": {
			who: Publishers(), user: robot, change: approve, want: "spec.approvals: a plan is approved by people, and " + robot,
		},
		"a service account's wish":   {who: Publishers(), user: robot, change: leave, want: "spec.afterCutOff"},
		"a release by a certificate": {who: Publishers(), user: "ci", change: release},
		"an approval by that": {
			who: Publishers(), user: "ci", change: approve,
			want: "spec.approvals: ci may say that it released the application and no more: whoever has the role argosy-migration-approver",
		},
	} {
		t.Run(name, func(t *testing.T) {
			next := planned()
			tc.change(next)
			judge(t, tc.who.Handle(t.Context(), request(t, tc.user, planned(), next)), tc.want)
		})
	}
}
