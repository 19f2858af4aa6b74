package publish

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kubectl/pkg/cmd/apply"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// The set and its names are kubectl's: whoever looks at it with kubectl's eyes finds the same.
func TestTheSetIsKubectls(t *testing.T) {
	set := setOf(Application{Namespace: "shop", Kind: "Deployment", Name: "web"}, policy.Carried())
	kind := schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	theirs := apply.NewApplySet(&apply.ApplySetParentRef{Name: set.parent, Namespace: set.namespace,
		RESTMapping: &meta.RESTMapping{GroupVersionKind: kind}}, apply.ApplySetTooling{}, nil, nil)
	if set.id() != theirs.ID() {
		t.Errorf("id %s, and kubectl's is %s", set.id(), theirs.ID())
	}
	ours := []string{partOfLabel, parentIDLabel, toolingAnnotation, kindsAnnotation}
	want := []string{apply.ApplysetPartOfLabel, apply.ApplySetParentIDLabel, apply.ApplySetToolingAnnotation, apply.ApplySetGKsAnnotation}
	if diff := cmp.Diff(want, ours); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// pruned is a member, or a control plane, that serves the kinds of these tests and keeps who wrote what.
func pruned(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, policyv1alpha1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	var versions []schema.GroupVersion
	for _, kind := range policy.Carried() {
		versions = append(versions, kind.GroupVersion())
	}
	mapper := meta.NewDefaultRESTMapper(append(versions, rbacv1.SchemeGroupVersion))
	for _, kind := range policy.Carried() {
		if kind.Group != "apps.kruise.io" {
			mapper.Add(kind, meta.RESTScopeNamespace)
		}
	}
	mapper.Add(rbacv1.SchemeGroupVersion.WithKind("Role"), meta.RESTScopeNamespace)
	mapper.Add(autoscalingv1.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), meta.RESTScopeNamespace)
	return fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).WithReturnManagedFields().WithObjects(objects...).Build()
}

const (
	extraConfig = `{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}, data: {x: z}}`
	extraClaim  = `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: extra}, spec: {accessModes: [ReadWriteOnce]}}`
	extraRole   = `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: extra},
  rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`
	extraScaler = `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: extra},
  spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}`
	// another workload that uses the ConfigMap.
	another = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: other, namespace: shop},
  spec: {selector: {matchLabels: {app: other}}, template: {metadata: {labels: {app: other}},
  spec: {containers: [{name: other, image: x, envFrom: [{configMapRef: {name: extra}}]}]}}}}`
)

func bundleOf(t *testing.T, texts ...string) *Bundle {
	t.Helper()
	bundle, err := Load(fstest.MapFS{"app.yaml": {Data: []byte(strings.Join(texts, "\n---\n"))}})
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func objectOf(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	return bundleOf(t, text).common[0]
}

// What an earlier static release brought and the folder no longer has is told of, and deleted once that is asked for; whatever is
// somebody else's, or still needed, stays with the reason.
func TestAStaticReleasePrunes(t *testing.T) {
	web := string(folder["web.yaml"].Data)
	for name, tc := range map[string]struct {
		extra string
		// meanwhile changes what is in the member between the two releases.
		meanwhile func(live *unstructured.Unstructured)
		// anew has somebody make it anew, with the labels that it had.
		anew  bool
		also  []string
		again string
		want  []Left
	}{
		"a ConfigMap":                      {extra: extraConfig, want: []Left{{Where: "a", Object: "configmap/extra", Pruned: true}}},
		"a kind that no migration carries": {extra: extraRole, want: []Left{{Where: "a", Object: "role/extra", Pruned: true}}},
		"an autoscaler of the same workload": {
			extra: extraScaler, want: []Left{{Where: "a", Object: "horizontalpodautoscaler/extra", Pruned: true}},
		},
		"the same in another version of them": {extra: extraScaler, again: strings.Replace(extraScaler, "autoscaling/v2", "autoscaling/v1", 1)},
		"data": {
			extra: extraClaim, want: []Left{{Where: "a", Object: "persistentvolumeclaim/extra", Note: "it holds data: delete it yourself"}},
		},
		"a controller owns it": {extra: extraConfig, meanwhile: func(live *unstructured.Unstructured) {
			live.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "x/v1", Kind: "App", Name: "web", UID: "1", Controller: ptr.To(true)}})
		}, want: []Left{{Where: "a", Object: "configmap/extra", Note: "it is owned by App web"}}},
		"another tool applies it": {extra: extraConfig, meanwhile: func(live *unstructured.Unstructured) {
			live.SetAnnotations(map[string]string{"argocd.argoproj.io/tracking-id": "shop"})
		}, want: []Left{{Where: "a", Object: "configmap/extra", Note: "it bears the mark of Argo CD application shop"}}},
		"it is another application's": {extra: extraConfig, meanwhile: func(live *unstructured.Unstructured) {
			live.SetLabels(map[string]string{partOfLabel: "applyset-other-v1"})
		}},
		"no release wrote it": {extra: extraConfig, anew: true},
		"Karmada holds it": {extra: extraConfig, meanwhile: func(live *unstructured.Unstructured) {
			labels := live.GetLabels()
			labels["karmada.io/managed"] = "true"
			live.SetLabels(labels)
		}, want: []Left{{Where: "a", Object: "configmap/extra", Note: "Karmada still holds it for the application that was cut off: let that " +
			"leave ('argosyctl migration leave'), or adopt it again and prune then"}}},
		"another workload uses it": {extra: extraConfig, also: []string{another},
			want: []Left{{Where: "a", Object: "configmap/extra", Note: "it is used by deployment/other"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var there []client.Object
			for _, text := range tc.also {
				there = append(there, objectOf(t, text))
			}
			member := pruned(t, there...)
			publisher := &Publisher{Control: plane(t), Member: func(context.Context, string) (client.Client, error) { return member, nil }}
			release := func(texts ...string) Result {
				t.Helper()
				result, err := publisher.Release(t.Context(), "shop", bundleOf(t, texts...), []string{"a"})
				if err != nil {
					t.Fatal(err)
				}
				return result
			}
			if first := release(web, tc.extra); len(first.Left) > 0 {
				t.Fatalf("the first release left %+v", first.Left)
			}
			live := objectOf(t, tc.extra)
			live.SetNamespace("shop")
			key := client.ObjectKeyFromObject(live)
			if err := member.Get(t.Context(), key, live); err != nil {
				t.Fatal(err)
			}
			if tc.meanwhile != nil {
				tc.meanwhile(live)
				if err := member.Update(t.Context(), live, client.FieldOwner("somebody")); err != nil {
					t.Fatal(err)
				}
			}
			if tc.anew {
				copied := live.DeepCopy()
				copied.SetManagedFields(nil)
				copied.SetResourceVersion("")
				if err := member.Delete(t.Context(), live); err != nil {
					t.Fatal(err)
				}
				if err := member.Create(t.Context(), copied, client.FieldOwner("somebody")); err != nil {
					t.Fatal(err)
				}
			}
			again := []string{web}
			if tc.again != "" {
				again = append(again, tc.again)
			}
			var told []Left
			for _, left := range tc.want {
				left.Pruned = false
				told = append(told, left)
			}
			if diff := cmp.Diff(told, release(again...).Left); diff != "" {
				t.Errorf("told of (-want +got):\n%s", diff)
			}
			publisher.Prune, publisher.DryRun = true, true
			if diff := cmp.Diff(tc.want, release(again...).Left); diff != "" {
				t.Errorf("a dry run would delete (-want +got):\n%s", diff)
			}
			if err := member.Get(t.Context(), key, live); err != nil {
				t.Fatalf("gone, and nobody asked for that: %v", err)
			}
			publisher.DryRun = false
			if diff := cmp.Diff(tc.want, release(again...).Left); diff != "" {
				t.Errorf("deleted (-want +got):\n%s", diff)
			}
			gone := len(tc.want) > 0 && tc.want[0].Pruned
			if err := member.Get(t.Context(), key, live); apierrors.IsNotFound(err) != gone {
				t.Errorf("gone: %v, want %v", err, gone)
			}
		})
	}
}

// A federated application's policy is marked, and no longer preserves: its controller takes the object out. What is shared, suspended, or
// was never brought by a release stays as it is.
func TestAFederatedReleasePrunes(t *testing.T) {
	set := setOf(Application{Namespace: "shop", Kind: "Deployment", Name: "web"}, policy.Carried())
	for name, tc := range map[string]struct {
		change func(existing *policyv1alpha1.PropagationPolicy, template *unstructured.Unstructured)
		inUse  bool
		want   []Left
	}{
		"a ConfigMap": {want: []Left{{Where: ControlPlane, Object: "configmap/extra", Pruned: true, Note: "and with it from a, b"}}},
		"shared": {change: func(existing *policyv1alpha1.PropagationPolicy, _ *unstructured.Unstructured) {
			existing.Annotations = map[string]string{v1alpha1.AnnotationReferrers: "deployment/other,deployment/web"}
		}, want: []Left{{Where: ControlPlane, Object: "configmap/extra", Note: "it is shared by deployment/other, deployment/web"}}},
		"suspended": {change: func(existing *policyv1alpha1.PropagationPolicy, _ *unstructured.Unstructured) {
			existing.Spec.Suspension = &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}
		}, want: []Left{{Where: ControlPlane, Object: "configmap/extra", Note: "PropagationPolicy configmap-extra is suspended"}}},
		"no release brought it": {change: func(_ *policyv1alpha1.PropagationPolicy, template *unstructured.Unstructured) {
			template.SetLabels(nil)
		}},
		"another application's": {change: func(existing *policyv1alpha1.PropagationPolicy, _ *unstructured.Unstructured) {
			existing.Labels[v1alpha1.LabelManagedBy] = "deployment-other"
		}},
		"somebody uses it in a member": {inUse: true,
			want: []Left{{Where: ControlPlane, Object: "configmap/extra", Note: "it is used by deployment/other in cluster a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			template := objectOf(t, extraConfig)
			template.SetNamespace("shop")
			set.join(template, nil)
			existing := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "configmap-extra",
				Labels: map[string]string{v1alpha1.LabelManagedBy: "deployment-web"}}}
			existing.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{
				{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "extra"}}
			existing.Spec.Placement.ClusterAffinity = &policyv1alpha1.ClusterAffinity{ClusterNames: []string{"a", "b"}}
			existing.Spec.PreserveResourcesOnDeletion = ptr.To(true)
			if tc.change != nil {
				tc.change(existing, template)
			}
			control := pruned(t, listing(""), migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated), template, existing)
			var there []client.Object
			if tc.inUse {
				there = append(there, objectOf(t, another))
			}
			member := pruned(t, there...)
			publisher := &Publisher{Control: control, Prune: true,
				Member: func(context.Context, string) (client.Client, error) { return member, nil }}
			for _, dry := range []bool{true, false} {
				publisher.DryRun = dry
				result, err := publisher.Release(t.Context(), "shop", bundleOf(t, string(folder["web.yaml"].Data)), nil)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, result.Left); diff != "" {
					t.Errorf("left the folder (-want +got):\n%s", diff)
				}
				if err := control.Get(t.Context(), client.ObjectKeyFromObject(existing), existing); err != nil {
					t.Fatal(err)
				}
				asked := !dry && len(tc.want) > 0 && tc.want[0].Pruned
				preserves := ptr.Deref(existing.Spec.PreserveResourcesOnDeletion, false)
				if got := existing.Annotations[v1alpha1.AnnotationPruned] != ""; got != asked || preserves == asked {
					t.Errorf("the policy is given up: %v, preserves %v; want it given up: %v", got, preserves, asked)
				}
			}
		})
	}
}
