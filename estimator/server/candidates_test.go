package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/wire"
)

// Every kind that the issue names, its template's rule being one to a host; three nodes of four CPUs.
func TestTemplatesOfEveryKind(t *testing.T) {
	component := func(target string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "component.luojilab.com/v1alpha1", "kind": "Component",
			"metadata": map[string]any{"namespace": "shop", "name": "web"},
			"spec": map[string]any{"workloadType": "Deployment", "developLanguage": "go", "runType": "server", "image": "app:1", "port": int64(80),
				"resources": map[string]any{"requests": map[string]any{"cpu": "1"}},
				"patches": []any{map[string]any{"target": map[string]any{"kind": target},
					"patch": map[string]any{"spec": map[string]any{"template": map[string]any{
						"metadata": map[string]any{"labels": map[string]any{"app": "web"}}, "spec": onePerHost}}}}}}}}
	}
	machines := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "vm.argosy.dev/v1alpha1", "kind": "VMReplicaSet",
		"metadata": map[string]any{"namespace": "shop", "name": "web"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"machine": map[string]any{"driver": "kubevirt",
			"hosting": "Pod"}}}}}}
	tests := map[string]struct {
		workload *unstructured.Unstructured
		want     int32
	}{
		"Deployment":                         {workload("apps/v1", "Deployment", "web", "1", onePerHost), 3},
		"StatefulSet":                        {workload("apps/v1", "StatefulSet", "web", "1", onePerHost), 3},
		"Job":                                {workload("batch/v1", "Job", "web", "1", onePerHost), 3},
		"CloneSet":                           {workload("apps.kruise.io/v1alpha1", "CloneSet", "web", "1", onePerHost), 3},
		"Advanced StatefulSet":               {workload("apps.kruise.io/v1beta1", "StatefulSet", "web", "1", onePerHost), 3},
		"Component, as patched":              {component("Deployment"), 3},
		"Component, a patch of another kind": {component("StatefulSet"), 12},
		"VMReplicaSet, its request says all": {machines, 12},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes()...)}, controlPlane(t, tc.workload), nil)
			object := fmt.Sprintf("kind=%s, name=shop/web", tc.workload.GetKind())
			if got := ask(t, s, object, &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, tc.want); got != tc.want {
				t.Errorf("%d replicas, want %d", got, tc.want)
			}
		})
	}
}

// A template that cannot be read in time: a live pod shows the rules; without one nothing is known, and metrics say why.
func TestControlPlaneTooSlowToSay(t *testing.T) {
	live := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0", UID: "web-0", Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Slow", Name: "web", UID: "s", Controller: ptr.To(true)}}},
		Spec: corev1.PodSpec{NodeName: "n0", SchedulerName: corev1.DefaultSchedulerName,
			Containers: []corev1.Container{{Name: "main", Image: "app:1"}},
			Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}}}}}
	for name, tc := range map[string]struct {
		objects []runtime.Object
		want    int32
		outcome string
	}{"no live pod": {nil, Unknown, "Template"}, "a live pod": {[]runtime.Object{live}, 2, "withoutTemplate"}} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			s := New(Options{Members: members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes(tc.objects...)...)},
				Templates: controlPlane(t),
				Clock:     clock.RealClock{}, Metrics: NewMetrics(registry)})
			if got := ask(t, s, "kind=Slow, name=shop/web", &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")},
				tc.want); got != tc.want {
				t.Errorf("%d replicas, want %d", got, tc.want)
			}
			said, err := testutil.CollectAndFormat(registry, expfmt.TypeTextPlain, "argosy_estimator_answers_total",
				"argosy_estimator_template_misses_total")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				fmt.Sprintf("\nargosy_estimator_answers_total{member=\"m1\",method=\"MaxAvailableReplicas\",outcome=%q} ", tc.outcome),
				"\nargosy_estimator_template_misses_total ",
			} {
				if !strings.Contains(string(said), want) || strings.Contains(string(said), want+"0\n") {
					t.Errorf("metrics %s, want one that begins with %q and is not 0", said, want)
				}
			}
		})
	}
}

// TestTheLastTemplateStandsIn: what was read while karmada-apiserver answered counts while it does not, as long as the binding names no
// newer version. It is said: by the outcome, and by an event at the workload.
func TestTheLastTemplateStandsIn(t *testing.T) {
	slow := workload("example.com/v1", "Fitful", "web", "1", onePerHost)
	slow.SetUID("web")
	slow.SetResourceVersion("10")
	for name, tc := range map[string]struct {
		version string
		want    int32
		outcome string
		says    string
	}{
		"the version that was read": {"10", 3, "lastTemplate", "estimated by the template as it was last read"},
		"a newer version":           {"11", Unknown, "Template", "how many fit is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			promises, registry, events := inflight.NewLedger(), prometheus.NewRegistry(), record.NewFakeRecorder(8)
			observe := func(version string) {
				promises.Observe(&workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-fitful"},
					Spec: workv1alpha2.ResourceBindingSpec{Resource: workv1alpha2.ObjectReference{APIVersion: "example.com/v1", Kind: "Fitful",
						Namespace: "shop", Name: "web", UID: "web", ResourceVersion: version}}}, time.Unix(0, 0), true)
			}
			clk := testclock.NewFakePassiveClock(time.Unix(0, 0))
			templates := resolver(t, clk, slow)
			s := New(Options{Members: members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, threeNodes()...)}, Templates: templates,
				Promises: promises, Clock: clock.RealClock{}, Metrics: NewMetrics(registry), Events: events})
			observe("9")
			request := &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}
			if got := ask(t, s, "kind=Fitful, name=shop/web", request, 3); got != 3 {
				t.Fatalf("%d replicas while it answers, want 3", got)
			}
			observe(tc.version)
			clk.SetTime(clk.Now().Add(time.Hour))
			if got := ask(t, s, "kind=Fitful, name=shop/web", request, tc.want); got != tc.want {
				t.Errorf("%d replicas, want %d", got, tc.want)
			}
			said, err := testutil.CollectAndFormat(registry, expfmt.TypeTextPlain, "argosy_estimator_answers_total")
			if err != nil || !strings.Contains(string(said), fmt.Sprintf("outcome=%q", tc.outcome)) {
				t.Errorf("metrics %s (%v), want the outcome %s", said, err, tc.outcome)
			}
			select {
			case event := <-events.Events:
				if !strings.HasPrefix(event, "Warning TemplateUnreadable ") || !strings.Contains(event, tc.says) {
					t.Errorf("event %q, want one that says %q", event, tc.says)
				}
			default:
				t.Error("no event")
			}
		})
	}
}

func storageClass(name string, mode storagev1.VolumeBindingMode, zones ...string) *storagev1.StorageClass {
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "disk.example.com", VolumeBindingMode: &mode}
	if len(zones) > 0 {
		class.AllowedTopologies = []corev1.TopologySelectorTerm{
			{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: corev1.LabelTopologyZone, Values: zones}}},
		}
	}
	return class
}

// zonedNodes: two nodes in zone a, one in zone b, four CPUs each, all with the driver.
func zonedNodes(more ...runtime.Object) []runtime.Object {
	objects := append([]runtime.Object{}, more...)
	for i, zone := range []string{"a", "a", "b"} {
		n := node(fmt.Sprintf("n%d", i))
		n.Labels[corev1.LabelTopologyZone] = zone
		objects = append(objects, n, &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: n.Name},
			Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{
				{Name: "disk.example.com", NodeID: n.Name, TopologyKeys: []string{corev1.LabelTopologyZone}}}}})
	}
	return objects
}

// withClaims gives a StatefulSet claims of a class.
func withClaims(set *unstructured.Unstructured, class string) *unstructured.Unstructured {
	spec := map[string]any{"accessModes": []any{"ReadWriteOnce"}, "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}}
	if class != "" {
		spec["storageClassName"] = class
	}
	set.Object["spec"].(map[string]any)["volumeClaimTemplates"] = []any{
		map[string]any{"metadata": map[string]any{"name": "data"}, "spec": spec},
	}
	return set
}

func mounting(volumes ...any) map[string]any { return map[string]any{"volumes": volumes} }

func TestReplicasWithClaims(t *testing.T) {
	const later, atOnce = storagev1.VolumeBindingWaitForFirstConsumer, storagev1.VolumeBindingImmediate
	set := func() *unstructured.Unstructured { return workload("apps/v1", "StatefulSet", "web", "1", nil) }
	byDefault := storageClass("standard", later)
	byDefault.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "q"}, Status: corev1.ResourceQuotaStatus{
		Hard: corev1.ResourceList{"requests.storage": resource.MustParse("5Gi")}}}
	// What an earlier replica 1 left behind: a claim bound to a volume of zone b.
	kept := []runtime.Object{
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "data-web-1", Annotations: map[string]string{"pv.kubernetes.io/bind-completed": "yes"},
		},
			Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv1", StorageClassName: ptr.To("later"),
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}}},
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv1"}, Spec: corev1.PersistentVolumeSpec{StorageClassName: "later",
			ClaimRef: &corev1.ObjectReference{Namespace: "shop", Name: "data-web-1"},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"c"}}}}}}}}},
	}
	fromOne := withClaims(set(), "later")
	fromOne.Object["spec"].(map[string]any)["ordinals"] = map[string]any{"start": int64(1)}
	reserved := withClaims(workload("apps.kruise.io/v1beta1", "StatefulSet", "web", "1", nil), "later")
	reserved.Object["spec"].(map[string]any)["reserveOrdinals"] = []any{int64(1)}
	claim := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": map[string]any{"namespace": "shop", "name": "shared"},
		"spec": map[string]any{"storageClassName": "later", "accessModes": []any{"ReadWriteMany"},
			"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}}}}
	// named is the claim as it asks for one volume of its own, which is not of its making.
	named := func(class string) *unstructured.Unstructured {
		one := claim.DeepCopy()
		one.Object["spec"].(map[string]any)["volumeName"], one.Object["spec"].(map[string]any)["storageClassName"] = "exports", class
		return one
	}
	volume := func(class string, change ...func(*corev1.PersistentVolume)) *corev1.PersistentVolume {
		v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "exports"}, Spec: corev1.PersistentVolumeSpec{StorageClassName: class,
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Capacity:    corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}
		for _, c := range change {
			c(v)
		}
		return v
	}
	inZoneB := func(v *corev1.PersistentVolume) {
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{
			Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"b"}}}}}}}
	}
	heldBy := func(claim string, uid types.UID) func(*corev1.PersistentVolume) {
		return func(v *corev1.PersistentVolume) {
			v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: claim, UID: uid}
		}
	}
	tooSmall := func(v *corev1.PersistentVolume) {
		v.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse("500Mi")
	}
	shared := mounting(map[string]any{"name": "v", "persistentVolumeClaim": map[string]any{"claimName": "shared"}})
	ephemeral := mounting(map[string]any{"name": "v", "ephemeral": map[string]any{"volumeClaimTemplate": map[string]any{"spec": map[string]any{
		"storageClassName": "later", "accessModes": []any{"ReadWriteOnce"},
		"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}}}}})
	tests := map[string]struct {
		workload []*unstructured.Unstructured
		objects  []runtime.Object
		want     int32
	}{
		"bound when scheduled": {
			[]*unstructured.Unstructured{withClaims(set(), "later")}, []runtime.Object{storageClass("later", later)}, 12,
		},
		"bound when scheduled, in one zone": {
			[]*unstructured.Unstructured{withClaims(set(), "later")}, []runtime.Object{storageClass("later", later, "a")}, 8,
		},
		"of no class, the member has a default one": {
			[]*unstructured.Unstructured{withClaims(set(), "")}, []runtime.Object{byDefault}, 12,
		},
		"of no class, the member has none": {[]*unstructured.Unstructured{withClaims(set(), "")}, nil, 0},
		"of a class the member lacks":      {[]*unstructured.Unstructured{withClaims(set(), "later")}, nil, 0},
		"bound at once, to the smaller zone at worst": {
			[]*unstructured.Unstructured{withClaims(set(), "now")}, []runtime.Object{storageClass("now", atOnce)}, 4,
		},
		"bound at once, in the larger zone": {
			[]*unstructured.Unstructured{withClaims(set(), "now")}, []runtime.Object{storageClass("now", atOnce, "a")}, 8,
		},
		"bound at once, in a zone that has no nodes": {
			[]*unstructured.Unstructured{withClaims(set(), "now")}, []runtime.Object{storageClass("now", atOnce, "z")}, 0,
		},
		"as many as the quota has storage for": {
			[]*unstructured.Unstructured{withClaims(set(), "later")}, []runtime.Object{storageClass("later", later), quota}, 5,
		},
		"replica 1's old volume is where no node is": {
			[]*unstructured.Unstructured{withClaims(set(), "later")}, append(kept, storageClass("later", later)), 1,
		},
		"the same, counting from 1": {
			[]*unstructured.Unstructured{fromOne}, append(kept, storageClass("later", later)), 0,
		},
		"the same, 1 being reserved": {
			[]*unstructured.Unstructured{reserved}, append(kept, storageClass("later", later)), 12,
		},
		"a claim that will travel: all where the first goes": {
			[]*unstructured.Unstructured{workload("apps/v1", "Deployment", "web", "1", shared), claim},
			[]runtime.Object{storageClass("later", later)}, 4,
		},
		"a claim that neither side has": {
			[]*unstructured.Unstructured{workload("apps/v1", "Deployment", "web", "1", shared)}, []runtime.Object{storageClass("later", later)}, 0,
		},
		"an ephemeral volume each": {
			[]*unstructured.Unstructured{workload("apps/v1", "Deployment", "web", "1", ephemeral)},
			[]runtime.Object{storageClass("later", later, "b")}, 4,
		},
	}
	web := workload("apps/v1", "Deployment", "web", "1", shared)
	for name, tc := range map[string]struct {
		class   string
		objects []runtime.Object
		want    int32
	}{
		"the member has it":                             {"", []runtime.Object{volume("")}, 12},
		"the member has it in one zone":                 {"", []runtime.Object{volume("", inZoneB)}, 4},
		"kept for the claim":                            {"", []runtime.Object{volume("", heldBy("shared", ""))}, 12},
		"the member lacks it":                           {"", nil, 0},
		"another claim has it":                          {"", []runtime.Object{volume("", heldBy("other", ""))}, 0},
		"a claim of before had it":                      {"", []runtime.Object{volume("", heldBy("shared", "before"))}, 0},
		"too small":                                     {"", []runtime.Object{volume("", tooSmall)}, 0},
		"of another class":                              {"", []runtime.Object{volume("fast")}, 0},
		"of a class that waits for pods":                {"later", []runtime.Object{storageClass("later", later), volume("later")}, 12},
		"not there, of a class that waits for pods":     {"later", []runtime.Object{storageClass("later", later)}, 0},
		"of a class that provisions at once":            {"now", []runtime.Object{storageClass("now", atOnce), volume("now")}, 12},
		"not there, of a class that provisions at once": {"now", []runtime.Object{storageClass("now", atOnce)}, 0},
	} {
		row := tests["a claim that neither side has"]
		row.workload, row.objects, row.want = []*unstructured.Unstructured{web, named(tc.class)}, tc.objects, tc.want
		tests["a claim that will travel and names its volume: "+name] = row
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, zonedNodes(tc.objects...)...)}, controlPlane(t, tc.workload...),
				nil)
			object := fmt.Sprintf("kind=%s, name=shop/web", tc.workload[0].GetKind())
			for range 2 { // the second time, nothing of the first must be left
				if got := ask(t, s, object, &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")}, tc.want); got != tc.want {
					t.Errorf("%d replicas, want %d", got, tc.want)
				}
			}
		})
	}
}

// What a live pod of a set looks like must not matter to the claims of the next.
func TestNextReplicasOfALiveStatefulSet(t *testing.T) {
	object := withClaims(workload("apps/v1", "StatefulSet", "web", "1", nil), "later")
	objects := zonedNodes(storageClass("later", storagev1.VolumeBindingWaitForFirstConsumer))
	owner := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web", UID: "s", Controller: ptr.To(true)}}
	objects = append(objects, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "s"}},
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "data-web-0", Annotations: map[string]string{"pv.kubernetes.io/bind-completed": "yes"},
		},
			Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv0", StorageClassName: ptr.To("later")}},
		&corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: "pv0"}, Spec: corev1.PersistentVolumeSpec{
				StorageClassName: "later", ClaimRef: &corev1.ObjectReference{Namespace: "shop", Name: "data-web-0"},
			},
		},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-0", UID: "web-0", OwnerReferences: owner, Labels: map[string]string{"app": "web"},
		},
			Spec: corev1.PodSpec{NodeName: "n0", SchedulerName: corev1.DefaultSchedulerName,
				Containers: []corev1.Container{
					{Name: "main", Image: "app:1", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}},
				},
				Volumes: []corev1.Volume{{Name: "data",
					VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-web-0"}}}}}})
	s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, objects...)}, controlPlane(t, object), nil)
	if got := ask(t, s, "kind=StatefulSet, name=shop/web", &wire.MaxAvailableReplicasRequest{Cluster: "m1", Requirements: requests("1")},
		11); got != 11 {
		t.Errorf("%d replicas, want 11 beside the one that lives", got)
	}
}

func TestUnschedulableThroughAChainOfOwners(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", UID: types.UID("p"),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "rs", Controller: ptr.To(true)}}},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonUnschedulable}}}}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rs", UID: "rs",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web", UID: "r",
			Controller: ptr.To(true)}}}}
	s := newServer(members{"m1": memberOf(t, "m1", "", oracle.Plugins{}, pod, set)}, nil, nil)
	answer, err := s.GetUnschedulableReplicas(klog.NewContext(context.Background(), klog.Logger{}), &wire.UnschedulableReplicasRequest{
		Cluster: "m1", APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Namespace: "shop", Name: "web"})
	if err != nil || answer.Value != 1 {
		t.Errorf("%d, %v, want 1", answer.Value, err)
	}
}
