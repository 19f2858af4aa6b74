package mirror

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/oracle"
)

// plane is an API server that lists what it is given, watches without a word, and refuses what it is told to.
type plane struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	kinds   map[string]string
	objects map[string][]any
	groups  map[string][]metav1.APIResource
	refuse  map[string]int
	cut     context.CancelFunc
	open    context.Context

	discovered atomic.Int32
	clock      shifted
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	p := &plane{
		t: t, kinds: map[string]string{}, objects: map[string][]any{}, groups: map[string][]metav1.APIResource{}, refuse: map[string]int{},
	}
	p.open, p.cut = context.WithCancel(t.Context())
	for kind := range scheme.Scheme.AllKnownTypes() {
		plural, _ := meta.UnsafeGuessKindToResource(kind)
		prefix := "/apis/" + kind.Group + "/" + kind.Version + "/"
		if kind.Group == "" {
			prefix = "/api/v1/"
		}
		p.kinds[prefix+plural.Resource] = kind.Kind + "List"
	}
	// Every resource that a member may lack is one this has.
	for path := range absentKinds {
		at := strings.LastIndex(path, "/")
		p.groups[path[:at]] = append(p.groups[path[:at]], metav1.APIResource{
			Name: path[at+1:], Kind: strings.TrimSuffix(absentKinds[path], "List"),
		})
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	// Open watches would keep Close waiting.
	t.Cleanup(func() { p.set(nil) })
	return p
}

// set has the plane refuse these paths with these codes from now on, and break every watch; "*" is all.
func (p *plane) set(refuse map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
	p.cut()
	p.open, p.cut = context.WithCancel(context.Background())
}

func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	code, refused := p.refuse[r.URL.Path]
	if !refused {
		code, refused = p.refuse["*"]
	}
	kind, open, items := p.kinds[r.URL.Path], p.open, p.objects[r.URL.Path]
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case refused:
		w.WriteHeader(code)
		p.write(w, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code)})
	case r.URL.Path == "/version":
		p.write(w, map[string]string{"major": "1", "minor": "35"})
	case r.URL.Path == "/api" || r.URL.Path == "/apis" || strings.Count(r.URL.Path, "/") < 4 && strings.HasPrefix(r.URL.Path, "/apis/") ||
		r.URL.Path == "/api/v1":
		p.discover(w, r.URL.Path)
	case r.URL.Query().Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		p.write(w, metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: 422,
		})
	case r.URL.Query().Get("watch") != "":
		w.(http.Flusher).Flush()
		select {
		case <-open.Done():
		case <-r.Context().Done():
		}
	default:
		if items == nil {
			items = []any{}
		}
		p.write(w, map[string]any{
			"kind": kind, "apiVersion": versionOf(r.URL.Path), "metadata": map[string]any{"resourceVersion": "1"}, "items": items,
		})
	}
}

func versionOf(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path[:strings.LastIndex(path, "/")], "/apis/"), "/api/")
}

func (p *plane) discover(w http.ResponseWriter, path string) {
	switch path {
	case "/api":
		p.write(w, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	case "/apis":
		p.discovered.Add(1)
		list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		for version := range p.groups {
			group, short, _ := strings.Cut(version, "/")
			of := metav1.GroupVersionForDiscovery{GroupVersion: version, Version: short}
			list.Groups = append(list.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{of}, PreferredVersion: of})
		}
		p.write(w, list)
	default:
		version := strings.TrimPrefix(strings.TrimPrefix(path, "/apis/"), "/api/")
		p.write(w, metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version, APIResources: p.groups[version],
		})
	}
}

func (p *plane) write(w http.ResponseWriter, object any) {
	if err := json.NewEncoder(w).Encode(object); err != nil && p.t.Context().Err() == nil {
		p.t.Logf("writing: %v", err)
	}
}

// shifted is the wall clock, moved on: what is too old is so when a test says so, and not when the machine stood still.
type shifted struct {
	clock.RealClock
	by atomic.Int64
}

func (s *shifted) Now() time.Time                  { return s.RealClock.Now().Add(time.Duration(s.by.Load())) }
func (s *shifted) Since(t time.Time) time.Duration { return s.Now().Sub(t) }
func (s *shifted) pass(d time.Duration)            { s.by.Add(int64(d)) }

// freshFor and keepFor are the mirror's.
const freshFor, keepFor = time.Hour, 3 * time.Hour

// run a mirror of the plane.
func (p *plane) run(plugins oracle.Plugins, configuration string, unauthorized func()) *Mirror {
	p.t.Helper()
	parsed, err := oracle.LoadConfiguration("", plugins)
	if configuration != "" {
		parsed, err = oracle.ParseConfiguration([]byte(configuration), plugins)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	m := New(Config{
		Name: "member1", Rest: &rest.Config{Host: p.URL}, Configuration: parsed, Plugins: plugins, Clock: &p.clock,
		Unauthorized: unauthorized,
		ProbeEvery:   20 * time.Millisecond, ProbeTimeout: time.Minute, FreshFor: freshFor, KeepFor: keepFor,
	})
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	p.t.Cleanup(func() {
		cancel()
		<-ended
	})
	return m
}

// wait until the mirror is in the state.
func (p *plane) wait(m *Mirror, want State) {
	p.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(3 * time.Minute)
	for m.State() != want {
		select {
		case <-ticker.C:
		case <-late:
			p.t.Fatalf("the mirror is %s, want %s: %v", m.State(), want, m.Details().Problem)
		}
	}
}

// refused waits until the mirror has noticed that one of its watches is refused, which makes no difference before it is for long.
func (p *plane) refused(m *Mirror) {
	p.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(3 * time.Minute)
	for m.Details().RefusedWatches != 1 {
		select {
		case <-ticker.C:
		case <-late:
			p.t.Fatalf("the mirror did not notice: %+v", m.Details())
		}
	}
	if m.State() != Fresh {
		p.t.Errorf("the mirror is %s at once", m.State())
	}
	p.clock.pass(freshFor)
	p.wait(m, Stale)
}

// TestRefusedWatches: a member that answers the probe and refuses one of the watches is not known any better than one that is away; the
// mirror says which, and begins anew once the member lets it.
func TestRefusedWatches(t *testing.T) {
	p := newPlane(t)
	m := p.run(oracle.Plugins{}, "", nil)
	p.wait(m, Fresh)
	before, err := m.Member()
	if err != nil {
		t.Fatal(err)
	}
	p.set(map[string]int{"/api/v1/pods": http.StatusForbidden})
	p.refused(m)
	if d := m.Details(); d.RefusedWatches != 1 || d.Problem == nil || !strings.Contains(d.Problem.Error(), "/api/v1/pods: 403 Forbidden") {
		t.Errorf("details %+v", d)
	}
	p.clock.pass(keepFor)
	p.wait(m, Lost)
	if _, err := m.Member(); err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("a lost member is answered for, or without a reason: %v", err)
	}
	discovered := p.discovered.Load()
	for p.discovered.Load() == discovered {
		if t.Context().Err() != nil {
			t.Fatal("never begun anew")
		}
		<-time.After(10 * time.Millisecond)
	}
	p.set(nil)
	p.wait(m, Fresh)
	after, err := m.Member()
	if err != nil {
		t.Fatal(err)
	}
	if after == before {
		t.Error("the mirror was not made anew")
	}
	if d := m.Details(); d.RefusedWatches != 0 || d.Problem != nil {
		t.Errorf("details %+v of a member that answers", d)
	}
}

// TestARefusedTokenIsNoticedAtOnce, long before what is known is too old.
func TestARefusedTokenIsNoticedAtOnce(t *testing.T) {
	p := newPlane(t)
	var told atomic.Int32
	m := p.run(oracle.Plugins{}, "", func() { told.Add(1) })
	p.wait(m, Fresh)
	p.set(map[string]int{"*": http.StatusUnauthorized})
	p.wait(m, Stale)
	if age := m.Age(); age > m.config.FreshFor || told.Load() == 0 {
		t.Errorf("noticed after %s, told %d times", age, told.Load())
	}
	p.set(nil)
	p.wait(m, Fresh)
}

// groups is a plugin that looks at a kind Kubernetes does not have.
type groups struct{}

func (groups) Name() string { return "Groups" }

func (groups) Filter(context.Context, fwk.CycleState, *corev1.Pod, fwk.NodeInfo) *fwk.Status {
	return nil
}

func (groups) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{{Event: fwk.ClusterEvent{Resource: "podgroups.v1alpha1.scheduling.example.com", ActionType: fwk.Add}}},
		nil
}

// TestInformersOfPlugins: a plugin that reads a kind of its own, as Coscheduling does, is waited for, and not for ever.
func TestInformersOfPlugins(t *testing.T) {
	p := newPlane(t)
	p.kinds["/apis/scheduling.example.com/v1alpha1/podgroups"] = "PodGroupList"
	plugins := oracle.Plugins{Factories: frameworkruntime.Registry{
		"Groups": func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) { return groups{}, nil },
	}}
	m := p.run(plugins, `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
  plugins: {multiPoint: {enabled: [{name: Groups}]}}
`, nil)
	p.wait(m, Fresh)
	p.set(map[string]int{"/apis/scheduling.example.com/v1alpha1/podgroups": http.StatusForbidden})
	p.refused(m)
}

// TestDaemonSetsOfOpenKruise: what they are still to put on a node is no room; a member that does not let us read them is mirrored all the
// same.
func TestDaemonSetsOfOpenKruise(t *testing.T) {
	const path = "/apis/apps.kruise.io/v1alpha1/daemonsets"
	for name, tc := range map[string]struct {
		refuse map[string]int
		want   int64
	}{
		"foreseen": {want: 2},
		"refused":  {refuse: map[string]int{path: http.StatusForbidden}, want: 4},
		// Then the mirror waits, and is not made without them.
		"not answered at first": {refuse: map[string]int{path: http.StatusServiceUnavailable}, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			p.kinds[path] = "DaemonSetList"
			p.groups["apps.kruise.io/v1alpha1"] = []metav1.APIResource{{Name: "daemonsets", Kind: "DaemonSet", Namespaced: true}}
			p.objects["/api/v1/nodes"] = []any{corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n0", UID: "n0", ResourceVersion: "1"},
				Status: corev1.NodeStatus{
					Allocatable: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi"),
						"pods": resource.MustParse("10")}}}}
			p.objects[path] = []any{map[string]any{
				"apiVersion": "apps.kruise.io/v1alpha1", "kind": "DaemonSet",
				"metadata": map[string]any{"namespace": "kube-system", "name": "agent", "uid": "agent", "resourceVersion": "1", "generation": 1},
				"spec": map[string]any{
					"updateStrategy": map[string]any{"rollingUpdate": map[string]any{"rollingUpdateType": "Standard", "maxSurge": "10%"}},
					"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "agent"}}, "spec": map[string]any{
						"containers": []any{map[string]any{"name": "a", "resources": map[string]any{"requests": map[string]any{"cpu": "2"}}}},
					}},
				},
			}}
			p.set(tc.refuse)
			m := p.run(oracle.Plugins{}, "", nil)
			if tc.refuse[path] == http.StatusServiceUnavailable {
				for !m.Tried() {
					<-time.After(10 * time.Millisecond)
				}
				p.set(nil)
			}
			p.wait(m, Fresh)
			member, err := m.Member()
			if err != nil {
				t.Fatal(err)
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}}}}}
			answer, err := member.Oracle.Fit(t.Context(), oracle.Question{Pod: pod, Budget: time.Minute})
			if err != nil || answer.Count != tc.want {
				t.Errorf("%d fit, want %d: %+v, %v", answer.Count, tc.want, answer, err)
			}
		})
	}
}
