package interpreter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter"
	"github.com/karmada-io/karmada/pkg/util/fedinformer/genericmanager"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/hook"
)

// documents reads YAML documents.
func documents(text []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	reader := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := reader.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, object)
	}
}

// namespace is one of the test's own.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "interpreter-"}}
	create(t, ns)
	return ns.Name
}

// register makes Karmada's interpreter ask the webhook, for as long as the test runs.
func register(t *testing.T, w *webhook) {
	t.Helper()
	url := w.url
	create(t, hook.Registration(interpreter.Families(), admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: w.authority.PEM}))
}

// karmada is Karmada's own resource interpreter over the plane: customizations, webhooks, bundled Lua, native code.
func karmada(t *testing.T) resourceinterpreter.ResourceInterpreter {
	t.Helper()
	dynamicClient, err := dynamic.NewForConfig(plane.Config)
	if err != nil {
		t.Fatal(err)
	}
	kubernetesClient, err := kubernetes.NewForConfig(plane.Config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	factory := informers.NewSharedInformerFactory(kubernetesClient, 0)
	out := resourceinterpreter.NewResourceInterpreter(
		genericmanager.NewSingleClusterInformerManager(ctx, dynamicClient, 0), factory.Core().V1().Services().Lister())
	if err := out.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return out
}

// cloneSet is a template of ten replicas of which nine are held back.
func cloneSet(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet",
		"metadata": map[string]any{"name": "web", "namespace": namespace},
		"spec": map[string]any{
			"replicas":       int64(10),
			"selector":       map[string]any{"matchLabels": map[string]any{"app": "web"}},
			"updateStrategy": map[string]any{"partition": int64(9)},
			"template":       map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "web", "image": "web:1"}}}},
		},
	}}
}

// binding is the template's, as Karmada's scheduler leaves it.
func binding(object *unstructured.Unstructured, scheduling policyv1alpha1.ReplicaSchedulingType, clusters ...workv1alpha2.TargetCluster) *workv1alpha2.ResourceBinding {
	return &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: "web-cloneset"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{
				APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(),
			},
			Clusters:  clusters,
			Placement: &policyv1alpha1.Placement{ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{ReplicaSchedulingType: scheduling}},
		},
	}
}
