package server

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	discoveryfake "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
)

// members of a test. The schedulers in them are real; the API servers are not what these tests are about (test/integration/estimator is).
type members map[string]*mirror.Member

func (m members) Member(name string) (*mirror.Member, error) {
	if member, ok := m[name]; ok && member != nil {
		return member, nil
	}
	return nil, errors.New("no such member")
}

// memberOf is a member of these objects whose scheduler has the plugins that its configuration names.
func memberOf(t *testing.T, name, configuration string, plugins oracle.Plugins, objects ...runtime.Object) *mirror.Member {
	t.Helper()
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	t.Cleanup(cancel)
	parsed, err := oracle.LoadConfiguration("", plugins)
	if configuration != "" {
		parsed, err = oracle.ParseConfiguration([]byte(configuration), plugins)
	}
	if err != nil {
		t.Fatal(err)
	}
	member, err := mirror.NewMember(ctx, mirror.Config{Name: name, Configuration: parsed, Plugins: plugins, Clock: clock.RealClock{}},
		mirror.Clients{
			Typed: fake.NewClientset(objects...), Dynamic: dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()), Rest: &rest.Config{},
		})
	if err != nil {
		t.Fatal(err)
	}
	member.Start(ctx)
	if err := member.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	return member
}

func node(name string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("64Gi"),
			"pods": resource.MustParse("50")}}}
}

func requests(cpu string) wire.Requirements {
	return wire.Requirements{Namespace: "shop", Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu)}}
}

func ask(t *testing.T, s *Server, object string, request *wire.MaxAvailableReplicasRequest, want int32) int32 {
	t.Helper()
	ctx := klog.NewContext(context.Background(), klog.Logger{})
	if object != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(wire.ObjectKey, object))
	}
	return unhurriedly(t, want, func() (*wire.Count, error) { return s.MaxAvailableReplicas(ctx, request) })
}

// unhurriedly asks again where it may be the machine that took the time: a promise that is broken is broken for a minute, and a wrong
// answer that came quickly is wrong at once.
func unhurriedly(t *testing.T, want int32, once func() (*wire.Count, error)) int32 {
	t.Helper()
	first := time.Now() //nolint:forbidigo // the promise is one of real time
	for {
		begun := time.Now() //nolint:forbidigo // the promise is one of real time
		answer, err := once()
		took := time.Since(begun)
		if err != nil {
			t.Fatalf("an error discards the other clusters' answers: %v", err)
		}
		over := time.Since(first) > time.Minute
		if over && took > promised {
			t.Errorf("answered after %s, for a minute", took)
		}
		if over || took <= unhurried || took <= promised && answer.Value == want {
			return answer.Value
		}
	}
}

const (
	// promised is within what an answer is given, whatever is known by then.
	promised = 1500 * time.Millisecond
	// unhurried is an answer for which no part of the server can have run out of its time.
	unhurried = 300 * time.Millisecond
)

// served are the kinds of the control plane. Guarded may not be read, Slow takes its time, and so does Fitful after it was
// read once.
var served = map[schema.GroupVersionKind]string{
	{Group: "apps", Version: "v1", Kind: "Deployment"}:                        "deployments",
	{Group: "apps", Version: "v1", Kind: "StatefulSet"}:                       "statefulsets",
	{Group: "batch", Version: "v1", Kind: "Job"}:                              "jobs",
	{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"}:          "clonesets",
	{Group: "apps.kruise.io", Version: "v1beta1", Kind: "StatefulSet"}:        "statefulsets",
	{Group: "vm.argosy.dev", Version: "v1alpha1", Kind: "VMReplicaSet"}:       "vmreplicasets",
	{Group: "component.luojilab.com", Version: "v1alpha1", Kind: "Component"}: "components",
	{Group: "", Version: "v1", Kind: "PersistentVolumeClaim"}:                 "persistentvolumeclaims",
	{Group: "example.com", Version: "v1", Kind: "Guarded"}:                    "guardeds",
	{Group: "example.com", Version: "v1", Kind: "Slow"}:                       "slows",
	{Group: "example.com", Version: "v1", Kind: "Fitful"}:                     "fitfuls",
}

// controlPlane serves workloads to the template resolver.
func controlPlane(t *testing.T, workloads ...*unstructured.Unstructured) *template.Resolver {
	t.Helper()
	return resolver(t, clock.RealClock{}, workloads...)
}

// resolver reads a control plane of these workloads, and counts the age of what it read by clk.
func resolver(t *testing.T, clk clock.PassiveClock, workloads ...*unstructured.Unstructured) *template.Resolver {
	t.Helper()
	lists, kinds := map[schema.GroupVersionResource]string{}, &discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{}}
	for kind, resource := range served {
		lists[kind.GroupVersion().WithResource(resource)] = kind.Kind + "List"
		kinds.Resources = append(kinds.Resources, &metav1.APIResourceList{GroupVersion: kind.GroupVersion().String(),
			APIResources: []metav1.APIResource{{Name: resource, Kind: kind.Kind, Namespaced: true}}})
	}
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists)
	for _, workload := range workloads {
		kind := workload.GroupVersionKind()
		if err := client.Tracker().Create(kind.GroupVersion().WithResource(served[kind]), workload, workload.GetNamespace()); err != nil {
			t.Fatal(err)
		}
	}
	client.PrependReactor("get", "guardeds", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Group: "example.com", Resource: "guardeds"}, "x", errors.New("no right"))
	})
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	client.PrependReactor("get", "slows", func(clienttesting.Action) (bool, runtime.Object, error) {
		<-ended
		return true, nil, errors.New("too late")
	})
	var read atomic.Bool
	client.PrependReactor("get", "fitfuls", func(clienttesting.Action) (bool, runtime.Object, error) {
		if !read.Swap(true) {
			return false, nil, nil
		}
		<-ended
		return true, nil, errors.New("too late")
	})
	return template.NewResolver(client, preferred{kinds}, clk)
}

// preferred lists what the fake has: its own ServerPreferredResources lists nothing.
type preferred struct{ *discoveryfake.FakeDiscovery }

func (p preferred) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	return p.Resources, nil
}

func workload(apiVersion, kind, name, cpu string, podSpec map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"containers": []any{map[string]any{"name": "main", "image": "app:1",
		"resources": map[string]any{"requests": map[string]any{"cpu": cpu}}}}}
	maps.Copy(spec, podSpec)
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"namespace": "shop", "name": name},
		"spec": map[string]any{"replicas": int64(3), "template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"app": name}}, "spec": spec}}}}
}

var onePerHost = map[string]any{
	"affinity": map[string]any{"podAntiAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": []any{
		map[string]any{"topologyKey": corev1.LabelHostname, "labelSelector": map[string]any{"matchLabels": map[string]any{"app": "web"}}}}}}}

func newServer(m members, templates *template.Resolver, promises *inflight.Ledger) *Server {
	return New(Options{Members: m, Templates: templates, Promises: promises, Clock: clock.RealClock{}})
}
