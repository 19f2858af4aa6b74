package publish

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

func TestReleaseWhileChangingWritesNothing(t *testing.T) {
	publisher := &Publisher{Control: plane(t, listing(""), migration(v1alpha1.ManagementChanging, v1alpha1.PhaseSoaking)),
		Member: func(context.Context, string) (client.Client, error) { t.Error("a member was reached"); return nil, nil }}
	result, err := publisher.Release(t.Context(), "shop", load(t), nil)
	if !errors.Is(err, ErrChanging) || len(result.Written) > 0 {
		t.Errorf("result %+v, error %v", result, err)
	}
}

func TestReleaseOfAFederatedApplication(t *testing.T) {
	template := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "web", "namespace": "shop", "labels": map[string]any{
			v1alpha1.LabelManagedBy: "deployment-web", "propagationpolicy.karmada.io/permanent-id": "id"},
			"annotations": map[string]any{v1alpha1.AnnotationContentHash: "h"}},
		"spec": map[string]any{"replicas": int64(10)},
	}}
	federated := migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated)
	federated.Status.Resources = []v1alpha1.ResourceStatus{
		{ResourceReference: v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, Policy: "deployment-web"},
		{ResourceReference: v1alpha1.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "web"}, Policy: "configmap-web"},
	}
	control := plane(t, listing(""), federated, template)
	members := map[string]client.Client{"a": plane(t), "b": plane(t)} // looked at for what is new only
	member := func(_ context.Context, name string) (client.Client, error) { return members[name], nil }
	publisher := &Publisher{Control: control, Member: member}
	if _, err := publisher.Release(t.Context(), "shop", load(t), nil); err != nil {
		t.Fatal(err)
	}
	if err := control.Get(t.Context(), client.ObjectKeyFromObject(template), template); err != nil {
		t.Fatal(err)
	}
	containers, _, _ := unstructured.NestedSlice(template.Object, "spec", "template", "spec", "containers")
	if replicas, _ := policy.Replicas(template); replicas != 10 || containers[0].(map[string]any)["image"] != "web:2" {
		t.Errorf("template has %d replicas and %v", replicas, containers)
	}
	labels := template.GetLabels()
	if labels[v1alpha1.LabelManagedBy] != "deployment-web" || labels["propagationpolicy.karmada.io/permanent-id"] != "id" {
		t.Errorf("the template's marks are %v", labels)
	}
	var policies policyv1alpha1.PropagationPolicyList
	if err := control.List(t.Context(), &policies); err != nil {
		t.Fatal(err)
	}
	placed := map[string][]string{}
	for _, one := range policies.Items {
		placed[one.Name] = one.Spec.Placement.ClusterAffinity.ClusterNames
		if one.Labels[v1alpha1.LabelManagedBy] != "deployment-web" {
			t.Errorf("policy %s has no owner: a cut-off would miss it", one.Name)
		}
	}
	want := map[string][]string{"deployment-web": {"a", "b"}, "configmap-web": {"a", "b"}, "configmap-only-a": {"a"}}
	if diff := cmp.Diff(want, placed); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	for name, member := range members {
		var configs corev1.ConfigMapList
		if err := member.List(t.Context(), &configs); err != nil || len(configs.Items) > 0 {
			t.Errorf("member %s was written to: %d objects, %v", name, len(configs.Items), err)
		}
	}
}

// What the take-over left static stays so, what is in a member is not taken over by publishing it, and what
// another application holds is refused.
func TestAFederatedReleaseTakesNothingOver(t *testing.T) {
	config := v1alpha1.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "web"}
	inMember := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "only-a"}}
	foreign := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "configmap-only-a",
		Labels: map[string]string{v1alpha1.LabelManagedBy: "deployment-other"}}}
	for name, tc := range map[string]struct {
		control []client.Object
		member  []client.Object
		want    []Written
		wantErr string
	}{
		"shared with a static one, and never taken over": {
			member: []client.Object{inMember},
			want: []Written{
				{Where: "control plane", Object: "propagationpolicy/deployment-web", New: true},
				{Where: "a", Object: "configmap/web", Note: "static: shared with deployment/other", New: true},
				{Where: "a", Object: "configmap/only-a", Note: "static: it is in cluster a and was never taken over",
					Changes: []v1alpha1.FieldChange{{Path: "data", Kind: v1alpha1.ChangeHarmful, Planned: `{"x":"z"}`}}},
				{Where: "b", Object: "configmap/web", Note: "static: shared with deployment/other", New: true},
				{Where: "control plane", Object: "deployment/web", New: true},
			},
		},
		"held by another application": {control: []client.Object{foreign}, wantErr: "PropagationPolicy configmap-only-a holds configmap/only-a"},
	} {
		t.Run(name, func(t *testing.T) {
			federated := migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated)
			federated.Status.Resources = []v1alpha1.ResourceStatus{
				{ResourceReference: v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, Policy: "deployment-web"},
				{ResourceReference: config, Note: "shared with deployment/other"},
			}
			members := map[string]client.Client{"a": plane(t, tc.member...), "b": plane(t)}
			publisher := &Publisher{Control: plane(t, append(tc.control, listing(""), federated)...),
				Member: func(_ context.Context, name string) (client.Client, error) { return members[name], nil }}
			result, err := publisher.Release(t.Context(), "shop", load(t), nil)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("error %v, want %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, result.Written); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
		})
	}
}

// A release that meets the beginning of a take-over is not called done.
func TestAReleaseThatWasOvertaken(t *testing.T) {
	control := plane(t, listing(""), migration(v1alpha1.ManagementStatic, v1alpha1.PhaseAwaitingApproval))
	publisher := &Publisher{Control: control, Member: func(ctx context.Context, _ string) (client.Client, error) {
		opened := migration(v1alpha1.ManagementChanging, v1alpha1.PhaseOpening)
		if err := control.Get(ctx, client.ObjectKeyFromObject(opened), opened); err != nil {
			return nil, err
		}
		opened.Status.Management, opened.Status.Phase = v1alpha1.ManagementChanging, v1alpha1.PhaseOpening
		return plane(t), control.Update(ctx, opened)
	}}
	_, err := publisher.Release(t.Context(), "shop", load(t), nil)
	if !errors.Is(err, ErrChanging) || !strings.Contains(err.Error(), "release it again") {
		t.Errorf("error %v, want that it must be released again", err)
	}
}

func TestStaticReleaseStartsAWaitingTakeOver(t *testing.T) {
	control := plane(t, listing(v1alpha1.TriggerOnRelease), migration(v1alpha1.ManagementStatic, v1alpha1.PhasePending))
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	members := map[string]client.Client{"a": plane(t), "b": plane(t)}
	publisher := &Publisher{Control: control, Clock: testingclock.NewFakePassiveClock(now),
		Member: func(_ context.Context, name string) (client.Client, error) { return members[name], nil }}
	result, err := publisher.Release(t.Context(), "shop", load(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Written) != 5 {
		t.Errorf("wrote %v, want 3 objects in a and 2 in b", result.Written)
	}
	got, err := Find(t.Context(), control, Application{Namespace: "shop", Kind: "Deployment", Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Spec.ReleasedTime == nil || !got.Spec.ReleasedTime.Time.Equal(now) {
		t.Errorf("the release was not told: %v", got.Spec.ReleasedTime)
	}
}

// A slip in the name of one cluster must not release the application to the others.
func TestStaticReleaseReachesAllClustersOrNone(t *testing.T) {
	publisher := &Publisher{Control: plane(t), Member: func(_ context.Context, name string) (client.Client, error) {
		if name == "b" {
			return nil, errors.New("not joined to the federation")
		}
		return plane(t), nil
	}}
	result, err := publisher.Release(t.Context(), "shop", load(t), nil)
	if err == nil || !strings.Contains(err.Error(), "reaching cluster b: not joined") {
		t.Errorf("error %v, want that cluster b cannot be reached", err)
	}
	if len(result.Written) != 0 {
		t.Errorf("wrote %v, want nothing", result.Written)
	}
}

// A kind that no migration carries could not be rolled back with its application: it is refused before anything is written.
func TestAFederatedReleaseRefusesWhatCouldNotBeRolledBack(t *testing.T) {
	for name, tc := range map[string]struct{ object, want string }{
		"a NetworkPolicy": {
			object: `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web}, spec: {podSelector: {}}}`,
			want:   "networkpolicy/web: networking.k8s.io/v1 NetworkPolicy is no kind that a migration carries",
		},
		"a Secret that differs": {
			object: `{apiVersion: v1, kind: Secret, metadata: {name: web}, stringData: {key: a}}`,
			want:   "secret/web cannot be federated: its content differs between clusters",
		},
	} {
		t.Run(name, func(t *testing.T) {
			elsewhere := strings.Replace(tc.object, "key: a", "key: b", 1)
			files := fstest.MapFS{"web.yaml": folder["web.yaml"],
				"clusters/a/x.yaml": {Data: []byte(tc.object)}, "clusters/b/x.yaml": {Data: []byte(elsewhere)}}
			bundle, err := Load(files)
			if err != nil {
				t.Fatal(err)
			}
			control := plane(t, migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated), listing(v1alpha1.TriggerImmediate))
			empty := plane(t)
			publisher := Publisher{Control: control, Member: func(context.Context, string) (client.Client, error) { return empty, nil }}
			result, err := publisher.Release(t.Context(), "shop", bundle, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if meta.IsNoMatchError(err) {
				t.Errorf("argosyctl would take the API server of its kubeconfig for the wrong one: %v", err)
			}
			if len(result.Written) > 0 {
				t.Errorf("wrote %v", result.Written)
			}
		})
	}
}

// A kind that the controllers are configured to carry is published with its application, under a policy of it, and so rolled back with it.
func TestAFederatedReleaseCarriesWhatIsConfigured(t *testing.T) {
	list := listing(v1alpha1.TriggerImmediate)
	list.Status.CarriedKinds = []string{"networking.k8s.io/v1/NetworkPolicy"}
	control := plane(t, migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated), list)
	empty := plane(t)
	publisher := Publisher{Control: control, Member: func(context.Context, string) (client.Client, error) { return empty, nil }}
	bundle, err := Load(fstest.MapFS{"web.yaml": folder["web.yaml"], "np.yaml": {Data: []byte(
		`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web}, spec: {podSelector: {matchLabels: {app: web}}}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := publisher.Release(t.Context(), "shop", bundle, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"networkpolicy/web", "propagationpolicy/networkpolicy-web"} {
		if !slices.ContainsFunc(result.Written, func(w Written) bool { return w.Where == ControlPlane && w.Object == want && w.New }) {
			t.Errorf("%s was not written to the control plane: %+v", want, result.Written)
		}
	}
	made := &policyv1alpha1.PropagationPolicy{}
	if err := control.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "networkpolicy-web"}, made); err != nil ||
		made.Labels[v1alpha1.LabelManagedBy] != "deployment-web" || !ptr.Deref(made.Spec.PreserveResourcesOnDeletion, false) {
		t.Errorf("its policy is %+v, %v", made, err)
	}
}

// What a release gives up keeps its live value: with the autoscaler in the folder, the replicas stay what they were and do not fall to
// the API's default.
func TestAnAutoscalerInTheFolderDropsNoReplicas(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	member := fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(testrestmapper.TestOnlyStaticRESTMapper(scheme)).
		WithReturnManagedFields().Build()
	control := plane(t)
	publisher := &Publisher{Control: control, Member: func(context.Context, string) (client.Client, error) { return member, nil }}
	files := fstest.MapFS{"web.yaml": folder["web.yaml"]}
	const autoscaler = `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web},
  spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}`
	for _, add := range []string{"", autoscaler} {
		if add != "" {
			files["hpa.yaml"] = &fstest.MapFile{Data: []byte(add)}
		}
		for range 2 {
			bundle, err := Load(files)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := publisher.Release(t.Context(), "shop", bundle, []string{"a"}); err != nil {
				t.Fatal(err)
			}
			live := &unstructured.Unstructured{}
			live.SetAPIVersion("apps/v1")
			live.SetKind("Deployment")
			if err := member.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web"}, live); err != nil {
				t.Fatal(err)
			}
			if replicas, found, _ := unstructured.NestedInt64(live.Object, "spec", "replicas"); !found || replicas != 3 {
				t.Errorf("replicas %d (%v), want 3", replicas, found)
			}
		}
	}
}

// Nothing is published beside the namespace of the release, for everybody, or into a cluster that a federated application is not in.
func TestWhatIsPublishedNowhere(t *testing.T) {
	for name, tc := range map[string]struct {
		objects  []client.Object
		file     string
		clusters []string
		want     string
	}{
		"another namespace": {
			file: `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: other}}`,
			want: "configmap/x is in namespace other, and the release in shop",
		},
		"everybody's": {
			file: `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}}`,
			want: "clusterrole/x is no object of a namespace",
		},
		"the control plane's": {
			file: `{apiVersion: policy.karmada.io/v1alpha1, kind: PropagationPolicy, metadata: {name: x}}`,
			want: "propagationpolicy/x is of the control plane, and cluster a serves no PropagationPolicy of policy.karmada.io/v1alpha1",
		},
		"a kind that the cluster lacks": {
			file: `{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: x}}`,
			want: "servicemonitor/x: cluster a serves no ServiceMonitor of monitoring.coreos.com/v1: install what brings the kind there",
		},
		"a cluster it is not in": {
			objects:  []client.Object{migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated), listing("")},
			clusters: []string{"a", "c"},
			file:     `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`,
			want:     "federated in a, b, and c is none of them",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, err := Load(fstest.MapFS{"web.yaml": folder["web.yaml"], "x.yaml": {Data: []byte(tc.file)}})
			if err != nil {
				t.Fatal(err)
			}
			scheme := runtime.NewScheme()
			if err := clientgoscheme.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			mapper := meta.NewDefaultRESTMapper(nil)
			mapper.Add(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"), meta.RESTScopeRoot)
			for _, kind := range []schema.GroupVersionKind{{Group: "apps", Version: "v1", Kind: "Deployment"}, {Version: "v1", Kind: "ConfigMap"}} {
				mapper.Add(kind, meta.RESTScopeNamespace)
			}
			member := fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).Build()
			reach := func(context.Context, string) (client.Client, error) { return member, nil }
			publisher := &Publisher{Control: plane(t, tc.objects...), Member: reach}
			clusters := tc.clusters
			if clusters == nil {
				clusters = []string{"a"}
			}
			result, err := publisher.Release(t.Context(), "shop", bundle, clusters)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "nothing was published") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if meta.IsNoMatchError(err) {
				t.Errorf("argosyctl would take the API server of its kubeconfig for the wrong one: %v", err)
			}
			if len(result.Written) > 0 {
				t.Errorf("wrote %v", result.Written)
			}
		})
	}
}

// A shared ConfigMap whose other user was cut off does not reach that cluster: it is written, and who published it is told.
func TestAReleaseTellsWhatIsHeldBack(t *testing.T) {
	shared := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "configmap-web",
		Labels:      map[string]string{v1alpha1.LabelManagedBy: "deployment-web"},
		Annotations: map[string]string{v1alpha1.AnnotationReferrers: "deployment/other,deployment/web"},
	}}
	shared.Spec.Suspension = policy.Suspension([]string{"a", "b"}, func(cluster string) bool { return cluster == "a" })
	control := plane(t, listing(""), migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated), shared)
	publisher := &Publisher{Control: control, Member: func(context.Context, string) (client.Client, error) { return plane(t), nil }}
	result, err := publisher.Release(t.Context(), "shop", load(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Written{{Where: "b", Object: "configmap/web",
		Note: "PropagationPolicy configmap-web is suspended there: it is shared by deployment/other, deployment/web, " +
			"and not each of them is federated"}}
	if diff := cmp.Diff(want, result.Held); diff != "" {
		t.Errorf("held back (-want +got):\n%s", diff)
	}
}

// "nothing was published" is said only where that is so: the clusters that static objects go to are reached before anything is written.
func TestAFederatedReleaseReachesItsClustersFirst(t *testing.T) {
	federated := migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated)
	federated.Status.Resources = []v1alpha1.ResourceStatus{
		{ResourceReference: v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, Policy: "deployment-web"}}
	for _, name := range []string{"web", "only-a"} {
		federated.Status.Resources = append(federated.Status.Resources, v1alpha1.ResourceStatus{
			ResourceReference: v1alpha1.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: name}, Note: "shared with deployment/other"})
	}
	control := plane(t, listing(""), federated)
	unreachable := func(context.Context, string) (client.Client, error) { return nil, errors.New("no such host") }
	publisher := &Publisher{Control: control, Member: unreachable}
	result, err := publisher.Release(t.Context(), "shop", load(t), nil)
	if err == nil || !strings.Contains(err.Error(), "no such host; nothing was published") {
		t.Errorf("error %v, want that nothing was published", err)
	}
	var policies policyv1alpha1.PropagationPolicyList
	if err := control.List(t.Context(), &policies); err != nil || len(policies.Items)+len(result.Written) > 0 {
		t.Errorf("%d policies and %v were written, %v", len(policies.Items), result.Written, err)
	}
}
