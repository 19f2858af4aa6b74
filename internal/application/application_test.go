package application

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
)

const templateYAML = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  generation: 3
  annotations: {propagationpolicy.karmada.io/name: web-deployment, propagationpolicy.karmada.io/namespace: shop}
  managedFields:
  - {manager: argocd, operation: Apply, apiVersion: apps/v1, fieldsType: FieldsV1, time: "2026-11-28T10:00:00Z"}
  - {manager: karmada-controller-manager, operation: Update, apiVersion: apps/v1, fieldsType: FieldsV1, time: "2026-11-28T10:00:09Z"}
  - {manager: karmada, operation: Update, apiVersion: apps/v1, fieldsType: FieldsV1, subresource: status, time: "2026-11-28T11:00:00Z"}
spec: {replicas: 5}
`

const bindingYAML = `
apiVersion: work.karmada.io/v1alpha2
kind: ResourceBinding
metadata:
  name: web-deployment
  namespace: shop
  generation: 4
  creationTimestamp: "2026-11-28T09:00:00Z"
  labels: {resourcebinding.karmada.io/permanent-id: id}
spec:
  resource: {apiVersion: apps/v1, kind: Deployment, name: web, namespace: shop}
  replicas: 5
  clusters: [{name: member1, replicas: 3}, {name: member2, replicas: 2}]
status:
  schedulerObservedGeneration: 4
  lastScheduledTime: "2026-11-28T09:00:02Z"
  conditions: [{type: Scheduled, status: "True", reason: Success, message: "", lastTransitionTime: "2026-11-28T09:00:02Z"}]
  aggregatedStatus:
  - {clusterName: member2, applied: true, status: {replicas: 2, readyReplicas: 1}}
`

const workYAML = `
apiVersion: work.karmada.io/v1alpha1
kind: Work
metadata:
  name: web
  namespace: karmada-es-CLUSTER
  labels: {resourcebinding.karmada.io/permanent-id: id}
  managedFields:
  - {manager: karmada, operation: Update, apiVersion: work.karmada.io/v1alpha1, fieldsType: FieldsV1, time: "2026-11-28T10:00:01Z"}
spec:
  workload:
    manifests:
    - {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, annotations: {resourcetemplate.karmada.io/generation: "GENERATION"}}}
`

const memberYAML = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  generation: 7
  annotations: {resourcetemplate.karmada.io/generation: "GENERATION", work.karmada.io/namespace: karmada-es-member1}
  managedFields: [{manager: karmada, operation: Update, apiVersion: apps/v1, fieldsType: FieldsV1, time: "2026-11-28T10:00:03Z"}]
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "registry.example/web:2"}]}}
status: {observedGeneration: 7, replicas: 3, updatedReplicas: 3, readyReplicas: READY}
`

const autoscalerYAML = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {minReplicas: 2, maxReplicas: 6, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
`

func scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	out := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1alpha1.Install, workv1alpha1.Install, workv1alpha2.Install,
		appsv1alpha1.AddToScheme, autoscalingv1alpha1.AddToScheme, migrationv1alpha1.AddToScheme, releasev1alpha1.AddToScheme,
	} {
		if err := add(out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func parse(t testing.TB, text string, replace ...string) client.Object {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.NewReplacer(replace...).Replace(text)), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

func pod(name string, status corev1.PodStatus) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", Labels: map[string]string{"app": "web"}}, Status: status}
}

func joined(name string, ready metav1.ConditionStatus, message string) *clusterv1alpha1.Cluster {
	return &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: clusterv1alpha1.ClusterStatus{
		Conditions: []metav1.Condition{{Type: clusterv1alpha1.ClusterConditionReady, Status: ready, Message: message}},
	}}
}

// world is a federation of two members, of which the second does not answer.
type world struct {
	control, member []client.Object
}

func (w world) gather(t testing.TB) Facts {
	t.Helper()
	now, err := time.Parse(time.RFC3339, "2026-11-28T10:05:00Z")
	if err != nil {
		t.Fatal(err)
	}
	known := scheme(t)
	// A fake client without Returned managed fields keeps those of the objects as they are.
	member := fake.NewClientBuilder().WithScheme(known).WithReturnManagedFields().WithObjects(w.member...).Build()
	reader := &Reader{
		Control: fake.NewClientBuilder().WithScheme(known).WithReturnManagedFields().WithObjects(w.control...).
			// A field of Kubernetes' own.
			WithIndex(&corev1.Event{}, "involvedObject.uid", func(o client.Object) []string {
				return []string{string(o.(*corev1.Event).InvolvedObject.UID)}
			}).Build(),
		Clock: clocktesting.NewFakePassiveClock(now),
		Member: func(_ context.Context, name string) (client.Reader, error) {
			if name == "member1" {
				return member, nil
			}
			return nil, errors.New("dial tcp: connection refused")
		},
	}
	facts, err := reader.Gather(t.Context(), schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		client.ObjectKey{Namespace: "shop", Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func ordinary(t testing.TB) world {
	waiting := corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
		Message:            "0/4 nodes are available: 4 Insufficient cpu.",
		LastTransitionTime: metav1.Date(2026, 11, 28, 10, 1, 0, 0, time.UTC),
	}}}
	return world{
		control: []client.Object{
			parse(t, templateYAML), parse(t, bindingYAML), joined("member1", metav1.ConditionTrue, ""), joined("member2", metav1.ConditionFalse,
				"cluster is not reachable"),
			parse(t, workYAML, "CLUSTER", "member1", "GENERATION", "3"), parse(t, workYAML, "CLUSTER", "member2", "GENERATION", "2"),
			&autoscalingv1alpha1.FedHPA{
				ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"},
				Spec:       autoscalingv1alpha1.FedHPASpec{ScaleTargetRef: targetRef("web")},
				Status: autoscalingv1alpha1.FedHPAStatus{Conditions: []metav1.Condition{
					{Type: "Ready", Status: metav1.ConditionFalse, Reason: "NoMetrics", Message: "no member scales"},
				}},
			},
			&autoscalingv1alpha1.FedHPA{ObjectMeta: metav1.ObjectMeta{Name: "other", Namespace: "shop"},
				Spec: autoscalingv1alpha1.FedHPASpec{ScaleTargetRef: targetRef("other")}},
		},
		member: []client.Object{
			parse(t, memberYAML, "GENERATION", "3", "READY", "2"), parse(t, autoscalerYAML), pod("a", waiting),
			pod("b", corev1.PodStatus{Phase: corev1.PodRunning}), pod("c", corev1.PodStatus{Phase: corev1.PodRunning}),
		},
	}
}

func TestLook(t *testing.T) {
	view := Look(ordinary(t).gather(t))
	n := func(n int64) *int64 { return &n }
	want := []Row{
		{
			Cluster: "member1", Source: SourceMember, Assigned: n(3), Current: n(3), Updated: n(3), Ready: n(2), Waiting: n(1), Generation: n(3),
			Limits: &Limits{Name: "web", Min: 2, Max: 6}, Images: []string{"registry.example/web:2"},
		},
		// It does not answer: what it said last, and nothing of its pods.
		{Cluster: "member2", Source: SourceReported, Assigned: n(2), Current: n(2), Ready: n(1)},
	}
	if diff := cmp.Diff(want, view.Clusters); diff != "" {
		t.Errorf("clusters (-want +have):\n%s", diff)
	}
	wantProblems := []Problem{
		{Severity: Broken, Message: "FedHPA web says Ready=False (NoMetrics): no member scales"},
		{Severity: Broken, Cluster: "member1", Message: "2 of 3 replicas are ready"},
		{Severity: Broken, Cluster: "member1",
			Message: "1 of its pods wait, for 4m: Unschedulable: 0/4 nodes are available: 4 Insufficient cpu."},
		{Severity: Unknown, Cluster: "member2", Message: "Karmada calls the cluster not ready: cluster is not reachable"},
		{Severity: Unknown, Cluster: "member2", Message: "not read now, counts are what it reported last: dial tcp: connection refused"},
	}
	if diff := cmp.Diff(wantProblems, view.Problems); diff != "" {
		t.Errorf("problems (-want +have):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"FedHPA web"}, view.Objects); diff != "" {
		t.Errorf("objects (-want +have):\n%s", diff)
	}
	if view.Policy != "PropagationPolicy shop/web-deployment" || *view.Replicas != 5 {
		t.Errorf("view %+v", view)
	}
}

// TestProblems changes one thing of an ordinary world at a time.
func TestProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Facts)
		want   string
	}{
		"no policy": {func(f *Facts) {
			f.Binding, f.Clusters = nil, nil
			f.Template.SetAnnotations(nil)
		}, "Broken : no PropagationPolicy selects it: it is in no member"},
		"no binding yet": {func(f *Facts) { f.Binding, f.Clusters = nil, nil },
			"Waiting : PropagationPolicy shop/web-deployment selects it, and Karmada has made no binding yet"},
		"a binding of another group": {func(f *Facts) { f.Binding.Spec.Resource.APIVersion = "apps.kruise.io/v1beta1" },
			"Broken : ResourceBinding web-deployment is of apps.kruise.io/v1beta1 Deployment: two kinds of one name share it, rename one"},
		"no place": {func(f *Facts) {
			f.Binding.Status.Conditions = []metav1.Condition{{Type: workv1alpha2.Scheduled, Status: metav1.ConditionFalse,
				Message: "0/2 clusters are available"}}
		}, "Broken : karmada-scheduler found no place: 0/2 clusters are available"},
		"no Work": {func(f *Facts) { f.cluster("member1", func(c *Cluster) { c.Work = nil }) },
			"Broken member1: Karmada has written no Work for it: look at the events of the binding"},
		"suspended": {func(f *Facts) {
			f.cluster("member1", func(c *Cluster) { yes := true; c.Work.Spec.SuspendDispatching = &yes })
		}, "Waiting member1: dispatching is suspended: no change reaches it"},
		"refused": {func(f *Facts) {
			f.cluster("member1", func(c *Cluster) {
				c.Work.Status.Conditions = []metav1.Condition{{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionFalse, Message: "forbidden"}}
			})
		}, "Broken member1: the member does not take the Work: forbidden"},
		"gone in the member": {func(f *Facts) { f.cluster("member1", func(c *Cluster) { c.Object = nil }) },
			"Broken member1: the member does not have it"},
		"somebody else's": {func(f *Facts) {
			f.cluster("member1", func(c *Cluster) { c.Object.SetAnnotations(nil) })
		}, "Broken member1: the member's object is not Karmada's: it was there before, and no change reaches it"},
		"an old generation": {func(f *Facts) { f.Template.SetGeneration(9) },
			"Waiting member1: it has generation 3 of the template, which is at 9"},
		"held by a release": {func(f *Facts) {
			f.About = append(f.About, About{Kind: "Release", Name: "web"})
			f.Template.SetLabels(map[string]string{"release.argosy.dev/staged": "web"})
			f.Template.SetAnnotations(map[string]string{"release.argosy.dev/revision": "r2"})
			f.cluster("member1", func(c *Cluster) {
				c.Object.SetAnnotations(map[string]string{"release.argosy.dev/revision": "r1", "work.karmada.io/namespace": "karmada-es-member1"})
			})
		}, "Waiting member1: Release web holds it at revision r1; the template is r2"},
		"held by a release that is gone": {func(f *Facts) {
			f.About = append(f.About, About{Kind: "Release", Name: "other"}, About{Kind: "FedHPA", Name: "web"})
			f.Template.SetLabels(map[string]string{"release.argosy.dev/staged": "web"})
			f.Template.SetAnnotations(map[string]string{"release.argosy.dev/revision": "r2"})
			f.cluster("member1", func(c *Cluster) {
				c.Object.SetAnnotations(map[string]string{"release.argosy.dev/revision": "r1", "work.karmada.io/namespace": "karmada-es-member1"})
			})
		}, "Waiting member1: Release web, which is gone, held it at revision r1, and that stays so; the template is r2: make the Release anew " +
			"under that name, it takes up what it finds"},
		"another number": {func(f *Facts) {
			f.cluster("member1", func(c *Cluster) { c.Limits = nil })
			f.Binding.Spec.Clusters[0].Replicas = 4
		}, "Waiting member1: it is asked for 3 replicas, and 4 are assigned"},
		"in the middle of a rollout": {func(f *Facts) {
			f.cluster("member1", func(c *Cluster) {
				c.Object.Object["status"] = map[string]any{"observedGeneration": int64(7), "replicas": int64(4), "updatedReplicas": int64(1),
					"readyReplicas": int64(3)}
			})
		}, "Waiting member1: 1 of 3 replicas are updated"},
		"in the middle of a rollout that nothing holds back": {func(f *Facts) {
			f.cluster("member1", func(c *Cluster) {
				c.Object.Object["spec"].(map[string]any)["updateStrategy"] = map[string]any{"partition": "0%"}
				c.Object.Object["status"] = map[string]any{"observedGeneration": int64(7), "replicas": int64(4), "updatedReplicas": int64(1),
					"readyReplicas": int64(3)}
			})
		}, "Waiting member1: 1 of 3 replicas are updated"},
		"a new replica that is not ready beside the old one": {func(f *Facts) {
			f.cluster("member1", func(c *Cluster) {
				c.Object.Object["status"] = map[string]any{"observedGeneration": int64(7), "replicas": int64(4), "updatedReplicas": int64(3),
					"readyReplicas": int64(3)}
			})
		}, "Waiting member1: it still has old replicas beside the updated ones: 1"},
		"not the binding's any more": {func(f *Facts) { f.Binding.Spec.Clusters = f.Binding.Spec.Clusters[:1] },
			"Waiting member2: the binding does not have it any more, and its Work is still there"},
		"unjoined": {func(f *Facts) { f.cluster("member2", func(c *Cluster) { c.Joined = nil }) }, "Broken member2: no such cluster is joined"},
		"leaving": {func(f *Facts) {
			f.Binding.Spec.GracefulEvictionTasks = []workv1alpha2.GracefulEvictionTask{{FromCluster: "member2", Reason: "TaintUntolerated"}}
		}, "Waiting : it is leaving member2 (TaintUntolerated)"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := ordinary(t).gather(t)
			tc.change(&facts)
			var lines []string
			for _, p := range Look(facts).Problems {
				lines = append(lines, string(p.Severity)+" "+p.Cluster+": "+p.Message)
				if lines[len(lines)-1] == tc.want {
					return
				}
			}
			t.Errorf("problems are\n%s\nwant among them\n%s", strings.Join(lines, "\n"), tc.want)
		})
	}
}

func (f *Facts) cluster(name string, change func(*Cluster)) {
	c := f.Clusters[name]
	change(&c)
	f.Clusters[name] = c
}

func TestFollow(t *testing.T) {
	trace := Follow(ordinary(t).gather(t))
	var have []string
	for _, step := range trace.Steps {
		line := step.Name + " " + step.Cluster + " " + string(step.State)
		if step.TookSeconds != nil {
			line += " " + time.Duration(*step.TookSeconds*float64(time.Second)).String()
		}
		have = append(have, line)
	}
	want := []string{
		"template  Done", "policy  Done", "binding  Done", "scheduled  Done",
		"work member1 Done 1s", "member member1 Done 2s", "running member1 Stands",
		"work member2 Stands", "member member2 Waits", "running member2 Waits",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("steps (-want +have):\n%s", diff)
	}
	if !strings.HasSuffix(trace.Steps[0].Message, "last written by argocd") {
		t.Errorf("first step says %q", trace.Steps[0].Message)
	}
	wantStands := []string{
		"member1, running: 2 of 3 replicas are ready; Unschedulable: 0/4 nodes are available: 4 Insufficient cpu.",
		"member2, work: it bears generation 2 of the template",
	}
	if diff := cmp.Diff(wantStands, trace.StandsAt); diff != "" {
		t.Errorf("stands at (-want +have):\n%s", diff)
	}
}

// TestFollowWhatUpdatesNothing: a ReplicaSet counts no updated replicas.
func TestFollowWhatUpdatesNothing(t *testing.T) {
	facts := ordinary(t).gather(t)
	facts.cluster("member1", func(c *Cluster) {
		c.Object.SetKind("ReplicaSet")
		unstructured.RemoveNestedField(c.Object.Object, "spec", "strategy")
		c.Object.Object["status"] = map[string]any{"observedGeneration": int64(7), "replicas": int64(3), "readyReplicas": int64(3)}
		c.Pods = nil
	})
	trace := Follow(facts)
	i := slices.IndexFunc(trace.Steps, func(s Step) bool { return s.Cluster == "member1" && s.Name == "running" })
	if got := trace.Steps[i]; got.State != StepDone || got.Message != "3 ready" {
		t.Errorf("running: %+v", got)
	}
}

// TestADependency: Karmada sends it where what depends on it goes, and nobody schedules it.
func TestADependency(t *testing.T) {
	facts := ordinary(t).gather(t)
	facts.Binding.Spec.RequiredBy = []workv1alpha2.BindingSnapshot{{Namespace: "shop", Name: "api", Clusters: facts.Binding.Spec.Clusters}}
	facts.Binding.Spec.Clusters, facts.Binding.Status.Conditions = nil, nil
	for _, p := range Look(facts).Problems {
		if strings.Contains(p.Message, "does not have it any more") {
			t.Errorf("problem %+v", p)
		}
	}
	for _, step := range Follow(facts).Steps {
		if step.Name == "scheduled" && step.State != StepDone {
			t.Errorf("step %+v", step)
		}
	}
}

// TestNoPolicy: what no policy selects has no rows, and says so.
func TestNoPolicy(t *testing.T) {
	w := ordinary(t)
	template := parse(t, templateYAML)
	template.SetAnnotations(nil)
	w.control = []client.Object{template}
	facts := w.gather(t)
	if view := Look(facts); len(view.Clusters) != 0 || len(view.Problems) != 1 {
		t.Errorf("view %+v", view)
	}
	if trace := Follow(facts); len(trace.StandsAt) != 1 || trace.StandsAt[0] != "policy: no policy selects it" {
		t.Errorf("stands at %q", trace.StandsAt)
	}
}

func targetRef(name string) autoscalingv2.CrossVersionObjectReference {
	return autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
}

// TestSaid: of what rescheduling said of the binding, the last is shown, while it holds.
func TestSaid(t *testing.T) {
	w := ordinary(t)
	for name, e := range map[string]corev1.Event{
		"first":   {Reason: "NotForLong", Message: "before", LastTimestamp: metav1.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)},
		"last":    {Reason: "NoRoom", Message: "no cluster has room", LastTimestamp: metav1.Date(2026, 11, 28, 10, 3, 0, 0, time.UTC)},
		"foreign": {Reason: "Other", LastTimestamp: metav1.Date(2026, 11, 28, 10, 4, 0, 0, time.UTC), Source: corev1.EventSource{Component: "x"}},
		"old":     {Reason: "Moved", LastTimestamp: metav1.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)},
	} {
		e.Name, e.Namespace, e.Type = name, "shop", corev1.EventTypeWarning
		e.InvolvedObject = corev1.ObjectReference{Kind: "ResourceBinding", Namespace: "shop", Name: "web-deployment"}
		if e.Source.Component == "" {
			e.Source.Component = "argosy-reschedule"
		}
		w.control = append(w.control, &e)
	}
	want := Problem{Severity: Broken, Message: "rescheduling said NoRoom 2m ago: no cluster has room"}
	if problems := Look(w.gather(t)).Problems; !slices.Contains(problems, want) {
		t.Errorf("problems %+v, want among them %+v", problems, want)
	}
}
