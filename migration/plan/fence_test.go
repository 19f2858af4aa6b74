package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// TestFence: before anything is proved or opened, each Work is as the plan needs it, and seen to be.
func TestFence(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Work)
		want   string
	}{
		"deleted":          {change: func(w *Work) { w.Deleting = true }, want: "is being deleted"},
		"takes its object": {change: func(w *Work) { w.Preserve = false }, want: "does not preserve on deletion yet"},
		"open":             {change: func(w *Work) { w.Suspended = false }, want: "is still dispatched"},
		"not confirmed":    {change: func(w *Work) { w.Dispatching = "" }, want: "has not confirmed it yet"},
		"empty":            {change: func(w *Work) { w.Manifest = nil }, want: "has no manifest"},
		"of an old template": {
			change: func(w *Work) { annotate(w, "resourcetemplate.karmada.io/generation", "0") }, want: "carries generation 0 of the template",
		},
		"of another image": {change: func(w *Work) { reimage(w) }, want: "does not carry spec.template.spec.containers"},
		"of another division": {
			change: func(w *Work) { set64(w.Manifest, 9, "spec", "replicas") }, want: "carries 9 replicas, and the cluster has 6",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.need = 1
			f.settle(v1alpha1.PhaseAwaitingApproval)
			f.approve("alice")
			world := f.world()
			work := world.Clusters["a"].Works[f.app]
			if work.Manifest != nil {
				work.Manifest = work.Manifest.DeepCopy()
			}
			tc.change(&work)
			world.Clusters["a"].Works[f.app] = work
			decision := Next(world)
			got := meta.FindStatusCondition(decision.Status.Conditions, v1alpha1.ConditionAdvancing)
			if !strings.Contains(got.Message, tc.want) || len(decision.Actions) > 0 || decision.Status.Phase == v1alpha1.PhaseOpening {
				t.Errorf("%s: %s, %d actions; want %q and none", decision.Status.Phase, got.Message, len(decision.Actions), tc.want)
			}
		})
	}
}

func annotate(work *Work, key, value string) {
	annotations := work.Manifest.GetAnnotations()
	annotations[key] = value
	work.Manifest.SetAnnotations(annotations)
}

func reimage(work *Work) {
	_ = unstructured.SetNestedSlice(work.Manifest.Object, []any{map[string]any{"name": "web", "image": "web:0"}}, "spec", "template", "spec",
		"containers")
}

// TestCutOffWaitsForTheAgent: a Work says suspended long before the agent of a cluster that is cut off from the
// control plane hears of it. Until that confirms, it goes on enforcing what it last saw.
func TestCutOffWaitsForTheAgent(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.entry = nil
	for range 20 {
		f.step(-1)
		for _, reaction := range reactions {
			if reaction.name != "execution" {
				reaction.run(f)
			}
		}
	}
	if got := f.advancing(); f.status.Phase != v1alpha1.PhaseCuttingOff || f.status.Management != v1alpha1.ManagementChanging ||
		!strings.Contains(got.Message, "execution controller has not confirmed it yet") {
		t.Fatalf("%s, managed: %s: %s", f.status.Phase, f.status.Management, got.Message)
	}
	f.settle(v1alpha1.PhaseCutOff)
}

// TestTakenOver: a cluster counts as taken over when every object there shows it. The condition Applied does not: it
// stays True while suspended.
func TestTakenOver(t *testing.T) {
	for name, tc := range map[string]struct {
		ref    Ref
		change func(*federation, *Cluster, *unstructured.Unstructured)
		want   string
	}{
		"all is there": {ref: webConfig, change: func(*federation, *Cluster, *unstructured.Unstructured) {}},
		"its content is the old": {
			ref: webConfig, change: func(_ *federation, _ *Cluster, o *unstructured.Unstructured) { o.Object["data"] = map[string]any{} },
			want: "differs at data.region",
		},
		"it is not marked": {
			ref: webConfig, change: func(_ *federation, _ *Cluster, o *unstructured.Unstructured) { o.SetLabels(nil) }, want: "is not managed yet",
		},
		"of another template": {
			ref: webConfig, change: func(_ *federation, _ *Cluster, o *unstructured.Unstructured) { o.SetAnnotations(nil) },
			want: "is not managed yet",
		},
		"of an older generation": {
			change: func(_ *federation, _ *Cluster, o *unstructured.Unstructured) { regenerate(o) },
			want:   "is at generation 0 of the template, which is at",
		},
		"its Work is suspended": {ref: webConfig, change: func(f *federation, c *Cluster, _ *unstructured.Unstructured) {
			c.Works[webConfig] = Work{Suspended: true}
		}, want: "is not being dispatched yet"},
		"its Work is unconfirmed": {
			ref: webConfig, change: func(f *federation, c *Cluster, _ *unstructured.Unstructured) { c.Works[webConfig] = Work{} },
			want: "is not being dispatched yet",
		},
		"it is gone": {
			ref: webConfig, change: func(_ *federation, c *Cluster, _ *unstructured.Unstructured) { c.Objects = nil }, want: "is not there",
		},
		"its template is gone": {
			ref: webConfig, change: func(f *federation, _ *Cluster, _ *unstructured.Unstructured) { delete(f.control.Templates, webConfig) },
			want: "has no template",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.settle(v1alpha1.PhaseSoaking)
			if tc.ref.Kind == "" {
				tc.ref = f.app
			}
			world := f.world()
			j := begin(world)
			cluster := world.Clusters["a"]
			tc.change(f, &cluster, j.live("a", tc.ref))
			world.Clusters["a"] = cluster
			got := j.notTakenOver(resourceOf(tc.ref), "a")
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("says %q, want %q", got, tc.want)
			}
		})
	}
}

func regenerate(object *unstructured.Unstructured) {
	annotations := object.GetAnnotations()
	annotations["resourcetemplate.karmada.io/generation"] = "0"
	object.SetAnnotations(annotations)
}

// The largest application there can be - a hundred clusters, twelve objects, hundreds of pods in each - has a record
// that etcd takes.
func TestARecordCanAlwaysBeStored(t *testing.T) {
	f := newFederation(t)
	live := f.workloadIn("a")
	managed := live.DeepCopy()
	for i := range 17 {
		managed.SetAnnotations(map[string]string{fmt.Sprintf("work.karmada.io/%d", i): strings.Repeat("x", 60)})
	}
	clusters, status := map[string]Cluster{}, v1alpha1.MigrationStatus{}
	var resources []policy.Resource
	for object := range 12 {
		ref := Ref{APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprintf("config-of-the-application-%d", object)}
		resources = append(resources, policy.Resource{ResourceReference: ref, Desired: map[string]*unstructured.Unstructured{}})
	}
	pods := make([]Pod, 500)
	for i := range pods {
		pods[i] = Pod{Name: fmt.Sprintf("web-7c9d8f6b5c-%d", i), UID: "0f8fad5b-d9cb-469f-a165-70867728950e"}
	}
	for number := range 100 {
		name := fmt.Sprintf("member-%d", number)
		clusters[name] = Cluster{DryRuns: map[Ref]DryRun{}}
		for i := range resources {
			resources[i].Desired[name] = live
			clusters[name].DryRuns[resources[i].ResourceReference] = DryRun{Live: live, Result: managed}
		}
		evidence := take(evidenceOf{now: f.now, workload: live, pods: pods, clusters: 100})
		if evidence.PodCount != 500 {
			t.Fatalf("%d pods are counted", evidence.PodCount)
		}
		status.Clusters = append(status.Clusters, v1alpha1.ClusterStatus{Name: name, Before: evidence, After: evidence})
	}
	drawn := draw(v1alpha1.PlanTakeOver, resources, clusters, v1alpha1.MigrationStrategy{})
	status.Plan = &drawn
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 1<<20 {
		t.Errorf("the record has %d bytes", len(raw))
	}
}
