package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"sync"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	discoveryfake "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
)

const web = "kind=Deployment, name=shop/web"

func threeNodes(more ...runtime.Object) []runtime.Object {
	return append([]runtime.Object{node("n0"), node("n1"), node("n2")}, more...)
}

func TestReplicas(t *testing.T) {
	deployment := workload("apps/v1", "Deployment", "web", "1", onePerHost)
	limitRange := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "limits"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
			{Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{"cpu": resource.MustParse("2")}}}}}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "quota"}, Status: corev1.ResourceQuotaStatus{
		Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("7")}, Used: corev1.ResourceList{"requests.cpu": resource.MustParse("2")}}}
	tests := map[string]struct {
		objects []runtime.Object
		object  string
		request wire.MaxAvailableReplicasRequest
		want    int32
	}{
		"the request alone":                 {nil, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, 12},
		"the template's anti-affinity":      {nil, web, wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, 3},
		"the binding asks for more than it": {nil, web, wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("5")}, 0},
		"a workload that is gone": {
			nil, "kind=Deployment, name=shop/none", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, 12,
		},
		"a kind nobody knows, as it asks": {
			nil, "kind=Widget, name=shop/none", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, 12,
		},
		"a kind that may not be read, likewise": {
			nil, "kind=Guarded, name=shop/web", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, 12,
		},
		"of two kinds, the one that is asked": {
			nil, "kind=StatefulSet, name=shop/db", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("2")}, 6,
		},
		"of two kinds that do not tell, less": {
			nil, "kind=StatefulSet, name=shop/db", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("500m")}, 3,
		},
		"LimitRange defaults": {
			[]runtime.Object{limitRange}, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: wire.Requirements{Namespace: "shop"}}, 6,
		},
		"ResourceQuota": {
			[]runtime.Object{quota}, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, 5,
		},
		"a priority class the member lacks": {
			nil, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: wire.Requirements{Namespace: "shop", PriorityClassName: "none"}},
			0,
		},
		"assumed elsewhere, taken off": {
			nil, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1"),
				Assumed: []wire.AssumedWorkload{{Namespace: "other",
					Components: []wire.Component{{Name: "c", Replicas: 2, Requirements: requests("4")}}}}}, 4,
		},
		"a template that does not decode": {
			nil, "kind=Deployment, name=shop/broken", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, Unknown,
		},
		"claims of a template, each its own": {
			nil, "kind=Deployment, name=shop/devices", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, Unknown,
		},
		"an unknown cluster": {
			nil, "", wire.MaxAvailableReplicasRequest{Cluster: "m9", Requirements: requests("1")}, Unknown,
		},
		"neither wire form, no template":    {nil, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Fault: wire.ErrUnknownForm}, Unknown},
		"neither wire form, but a template": {nil, web, wire.MaxAvailableReplicasRequest{Cluster: "m1", Fault: wire.ErrUnknownForm}, 3},
		"a negative quantity":               {nil, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Fault: wire.ErrQuantity}, 0},
		"a quantity that overflows int64 counts": {
			nil, "", wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("10000000000000000")}, 0,
		},
	}
	broken := workload("apps/v1", "Deployment", "broken", "1", map[string]any{"tolerations": "not a list"})
	devices := workload("apps/v1", "Deployment", "devices", "1", map[string]any{
		"resourceClaims": []any{map[string]any{"name": "gpu", "resourceClaimTemplateName": "gpu"}},
	})
	templates := controlPlane(t, deployment, broken, devices, workload("apps/v1", "StatefulSet", "db", "2", nil),
		workload("apps.kruise.io/v1beta1", "StatefulSet", "db", "4", nil))
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes(tc.objects...)...)}, templates, nil)
			if got := ask(t, s, tc.object, &tc.request, tc.want); got != tc.want {
				t.Errorf("%d replicas, want %d", got, tc.want)
			}
		})
	}
}

// What a member adds to a workload's pods counts, and never makes more of the template's new rules than they allow. Three nodes of four
// CPUs, a live pod on one.
func TestLivePodsAdditionsOverTheTemplate(t *testing.T) {
	sidecar := func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "sidecar", Image: "proxy",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}})
	}
	overridden := func(pod *corev1.Pod) {
		sidecar(pod)
		pod.Spec.Containers[0].Image = "mirror.example.com/app:1"
	}
	inZone := map[string]any{
		"affinity": map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{
			"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{map[string]any{"key": corev1.LabelHostname, "operator": "In",
				"values": []any{"n1"}}}}}}}}}
	withPort := map[string]any{"containers": []any{map[string]any{"name": "main", "image": "app:1",
		"ports":     []any{map[string]any{"containerPort": int64(80), "hostPort": int64(80)}},
		"resources": map[string]any{"requests": map[string]any{"cpu": "1"}}}}}
	for name, tc := range map[string]struct {
		template map[string]any
		live     func(*corev1.Pod)
		want     int32
	}{
		"a sidecar":                           {nil, sidecar, 5},
		"a sidecar and an image it overrides": {nil, overridden, 5},
		"a node affinity that is new":         {inZone, nil, 4},
		"a host port that is new":             {withPort, nil, 3},
		"a gate that is new":                  {map[string]any{"schedulingGates": []any{map[string]any{"name": "wait"}}}, nil, 0},
		"a node selector that is new":         {map[string]any{"nodeSelector": map[string]any{corev1.LabelHostname: "n2"}}, nil, 4},
		"all of it":                           {inZone, overridden, 2},
		"a toleration that it gave up": {nil, func(pod *corev1.Pod) {
			pod.Spec.Tolerations = []corev1.Toleration{{Key: "only", Operator: corev1.TolerationOpExists}}
		}, 11},
	} {
		t.Run(name, func(t *testing.T) {
			live := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "web-1", Labels: map[string]string{"app": "web"},
					OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-rs", UID: "rs",
						Controller: ptr.To(true)}}},
				Spec: corev1.PodSpec{NodeName: "n0", SchedulerName: corev1.DefaultSchedulerName, Containers: []corev1.Container{
					{Name: "main", Image: "app:1",
						Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}}}},
			}
			if tc.live != nil {
				tc.live(live)
			}
			set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-rs", UID: "rs",
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "d", Controller: ptr.To(true)}}}}
			tainted := node("n3")
			tainted.Spec.Taints = []corev1.Taint{{Key: "only", Effect: corev1.TaintEffectNoSchedule}}
			s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes(live, set, tainted)...)},
				controlPlane(t, workload("apps/v1", "Deployment", "web", "1", tc.template)), nil)
			if got := ask(t, s, web, &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, tc.want); got != tc.want {
				t.Errorf("%d replicas, want %d", got, tc.want)
			}
		})
	}
}

func TestPromisedReplicasAreHeldUntilTheirPodsAreSeen(t *testing.T) {
	promises := inflight.NewLedger()
	promises.Observe(&workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-deployment"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
			ReplicaRequirements: &workv1alpha2.ReplicaRequirements{
				Namespace: "shop", ResourceRequest: corev1.ResourceList{"cpu": resource.MustParse("2")},
			},
			Clusters: []workv1alpha2.TargetCluster{{Name: "m1", Replicas: 3}}}},
		time.Now(), false) //nolint:forbidigo // the server's clock is the real one
	seen := func(count int) []runtime.Object {
		objects := []runtime.Object{&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-rs", UID: "rs",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "d", Controller: ptr.To(true)}}}}}
		for i := range count {
			objects = append(objects,
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprint(i)),
					OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-rs", UID: "rs",
						Controller: ptr.To(true)}}},
					Spec: corev1.PodSpec{NodeName: fmt.Sprintf("n%d", i), SchedulerName: corev1.DefaultSchedulerName,
						Containers: []corev1.Container{{Name: "main", Image: "app:1",
							Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("2")}}}}}})
		}
		return objects
	}
	for pods := range 4 {
		t.Run(fmt.Sprintf("%d of 3 pods seen", pods), func(t *testing.T) {
			m := members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes(seen(pods)...)...)}
			s := newServer(m, controlPlane(t, workload("apps/v1", "Deployment", "web", "2", nil)), promises)
			if got := ask(t, s, "kind=Deployment, name=shop/other", &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("2")},
				3); got != 3 {
				t.Errorf("%d replicas for others, want 3: six places, three of them promised, seen or not", got)
			}
		})
	}
}

// TestPromisedTemplatesAreReadSideBySide: one question asks the control plane for its own template and for those of what is promised to
// others before any of them has come. Read one after the other, they would not come in time. (client-go's fakes read one after the other:
// this is HTTP.)
func TestPromisedTemplatesAreReadSideBySide(t *testing.T) {
	names := []string{"other", "a", "b", "c"}
	asked, give := make(chan string, 64), make(chan struct{})
	plane := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- path.Base(r.URL.Path)
		<-give
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(workload("apps/v1", "Deployment", path.Base(r.URL.Path), "1", nil).Object)
	}))
	defer plane.Close()
	kinds := &discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{{Name: "deployments", Kind: "Deployment", Namespaced: true}}}}}}
	promises := inflight.NewLedger()
	for _, name := range names[1:] {
		promises.Observe(&workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec: workv1alpha2.ResourceBindingSpec{
				Resource: workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: name},
				ReplicaRequirements: &workv1alpha2.ReplicaRequirements{
					Namespace: "shop", ResourceRequest: corev1.ResourceList{"cpu": resource.MustParse("1")}},
				Clusters: []workv1alpha2.TargetCluster{{Name: "m1", Replicas: 2}}}},
			time.Now(), false) //nolint:forbidigo // the server's clock is the real one
	}
	s := New(Options{Members: members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes()...)}, Promises: promises,
		Templates: template.NewResolver(dynamic.NewForConfigOrDie(&rest.Config{Host: plane.URL, QPS: -1}), preferred{kinds}, clock.RealClock{}),
		Clock:     clock.RealClock{}})
	request := &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}
	if got := ask(t, s, "kind=Deployment, name=shop/other", request, Unknown); got != Unknown {
		t.Errorf("%d replicas while no template comes, want %d", got, Unknown)
	}
	missing := sets.New(names...)
	for missing.Len() > 0 {
		select {
		case name := <-asked:
			missing.Delete(name)
		case <-time.After(time.Minute):
			t.Fatalf("nobody asked for %v", sets.List(missing))
		}
	}
	close(give)
	if got := ask(t, s, "kind=Deployment, name=shop/other", request, 6); got != 6 {
		t.Errorf("%d replicas, want 6 of twelve places", got)
	}
}

// karmada-scheduler assumes all replicas of a workload it has just scheduled, the running ones too (SchedulingOvercommitProtection): they
// take their room once.
func TestAssumedReplicasThatRunTakeNoRoomTwice(t *testing.T) {
	owner := []metav1.OwnerReference{
		{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web", UID: "c", Controller: ptr.To(true)},
	}
	var objects []runtime.Object
	for i := range 3 {
		objects = append(objects,
			&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprint(i)), OwnerReferences: owner,
			},
				Spec: corev1.PodSpec{NodeName: fmt.Sprintf("n%d", i),
					Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{
						Requests: corev1.ResourceList{"cpu": resource.MustParse("2")}}}}}})
	}
	known := inflight.NewLedger()
	known.Observe(&workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-cloneset"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{
				APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Namespace: "shop", Name: "web",
			},
			ReplicaRequirements: &workv1alpha2.ReplicaRequirements{
				Namespace: "shop", ResourceRequest: corev1.ResourceList{"cpu": resource.MustParse("2")},
			},
			Clusters: []workv1alpha2.TargetCluster{{Name: "m1", Replicas: 4}}}},
		time.Now(), false) //nolint:forbidigo // the server's clock is the real one
	for name, promises := range map[string]*inflight.Ledger{"its binding is known": known, "its binding is not known": inflight.NewLedger(),
		"no bindings are followed": nil} {
		t.Run(name, func(t *testing.T) {
			s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes(objects...)...)}, nil, promises)
			request := &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("2"), Assumed: []wire.AssumedWorkload{
				{Namespace: "shop", Components: []wire.Component{{Name: "web", Replicas: 4, Requirements: requests("2")}}}}}
			if got := ask(t, s, "", request, 2); got != 2 {
				t.Errorf("%d replicas, want 2: three places, and one of four replicas is to come", got)
			}
		})
	}
}

// A plugin that sleeps or panics is the worst a member's scheduler can do.
type rogue struct{ preFilter, filter func() }

func (rogue) Name() string { return "Rogue" }

func (r rogue) PreFilter(context.Context, fwk.CycleState, *corev1.Pod, []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	r.preFilter()
	return nil, nil
}

func (r rogue) Filter(context.Context, fwk.CycleState, *corev1.Pod, fwk.NodeInfo) *fwk.Status {
	r.filter()
	return nil
}

func (rogue) PreFilterExtensions() fwk.PreFilterExtensions { return nil }

func TestMain(m *testing.M) {
	utilruntime.ReallyCrash = false // as cmd/argosy-estimator sets it
	os.Exit(m.Run())
}

func TestOneBadMemberHarmsNoOther(t *testing.T) {
	wake := make(chan struct{})
	defer close(wake)
	const configuration = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{plugins: {multiPoint: " +
		"{enabled: [{name: Rogue}]}}}]\n"
	nothing, hang, fault := func() {}, func() { <-wake }, func() { panic("out of order") }
	for name, plugin := range map[string]rogue{"hangs": {hang, nothing}, "hangs on a node": {nothing, hang}, "panics": {fault, nothing},
		"panics on a node": {nothing, fault}} {
		t.Run(name, func(t *testing.T) {
			plugins := oracle.Plugins{Factories: frameworkruntime.Registry{"Rogue": func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin,
				error) {
				return plugin, nil
			}}}
			s := newServer(members{"bad": memberOf(t, "bad", configuration, plugins, threeNodes()...),
				"good": memberOf(t, "good", "", oracle.Plugins{}, threeNodes()...)}, nil, nil)
			if got := ask(t, s, "", &wire.MaxAvailableReplicasRequest{Cluster: "bad", Requirements: requests("1")}, Unknown); got != Unknown {
				t.Errorf("the bad member: %d, want Unknown: nothing is known, and that is no zero", got)
			}
			if got := ask(t, s, "", &wire.MaxAvailableReplicasRequest{Cluster: "good", Requirements: requests("1")}, 12); got != 12 {
				t.Errorf("the good member: %d, want 12", got)
			}
		})
	}
}

// An answer that is there at once is never taken for one that is late, however the two goroutines of a question meet.
func TestQuickAnswersAreNotLate(t *testing.T) {
	s := newServer(members{}, nil, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				if got := ask(t, s, "", &wire.MaxAvailableReplicasRequest{Cluster: "nowhere", Requirements: requests("1")}, Unknown); got != Unknown {
					t.Errorf("a member that is not known: %d, want Unknown: unknown is never zero", got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTenThousandNodesAtOnce(t *testing.T) {
	var objects []runtime.Object
	for i := range 10000 {
		objects = append(objects, node(fmt.Sprintf("n%d", i)))
	}
	s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, objects...)}, nil, nil)
	if got := ask(t, s, "", &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, 40000); got != 40000 {
		t.Errorf("%d replicas, want 40000", got)
	}
}

func TestComponentSets(t *testing.T) {
	part := func(name, cpu string, replicas int32) wire.Component {
		return wire.Component{
			Name: name, Replicas: replicas, Requirements: wire.Requirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu)}},
		}
	}
	tests := map[string]struct {
		components []wire.Component
		fault      error
		want       int32
	}{
		"a manager of 2 CPUs and two workers of 1": {[]wire.Component{part("manager", "2", 1), part("worker", "1", 2)}, nil, 3},
		"one part only":            {[]wire.Component{part("worker", "1", 5)}, nil, 2},
		"a part that fits nowhere": {[]wire.Component{part("manager", "5", 1), part("worker", "1", 1)}, nil, 0},
		"parts without replicas":   {[]wire.Component{part("manager", "1", 0)}, nil, 0},
		"an unknown form":          {nil, wire.ErrUnknownForm, Unknown},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes()...)}, nil, nil)
			got := unhurriedly(t, tc.want, func() (*wire.Count, error) {
				return s.MaxAvailableComponentSets(klog.NewContext(context.Background(), klog.Logger{}),
					&wire.MaxAvailableComponentSetsRequest{Cluster: "m1", Namespace: "shop", Components: tc.components, Fault: tc.fault})
			})
			if got != tc.want {
				t.Errorf("%d sets, want %d", got, tc.want)
			}
		})
	}
}

func TestUnschedulableReplicasOfAnyKind(t *testing.T) {
	const longAgo = 2 * time.Hour
	pending := func(name string, owner metav1.OwnerReference, since time.Duration) *corev1.Pod {
		owner.Controller = ptr.To(true)
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{owner},
		},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
				Reason:             corev1.PodReasonUnschedulable,
				LastTransitionTime: metav1.NewTime(time.Now().Add(-since))}}}} //nolint:forbidigo // the server's clock is the real one
	}
	objects := []runtime.Object{
		&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rs", UID: "rs",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "d", Controller: ptr.To(true)}}}},
		pending("a", metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "rs"}, longAgo),
		pending("b", metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "rs"}, time.Second),
		pending("c", metav1.OwnerReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web", UID: "c"}, longAgo),
		pending("d", metav1.OwnerReference{APIVersion: "apps.kruise.io/v1beta1", Kind: "StatefulSet", Name: "web", UID: "s"}, longAgo),
		pending("e", metav1.OwnerReference{APIVersion: "batch/v1", Kind: "Job", Name: "web", UID: "j"}, longAgo),
	}
	s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, objects...)}, nil, nil)
	for kind, tc := range map[string]struct {
		apiVersion string
		want       int32
	}{"Deployment": {"apps/v1", 1}, "CloneSet": {"apps.kruise.io/v1alpha1", 1}, "StatefulSet": {"apps.kruise.io/v1beta1", 1},
		"Job": {"batch/v1", 1}, "DaemonSet": {"apps/v1", 0}} {
		got := unhurriedly(t, tc.want, func() (*wire.Count, error) {
			return s.GetUnschedulableReplicas(klog.NewContext(context.Background(), klog.Logger{}), &wire.UnschedulableReplicasRequest{
				Cluster: "m1", APIVersion: tc.apiVersion, Kind: kind, Namespace: "shop", Name: "web", Threshold: longAgo / 2})
		})
		if got != tc.want {
			t.Errorf("%s: %d, want %d", kind, got, tc.want)
		}
	}
}
