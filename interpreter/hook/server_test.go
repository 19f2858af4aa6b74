package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// dividerFunc is a Divider of a function.
type dividerFunc func() ([]workv1alpha2.TargetCluster, error)

func (f dividerFunc) Division(context.Context, *unstructured.Unstructured, int32) (Division, error) {
	clusters, err := f()
	return Division{Clusters: clusters}, err
}

func (f dividerFunc) Duplicated(context.Context, *unstructured.Unstructured) (bool, error) {
	clusters, err := f()
	return clusters == nil, err
}

// newHandler is a handler with the real families, one that panics, and a divider.
func newHandler(t testing.TB, divider Divider) *Handler {
	t.Helper()
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	broken := &family.Family{
		Name:  "broken",
		Kinds: []schema.GroupVersionKind{{Group: "test", Version: "v1", Kind: "Broken"}},
		InterpretHealth: func(*unstructured.Unstructured) (bool, error) {
			panic("a defect in a rule")
		},
		Retain: func(_, _ *unstructured.Unstructured) (edit.List, error) {
			return edit.List{edit.Set("a", "spec", "one"), edit.Set("b", "kind", "below", "a", "string")}, nil
		},
	}
	return &Handler{
		Catalog: interpreter.NewCatalog(append(interpreter.Families(), broken)),
		Divider: divider,
		Members: gone{},
		Metrics: m,
		Events:  &record.FakeRecorder{},
		Clock:   clock.RealClock{},
		Log:     logr.Discard(),
	}
}

// gone says why members cannot be asked; an error stands for all.
type gone map[string]string

func (g gone) Unreachable(_ context.Context, cluster string) (string, error) {
	if why, ok := g["*"]; ok {
		return "", errors.New(why)
	}
	return g[cluster], nil
}

func noBinding() ([]workv1alpha2.TargetCluster, error) { return nil, errNoBinding }

// ask posts a body and reads the answer.
func ask(t *testing.T, h *Handler, body string) *configv1alpha1.ResourceInterpreterResponse {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body)))
	if recorder.Code != http.StatusOK {
		t.Errorf("HTTP status %d: Karmada's client reads no answer then", recorder.Code)
	}
	var out configv1alpha1.ResourceInterpreterContext
	decoder := json.NewDecoder(recorder.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&out); err != nil || out.Response == nil {
		t.Fatalf("the answer is no ResourceInterpreterContext: %v", err)
	}
	return out.Response
}

// context is a request's body.
func contextOf(operation, object, more string) string {
	var kind struct{ APIVersion, Kind string }
	_ = json.Unmarshal([]byte(object), &kind)
	gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
	return fmt.Sprintf(`{"apiVersion":"config.karmada.io/v1alpha1","kind":"ResourceInterpreterContext","request":{
		"uid":"u1","kind":{"group":%q,"version":%q,"kind":%q},"name":"web","namespace":"shop","operation":%q,"object":%s%s}}`,
		gvk.Group, gvk.Version, gvk.Kind, operation, object, more)
}

const cloneSet = `{"apiVersion":"apps.kruise.io/v1alpha1","kind":"CloneSet",
	"metadata":{"name":"web","namespace":"shop","generation":3,"unknown":{"kept":1.5}},
	"spec":{"replicas":10,"updateStrategy":{"partition":9}}}`

func TestReviseReplicaReadsTheDivision(t *testing.T) {
	for name, tc := range map[string]struct {
		divider dividerFunc
		object  string
		want    string
	}{
		"exact": {
			divider: func() ([]workv1alpha2.TargetCluster, error) {
				return []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 6}}, nil
			},
			object: cloneSet,
			want: `[{"op":"add","path":"/spec/updateStrategy/partition","value":4},
				{"op":"add","path":"/metadata/annotations","value":{}},
				{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1partition-by-cluster","value":"member1=4,member2=5"},
				{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1divided","value":"partition=4"},
				{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1replicas-by-cluster","value":"member1=4,member2=6"},
				{"op":"add","path":"/spec/replicas","value":4}]`,
		},
		"careful where nobody divides": {
			divider: noBinding,
			object:  cloneSet,
			want: `[{"op":"add","path":"/spec/updateStrategy/partition","value":4},
				{"op":"add","path":"/spec/replicas","value":4}]`,
		},
		"no read where nothing is to be divided": {
			divider: func() ([]workv1alpha2.TargetCluster, error) {
				t.Error("the binding was read though nothing is to be divided")
				return nil, nil
			},
			object: strings.Replace(cloneSet, `"partition":9`, `"partition":0`, 1),
			want:   `[{"op":"add","path":"/spec/replicas","value":4}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, newHandler(t, tc.divider), contextOf("ReviseReplica", tc.object, `,"replicas":4`))
			if !got.Successful || got.UID != "u1" {
				t.Fatalf("refused: %+v", got)
			}
			var want, have any
			if err := errors.Join(json.Unmarshal([]byte(tc.want), &want), json.Unmarshal(got.Patch, &have)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Error(diff)
			}
			patch, err := jsonpatch.DecodePatch(got.Patch)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := patch.Apply([]byte(tc.object)); err != nil {
				t.Errorf("Karmada cannot apply the patch: %v", err)
			}
		})
	}
}

// TestWhatCannotBeDividedIsRefused: told that all is well, Karmada would never ask again for a member that got a careful number.
func TestWhatCannotBeDividedIsRefused(t *testing.T) {
	h := newHandler(t, dividerFunc(func() ([]workv1alpha2.TargetCluster, error) {
		return nil, errors.New("reading ResourceBinding shop/web-cloneset: context deadline exceeded")
	}))
	got := ask(t, h, contextOf("ReviseReplica", cloneSet, `,"replicas":4`))
	want := "dividing over the members: reading ResourceBinding shop/web-cloneset: context deadline exceeded"
	if got.Successful || got.Patch != nil || got.Status == nil || got.Status.Code != http.StatusServiceUnavailable ||
		got.Status.Message != want {
		t.Errorf("answer %+v, want a refusal that says %q", got, want)
	}
}

// TestWhatFallsShortIsToldOnce: an event when it begins, and none while the template's status says so already.
func TestWhatFallsShortIsToldOnce(t *testing.T) {
	h := newHandler(t, dividerFunc(noBinding))
	events := record.NewFakeRecorder(4)
	h.Events = events
	const members = `,"aggregatedStatus":[{"clusterName":"member1","status":{"replicas":"x"}},{"clusterName":"member2","status":7}]`
	for _, object := range []string{cloneSet, strings.Replace(cloneSet, `"spec"`,
		`"status":{"conditions":[{"type":"MembersReported","status":"False","reason":"StatusUnreadable"}]},"spec"`, 1)} {
		if got := ask(t, h, contextOf("AggregateStatus", object, members)); !got.Successful {
			t.Fatalf("one member's status stops all: %+v", got)
		}
	}
	want := `Warning StatusUnreadable not counted: aggregatedStatus[member2].status: want an object, have 7; ` +
		`aggregatedStatus[member1].status.replicas: want a whole number, have "x"`
	if have := <-events.Events; have != want || len(events.Events) != 0 {
		t.Errorf("event %q and %d more, want one: %q", have, len(events.Events), want)
	}
}

// TestAMemberThatCannotBeAsked does not count as ready; where it cannot be known whether it can, Karmada asks again.
func TestAMemberThatCannotBeAsked(t *testing.T) {
	h := newHandler(t, dividerFunc(noBinding))
	const members = `,"aggregatedStatus":[{"clusterName":"member1","status":{"readyReplicas":2}},` +
		`{"clusterName":"member2","status":{"readyReplicas":3}}]`
	h.Members = gone{"member2": "Ready is False"}
	got := ask(t, h, contextOf("AggregateStatus", cloneSet, members))
	for _, want := range []string{`"readyReplicas":2`, `"reason":"MemberUnreachable"`, `member2 cannot be asked (Ready is False)`,
		`"lastTransitionTime":"2`} {
		if !strings.Contains(string(got.Patch), want) {
			t.Errorf("no %s in %s", want, got.Patch)
		}
	}
	h.Members = gone{"*": "reading Cluster member1: not synced"}
	got = ask(t, h, contextOf("AggregateStatus", cloneSet, members))
	if got.Successful || got.Status.Code != http.StatusServiceUnavailable ||
		got.Status.Message != "aggregating the members' statuses: reading Cluster member1: not synced" {
		t.Errorf("answer %+v, want a refusal", got)
	}
}

// TestARolloutUnderWayIsNoNews: each begins with fewer than asked. More than asked is told also where fewer were said before.
func TestARolloutUnderWayIsNoNews(t *testing.T) {
	h := newHandler(t, dividerFunc(noBinding))
	events := record.NewFakeRecorder(4)
	h.Events = events
	behind := strings.Replace(cloneSet, `"spec"`,
		`"status":{"conditions":[{"type":"RolloutAsAsked","status":"False","reason":"FewerUpdated"}]},"spec"`, 1)
	status := func(updated int) string {
		return fmt.Sprintf(`,"aggregatedStatus":[{"clusterName":"a","status":{"replicas":10,"readyReplicas":10,"updatedReplicas":%d,
			"generation":1,"observedGeneration":1,"resourceTemplateGeneration":3}}]`, updated)
	}
	for updated, want := range map[int]string{0: "FewerUpdated", 2: "MoreUpdated"} {
		if got := ask(t, h, contextOf("AggregateStatus", behind, status(updated))); !strings.Contains(string(got.Patch), want) {
			t.Errorf("no %s in %s", want, got.Patch)
		}
	}
	if have := <-events.Events; len(events.Events) != 0 || !strings.HasPrefix(have, "Warning MoreUpdated asked 1 of 10 updated, 2 are") {
		t.Errorf("event %q and %d more, want one of MoreUpdated", have, len(events.Events))
	}
}

// TestEachMemberMayHaveThemAll: of a workload whose members have all replicas each, what is asked is asked of each.
func TestEachMemberMayHaveThemAll(t *testing.T) {
	const members = `,"aggregatedStatus":[
		{"clusterName":"a","status":{"replicas":10,"readyReplicas":10,"updatedReplicas":1,
			"generation":1,"observedGeneration":1,"resourceTemplateGeneration":3}},
		{"clusterName":"b","status":{"replicas":10,"readyReplicas":10,"updatedReplicas":0,
			"generation":1,"observedGeneration":1,"resourceTemplateGeneration":3}}]`
	for name, tc := range map[string]struct {
		divider dividerFunc
		want    string
		refused string
	}{
		"duplicated": {
			divider: func() ([]workv1alpha2.TargetCluster, error) { return nil, nil },
			want:    "asked 1 of 10 updated in each member, 1 are: a 1 of 10, b 0 of 10",
		},
		"divided, replicas on their way": {
			divider: func() ([]workv1alpha2.TargetCluster, error) { return []workv1alpha2.TargetCluster{{Name: "a"}}, nil },
		},
		"nobody knows": {divider: noBinding},
		"it cannot be read": {
			divider: func() ([]workv1alpha2.TargetCluster, error) { return nil, errors.New("no answer") },
			refused: "aggregating the members' statuses: no answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, newHandler(t, tc.divider), contextOf("AggregateStatus", cloneSet, members))
			switch {
			case tc.refused != "":
				if got.Successful || got.Status.Code != http.StatusServiceUnavailable || got.Status.Message != tc.refused {
					t.Errorf("answer %+v, want a refusal", got)
				}
			case !strings.Contains(string(got.Patch), tc.want) || tc.want == "" && strings.Contains(string(got.Patch), "asked"):
				t.Errorf("said %s, want %q", got.Patch, tc.want)
			}
		})
	}
}

// TestNamesOnATemplateAreAnswered: they reach no member, and whoever wrote them is told what does.
func TestNamesOnATemplateAreAnswered(t *testing.T) {
	h := newHandler(t, dividerFunc(noBinding))
	events := record.NewFakeRecorder(4)
	h.Events = events
	object := strings.Replace(cloneSet, `"replicas":10`, `"replicas":10,"scaleStrategy":{"podsToDelete":["web-a"]}`, 1)
	if got := ask(t, h, contextOf("ReviseReplica", object, `,"replicas":4`)); !got.Successful {
		t.Fatalf("refused: %+v", got)
	}
	want := "Warning PodsToDeleteIgnored spec.scaleStrategy.podsToDelete names web-a and reaches no member: name them in a PodScaleIn " +
		"(argosyctl scalein), which tells each member its own"
	if len(events.Events) != 1 {
		t.Fatalf("%d events, want one", len(events.Events))
	}
	if have := <-events.Events; have != want {
		t.Errorf("event %q, want %q", have, want)
	}
}

// TestEveryVersionIsRead: Karmada speaks in the version karmada-apiserver prefers, which a new CRD changes.
func TestEveryVersionIsRead(t *testing.T) {
	for _, object := range []string{
		`{"apiVersion":"apps.kruise.io/v1","kind":"CloneSet"}`, `{"apiVersion":"apps.kruise.io/v1alpha1","kind":"StatefulSet"}`,
		`{"apiVersion":"apps.kruise.io/v1beta1","kind":"DaemonSet"}`,
	} {
		if got := ask(t, newHandler(t, dividerFunc(noBinding)), contextOf("InterpretHealth", object, "")); !got.Successful || got.Healthy == nil {
			t.Errorf("%s: %+v", object, got)
		}
	}
}

func TestMalformedIsRefusedByTheFieldsName(t *testing.T) {
	const broken = `{"apiVersion":"test/v1","kind":"Broken"}`
	for name, tc := range map[string]struct {
		body     string
		want     string
		wantCode int32
		wantUID  string
	}{
		"empty":                  {body: "", want: "reading the ResourceInterpreterContext: unexpected end", wantCode: 400},
		"no JSON":                {body: "<xml/>", want: "invalid character '<'", wantCode: 400},
		"cut short":              {body: contextOf("Retain", cloneSet, "")[:200], want: "unexpected end", wantCode: 400},
		"more than one document": {body: contextOf("InterpretHealth", cloneSet, "") + "{}", want: "after top-level value", wantCode: 400},
		"a list":                 {body: "[]", want: "cannot unmarshal array", wantCode: 400},
		"another kind": {
			body: `{"apiVersion":"v1","kind":"Pod","request":{"uid":"u1"}}`, want: `apiVersion, kind: want config.karmada.io/v1alpha1`,
			wantCode: 400, wantUID: "u1",
		},
		"no request": {
			body: `{"apiVersion":"config.karmada.io/v1alpha1","kind":"ResourceInterpreterContext"}`, want: "request: missing", wantCode: 400,
		},
		"no uid": {
			body: strings.Replace(contextOf("InterpretHealth", cloneSet, ""), `"uid":"u1"`, `"uid":""`, 1), want: "request.uid: missing",
			wantCode: 400,
		},
		"a wrong type, the uid is answered all the same": {
			body: contextOf("ReviseReplica", cloneSet, `,"replicas":"four"`), want: "request.replicas: a string does not fit", wantCode: 400,
			wantUID: "u1",
		},
		"no operation": {body: contextOf("", cloneSet, ""), want: "request.operation: missing", wantCode: 400, wantUID: "u1"},
		"no object": {
			body: contextOf("InterpretHealth", "null", ""), want: "request.object: missing", wantCode: 400, wantUID: "u1",
		},
		"an object that is none": {
			body: contextOf("InterpretHealth", `"text"`, ""), want: "request.object: a string does not fit", wantCode: 400, wantUID: "u1",
		},
		"object of another kind": {
			body: strings.Replace(contextOf("InterpretHealth", cloneSet, ""), `"kind":"CloneSet"},"name"`, `"kind":"Other"},"name"`, 1),
			want: "request.object: it is a apps.kruise.io/v1alpha1, Kind=CloneSet", wantCode: 400, wantUID: "u1",
		},
		"Retain without observed": {
			body: contextOf("Retain", cloneSet, ""), want: "request.observedObject: missing", wantCode: 400, wantUID: "u1",
		},
		"observed of another kind": {
			body: contextOf("Retain", cloneSet, `,"observedObject":{"apiVersion":"v1","kind":"Pod"}`),
			want: "request.observedObject: it is a /v1, Kind=Pod", wantCode: 400, wantUID: "u1",
		},
		"Revise without replicas": {
			body: contextOf("ReviseReplica", cloneSet, ""), want: "request.replicas: missing", wantCode: 400, wantUID: "u1",
		},
		"negative replicas": {
			body: contextOf("ReviseReplica", cloneSet, `,"replicas":-1`), want: "request.replicas: want 0 or more, have -1", wantCode: 400,
			wantUID: "u1",
		},
		"too many replicas": {
			body: contextOf("ReviseReplica", cloneSet, `,"replicas":4294967296`), want: "request.replicas: a number 4294967296 does not fit",
			wantCode: 400, wantUID: "u1",
		},
		"an unknown kind": {
			body: contextOf("InterpretHealth", `{"apiVersion":"batch/v1","kind":"CronJob"}`, ""),
			want: "not interpreted by Argosy: kind batch/v1, Kind=CronJob", wantCode: 404, wantUID: "u1",
		},
		"an unknown kind of a version": {
			body: contextOf("InterpretHealth", `{"apiVersion":"apps.kruise.io/v9","kind":"Other"}`, ""),
			want: "not interpreted by Argosy: kind apps.kruise.io/v9", wantCode: 404, wantUID: "u1",
		},
		"an unknown operation": {
			body: contextOf("Prune", cloneSet, ""), want: `not interpreted by Argosy: operation "Prune"`, wantCode: 404, wantUID: "u1",
		},
		"a field of the wrong type": {
			body: contextOf("InterpretReplica", strings.Replace(cloneSet, `"replicas":10`, `"replicas":"ten"`, 1), ""),
			want: `spec.replicas: want a whole number, have "ten"`, wantCode: 400, wantUID: "u1",
		},
		"a rule that panics": {
			body: contextOf("InterpretHealth", broken, ""), want: "the interpreter failed on this object", wantCode: 500, wantUID: "u1",
		},
		"an edit that cannot be made": {
			body: contextOf("Retain", broken, `,"observedObject":`+broken), want: "kind: want an object, have Broken", wantCode: 400, wantUID: "u1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, newHandler(t, dividerFunc(noBinding)), tc.body)
			want := &configv1alpha1.ResourceInterpreterResponse{UID: "u1", Status: &configv1alpha1.RequestStatus{Code: tc.wantCode}}
			want.UID = "u1"
			if tc.wantUID == "" {
				want.UID = ""
			}
			if got.Status == nil || !strings.Contains(got.Status.Message, tc.want) {
				t.Fatalf("status %+v, want a message with %q", got.Status, tc.want)
			}
			want.Status.Message = got.Status.Message
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("a refusal holds nothing but its reason: %s", diff)
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	got := ask(t, newHandler(t, dividerFunc(noBinding)), strings.Repeat(" ", maxBody+1))
	if got.Successful || got.Status == nil || got.Status.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the bound: %+v", got)
	}
}

func TestOnlyPostIsAnswered(t *testing.T) {
	recorder := httptest.NewRecorder()
	newHandler(t, dividerFunc(noBinding)).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, Path, nil))
	if !strings.Contains(recorder.Body.String(), "method: want POST, have GET") {
		t.Errorf("answer to GET: %s", recorder.Body)
	}
}

func TestMetricsCountByKnownLabels(t *testing.T) {
	h := newHandler(t, dividerFunc(noBinding))
	ask(t, h, contextOf("InterpretHealth", cloneSet, ""))
	ask(t, h, contextOf("Invented", cloneSet, ""))
	ask(t, h, contextOf("InterpretHealth", `{"apiVersion":"a/b","kind":"Invented"}`, ""))
	ask(t, h, "{")
	ask(t, h, contextOf("InterpretHealth", `{"apiVersion":"test/v1","kind":"Broken"}`, ""))
	want := `
# HELP argosy_interpreter_requests_total Questions of Karmada by kind, operation and result (answered, refused, unsupported, panic).
# TYPE argosy_interpreter_requests_total counter
argosy_interpreter_requests_total{kind="Broken",operation="InterpretHealth",result="panic"} 1
argosy_interpreter_requests_total{kind="CloneSet",operation="InterpretHealth",result="answered"} 1
argosy_interpreter_requests_total{kind="CloneSet",operation="other",result="unsupported"} 1
argosy_interpreter_requests_total{kind="other",operation="other",result="refused"} 1
argosy_interpreter_requests_total{kind="other",operation="other",result="unsupported"} 1
`
	if err := testutil.CollectAndCompare(h.Metrics.requests, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// FuzzServeHTTP: whatever is sent, the answer is well-formed, and one that is no success holds no patch.
func FuzzServeHTTP(f *testing.F) {
	f.Add([]byte(contextOf("ReviseReplica", cloneSet, `,"replicas":4`)))
	f.Add([]byte(contextOf("Retain", cloneSet, `,"observedObject":`+cloneSet)))
	f.Add([]byte(
		contextOf("AggregateStatus", cloneSet,
			`,"aggregatedStatus":[{"clusterName":"m","status":{"replicas":1,"conditions":[{"type":"FailedScale","status":"True"}]}}]`)))
	for _, operation := range []string{"InterpretReplica", "InterpretComponent", "InterpretStatus", "InterpretHealth", "InterpretDependency"} {
		f.Add([]byte(contextOf(operation, cloneSet, "")))
	}
	f.Add([]byte(
		contextOf("InterpretHealth", `{"apiVersion":"apps.kruise.io/v1beta1","kind":"CloneSet","spec":{"template":{"spec":{"volumes":[{}]}}}}`,
			"")))
	h := newHandler(f, dividerFunc(func() ([]workv1alpha2.TargetCluster, error) {
		return []workv1alpha2.TargetCluster{{Name: "a", Replicas: 3}, {Name: "b", Replicas: 4}}, nil
	}))
	f.Fuzz(func(t *testing.T, body []byte) { answered(t, h, body) })
}

// answered sends a body, checks what holds for every answer, and tells whether it was a success.
func answered(t *testing.T, h *Handler, body []byte) bool {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body)))
	var out configv1alpha1.ResourceInterpreterContext
	if err := json.Unmarshal(recorder.Body.Bytes(), &out); err != nil || out.Response == nil {
		t.Fatalf("no well-formed answer: %v\n%s", err, body)
	}
	switch r := out.Response; {
	case r.Successful && r.Patch != nil:
		if _, err := jsonpatch.DecodePatch(r.Patch); err != nil {
			t.Fatalf("not a patch: %v\n%s", err, body)
		}
	case !r.Successful && (r.Patch != nil || r.Status == nil || r.Status.Message == ""):
		t.Fatalf("a refusal with a patch or without a message: %+v\n%s", r, body)
	case !r.Successful && r.Status.Code == http.StatusInternalServerError && !strings.Contains(string(body), "Broken"):
		t.Fatalf("a rule panicked: %s\n%s", r.Status.Message, body)
	}
	return out.Response.Successful
}
