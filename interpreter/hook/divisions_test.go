package hook

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// plane answers a live read and a look into the cache; it counts the reads.
type plane struct {
	client.Reader
	binding *workv1alpha2.ResourceBinding
	err     error
	reads   int
}

func (p *plane) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	p.reads++
	if p.err != nil {
		return p.err
	}
	p.binding.DeepCopyInto(into.(*workv1alpha2.ResourceBinding))
	return nil
}

// watch is the cache: it knows a generation.
type watch struct {
	client.Reader
	uid        types.UID
	generation int64
	err        error
}

func (w *watch) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	into.(*metav1.PartialObjectMetadata).UID, into.(*metav1.PartialObjectMetadata).Generation = w.uid, w.generation
	return w.err
}

func web() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet", "metadata": map[string]any{
			"name": "web", "namespace": "shop", "generation": int64(1),
		},
	}}
}

func bindingOf(clusters ...workv1alpha2.TargetCluster) *workv1alpha2.ResourceBinding {
	out := &workv1alpha2.ResourceBinding{}
	out.Generation = 5
	out.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Namespace: "shop", Name: "web"}
	out.Spec.Clusters = clusters
	for _, c := range clusters {
		out.Spec.Replicas += c.Replicas
	}
	return out
}

// TestOneReadServesASync: ten members are one sync, and cost one read of the binding.
func TestOneReadServesASync(t *testing.T) {
	var clusters []workv1alpha2.TargetCluster
	for _, name := range strings.Split("abcdefghij", "") {
		clusters = append(clusters, workv1alpha2.TargetCluster{Name: name, Replicas: int32(3 + len(clusters)%2)})
	}
	type sync struct {
		b     *Bindings
		live  *plane
		seen  *watch
		clock *clocktesting.FakeClock
		asked *unstructured.Unstructured
	}
	ask := func(s sync, clusters []workv1alpha2.TargetCluster) {
		for _, c := range clusters {
			got, err := s.b.Division(t.Context(), s.asked, c.Replicas)
			if err != nil || len(got.Clusters) != len(s.live.binding.Spec.Clusters) || got.Clusters[0] != s.live.binding.Spec.Clusters[0] {
				t.Errorf("division %v, error %v, want the binding's %v", got.Clusters, err, s.live.binding.Spec.Clusters)
			}
		}
	}
	for name, tc := range map[string]struct {
		between func(*sync)
		want    int
	}{
		"one sync, one read": {want: 1},
		"the next sync reads again": {between: func(s *sync) {
			ask(*s, clusters[5:])
		}, want: 2},
		"half a sync, and the watch shows a newer binding": {between: func(s *sync) {
			s.live.binding.Spec.Clusters[0].Name, s.live.binding.Generation, s.seen.generation = "z", 6, 6
		}, want: 2},
		"half a sync, and the template is another": {between: func(s *sync) {
			s.live.binding.Spec.Clusters[0].Name, s.live.binding.Generation = "z", 6
			s.asked.SetGeneration(2)
		}, want: 2},
		"half a sync, and then long nothing": {between: func(s *sync) {
			s.live.binding.Spec.Clusters[0].Name = "z"
			s.clock.Step(keptFor + time.Second)
		}, want: 2},
		"half a sync, and the watch has ended": {between: func(s *sync) {
			s.live.binding.Spec.Clusters[0].Name = "z"
			s.seen.err = errors.New("not started")
		}, want: 6},
	} {
		t.Run(name, func(t *testing.T) {
			s := sync{
				live: &plane{binding: bindingOf(clusters...).DeepCopy()}, seen: &watch{generation: 5},
				clock: clocktesting.NewFakeClock(time.Unix(0, 0)), asked: web(),
			}
			s.b = NewBindings(s.live, s.seen, s.clock)
			ask(s, clusters[:5])
			if tc.between != nil {
				tc.between(&s)
			}
			ask(s, clusters[5:])
			if s.live.reads != tc.want {
				t.Errorf("%d reads, want %d", s.live.reads, tc.want)
			}
		})
	}
}

// TestWhatIsAboutToChangeIsNotKept: the scheduler answers a binding whose sum is not its replicas at once.
func TestWhatIsAboutToChangeIsNotKept(t *testing.T) {
	live := &plane{binding: bindingOf(workv1alpha2.TargetCluster{Name: "a", Replicas: 3}, workv1alpha2.TargetCluster{Name: "b", Replicas: 3})}
	live.binding.Spec.Replicas = 8
	b := NewBindings(live, &watch{generation: 5}, clocktesting.NewFakeClock(time.Unix(0, 0)))
	for range 2 {
		if _, err := b.Division(t.Context(), web(), 3); err != nil {
			t.Fatal(err)
		}
	}
	if live.reads != 2 {
		t.Errorf("%d reads, want 2", live.reads)
	}
}

func TestDivision(t *testing.T) {
	two := []workv1alpha2.TargetCluster{{Name: "a", Replicas: 4}, {Name: "b", Replicas: 6}}
	duplicated := bindingOf(two...)
	duplicated.Spec.Placement = &policyv1alpha1.Placement{}
	another := bindingOf(two...)
	another.Spec.Resource.APIVersion = "apps/v1"
	reported := bindingOf(two...)
	reported.Status.AggregatedStatus = []workv1alpha2.AggregatedStatusItem{
		{ClusterName: "a", Status: &runtime.RawExtension{Raw: []byte(
			`{"replicas":4,"updatedReplicas":3,"updatedTemplate":"h1","currentRevision":"r1","updateRevision":"r2"}`)}},
		{ClusterName: "d", Status: &runtime.RawExtension{Raw: []byte(
			`{"replicas":2,"updatedReplicas":2,"updatedTemplate":"h1","currentRevision":"r2","updateRevision":"r2"}`)}},
		{ClusterName: "b", Status: &runtime.RawExtension{Raw: []byte(`{"createdWithTemplate":"5f"}`)}},
		{ClusterName: "c"},
	}
	unread := bindingOf(two...)
	unread.Status.AggregatedStatus = []workv1alpha2.AggregatedStatusItem{{ClusterName: "a", Status: &runtime.RawExtension{Raw: []byte(`[]`)}}}
	for name, tc := range map[string]struct {
		plane       *plane
		wantNone    bool
		wantCreated string
		wantUpdated map[string]family.Updated
		wantErr     string
		absent      bool
	}{
		"divided":    {plane: &plane{binding: bindingOf(two...)}},
		"duplicated": {plane: &plane{binding: duplicated}, wantNone: true},
		"reported": {plane: &plane{binding: reported}, wantCreated: "a= b=5f", wantUpdated: map[string]family.Updated{
			"a": {Template: "h1", Replicas: 3, Total: 4}, "d": {Template: "h1", Replicas: 2, Total: 2, All: true},
		}},
		"another group's of the name": {plane: &plane{binding: another}, wantErr: "it belongs to CloneSet.apps"},
		"a status that is none":       {plane: &plane{binding: unread}, wantErr: "status.aggregatedStatus[a].status"},
		"no binding": {
			plane: &plane{err: apierrors.NewNotFound(workv1alpha2.Resource("resourcebindings"), "web-cloneset")}, wantErr: "no such ResourceBinding",
			absent: true,
		},
		"not readable": {plane: &plane{err: context.DeadlineExceeded}, wantErr: "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBindings(tc.plane, &watch{}, clocktesting.NewFakeClock(time.Unix(0, 0)))
			got, err := b.Division(t.Context(), web(), 4)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) || errors.Is(err, errNoBinding) != tc.absent {
					t.Fatalf("error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || tc.wantNone != (got.Clusters == nil) {
				t.Fatalf("division %+v, error %v", got, err)
			}
			var created []string
			for _, name := range []string{"a", "b", "c"} {
				if with, ok := got.CreatedWith[name]; ok {
					created = append(created, name+"="+with)
				}
			}
			if have := strings.Join(created, " "); have != tc.wantCreated {
				t.Errorf("created with %q, want %q", have, tc.wantCreated)
			}
			if diff := cmp.Diff(tc.wantUpdated, got.Updated, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("updated: %s", diff)
			}
		})
	}
}

// TestWhatIsReflectedIsRead: what InterpretStatus says of a member's templates is what a division reads of it.
func TestWhatIsReflectedIsRead(t *testing.T) {
	observed := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{
			"generation":  int64(2),
			"annotations": map[string]any{mark.CreatedWith: "c", mark.TemplateHash: "t"},
		},
		"status": map[string]any{
			"observedGeneration": int64(2), "updatedReplicas": int64(3), "currentRevision": "r1", "updateRevision": "r1",
		},
	}}
	status, err := aggregate.Reflect(observed)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	got, err := said([]workv1alpha2.AggregatedStatusItem{{ClusterName: "a", Status: &runtime.RawExtension{Raw: raw}}})
	want := Division{
		CreatedWith: map[string]string{"a": "c"}, Updated: map[string]family.Updated{"a": {Template: "t", Replicas: 3, All: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v: %s", err, diff)
	}
}

// TestOnePlacementServesManyStatuses: the binding is read again only once the watch shows a newer one, or cannot tell.
func TestOnePlacementServesManyStatuses(t *testing.T) {
	live, seen := &plane{binding: bindingOf()}, &watch{generation: 5}
	live.binding.Spec.Placement = &policyv1alpha1.Placement{}
	b := NewBindings(live, seen, clocktesting.NewFakeClock(time.Time{}))
	for _, step := range []struct {
		what      string
		change    func()
		want      bool
		wantReads int
	}{
		{"the first status", func() {}, true, 1},
		{"the next ones", func() {}, true, 1},
		{"the policy divides", func() {
			live.binding.Generation, seen.generation = 6, 6
			live.binding.Spec.Placement.ReplicaScheduling = &policyv1alpha1.ReplicaSchedulingStrategy{
				ReplicaSchedulingType: policyv1alpha1.ReplicaSchedulingTypeDivided}
		}, false, 2},
		{"the workload and its binding are made anew, of a policy that divides nothing", func() {
			live.binding.UID, seen.uid = "anew", "anew"
			live.binding.Generation, seen.generation = 1, 1
			live.binding.Spec.Placement.ReplicaScheduling = nil
		}, true, 3},
		{"its next statuses", func() {}, true, 3},
		{"the watch cannot tell", func() { seen.err = errors.New("not synced") }, true, 4},
		{"another workload brings it along", func() { live.binding.Spec.Placement = nil }, false, 5},
	} {
		step.change()
		got, err := b.Duplicated(t.Context(), web())
		if err != nil || got != step.want || live.reads != step.wantReads {
			t.Errorf("%s: duplicated %v, %v after %d reads; want %v after %d", step.what, got, err, live.reads, step.want, step.wantReads)
		}
	}
	// One member's status that cannot be read must not stop the status of all others.
	reported := &runtime.RawExtension{Raw: []byte(`7`)}
	live.binding.Status.AggregatedStatus = []workv1alpha2.AggregatedStatusItem{{ClusterName: "a", Status: reported}}
	if _, err := b.Duplicated(t.Context(), web()); err != nil {
		t.Error(err)
	}
	live.err = apierrors.NewTimeoutError("busy", 1)
	if _, err := b.Duplicated(t.Context(), web()); err == nil {
		t.Error("what cannot be read is known")
	}
}
