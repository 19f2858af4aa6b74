// Package release tests releases in stages on a real API server: the rules of the kind, the guards that need no program of ours, and the
// admissions of templates and Works with the real argosy-webhook. The test plays Karmada: it renders templates into Works.
package release

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	"github.com/karmada-io/karmada/pkg/util/overridemanager"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/release"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/interpreterlab"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	plane *interpreterlab.Plane
	// admin knows every kind the tests read.
	admin client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if plane, err = interpreterlab.NewPlane(context.Background(), "../../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer plane.Close()
	// Karmada serves Cluster from its aggregated API server.
	clusters := envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{fedhpaplane.ClusterCRD()}, MaxTime: lab.CRDsWithin}
	if _, err := envtest.InstallCRDs(plane.Config, clusters); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1alpha1.Install, policyv1alpha1.Install, workv1alpha1.Install, workv1alpha2.Install,
		migrationv1alpha1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if admin, err = client.New(lab.Patient(plane.Config), client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return lab.Judge(m)
}

// register what argosyctl install does, if its name begins so.
func register(t *testing.T, url string, trust []byte, prefix string) {
	t.Helper()
	objects, err := install.Registrations(url, trust)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if strings.HasPrefix(object.GetName(), prefix) {
			if err := admin.Create(t.Context(), object.DeepCopy()); client.IgnoreAlreadyExists(err) != nil {
				t.Fatal(err)
			}
		}
	}
}

func namespace(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := admin.Create(t.Context(), object); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	objects, err := manifest.Parse([]byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	return objects[0]
}

// federation plays Karmada for one Deployment, CloneSet or Component.
type federation struct {
	t         *testing.T
	namespace string
	kind      string
	assigned  map[string]int64
	// config goes to the members too.
	config bool
	// held are replicas that a rollout tool of the member keeps at what they were.
	held map[string]int64
	// refusals of the config by cluster: what the member's API server says to it.
	refusals map[string]string
	// former: what interprets the members' reports is of before reports named their revision.
	former bool
}

const template = `
apiVersion: APIVERSION
kind: KIND
metadata: {name: web, namespace: NAMESPACE}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "registry.example/web:IMAGE"}]}
`

const componentTemplate = `
apiVersion: APIVERSION
kind: KIND
metadata: {name: web, namespace: NAMESPACE}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: "registry.example/web:IMAGE", port: 8080, replicas: 6}
`

var apiVersions = map[string]string{
	"Deployment": "apps/v1", "CloneSet": "apps.kruise.io/v1alpha1", "Component": "component.luojilab.com/v1alpha1",
}

// push as kubectl apply --server-side does.
func (f *federation) push(image string) error {
	text := template
	if f.kind == "Component" {
		text = componentTemplate
	}
	object := parse(f.t, strings.NewReplacer("APIVERSION", apiVersions[f.kind], "KIND", f.kind, "NAMESPACE", f.namespace, "IMAGE",
		image).Replace(text))
	return admin.Apply(f.t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("gitops"), client.ForceOwnership)
}

func (f *federation) template() *unstructured.Unstructured {
	f.t.Helper()
	return f.object(apiVersions[f.kind], f.kind)
}

func (f *federation) object(apiVersion, kind string) *unstructured.Unstructured {
	f.t.Helper()
	out := &unstructured.Unstructured{}
	out.SetAPIVersion(apiVersion)
	out.SetKind(kind)
	if err := admin.Get(f.t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "web"}, out); err != nil {
		f.t.Fatal(err)
	}
	return out
}

// bind the template as the detector and the scheduler do.
func (f *federation) bind() {
	f.t.Helper()
	binding := &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: f.namespace, Name: "web-" + strings.ToLower(f.kind),
			Labels: map[string]string{workv1alpha2.ResourceBindingPermanentIDLabel: f.namespace},
		},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{APIVersion: f.template().GetAPIVersion(), Kind: f.kind, Namespace: f.namespace, Name: "web"},
			Replicas: 6,
		},
	}
	var group errgroup.Group
	group.SetLimit(16)
	for cluster, replicas := range f.assigned {
		binding.Spec.Clusters = append(binding.Spec.Clusters, workv1alpha2.TargetCluster{Name: cluster, Replicas: int32(replicas)})
		for _, object := range []client.Object{
			&clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: cluster},
				Spec: clusterv1alpha1.ClusterSpec{SyncMode: clusterv1alpha1.Push}},
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "karmada-es-" + cluster}},
		} {
			group.Go(func() error { return client.IgnoreAlreadyExists(admin.Create(f.t.Context(), object)) })
		}
	}
	if err := group.Wait(); err != nil {
		f.t.Fatal(err)
	}
	if err := admin.Create(f.t.Context(), binding); err != nil {
		f.t.Fatal(err)
	}
	if !f.config {
		return
	}
	config := binding.DeepCopy()
	config.ObjectMeta = metav1.ObjectMeta{
		Namespace: f.namespace, Name: "web-configmap",
		Labels: map[string]string{workv1alpha2.ResourceBindingPermanentIDLabel: f.namespace + "-config"},
	}
	config.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: f.namespace, Name: "web"}
	config.Spec.Replicas = 0
	if err := admin.Create(f.t.Context(), config); err != nil {
		f.t.Fatal(err)
	}
}

// sync writes a cluster's Work as the binding controller does, and reports of it what a good member would.
func (f *federation) sync(cluster string) error {
	f.t.Helper()
	if f.config {
		config := parse(f.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
		err := admin.Get(f.t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "web"}, config)
		if err == nil {
			if err = f.dispatch(cluster, config, f.namespace+"-config"); err == nil {
				f.execute(cluster)
			}
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	if err := f.dispatch(cluster, f.rendered(cluster), f.namespace); err != nil {
		return err
	}
	f.report(cluster, f.work(cluster))
	return nil
}

// rendered is the template with a cluster's share.
func (f *federation) rendered(cluster string) *unstructured.Unstructured {
	f.t.Helper()
	object := f.template()
	if err := unstructured.SetNestedField(object.Object, f.assigned[cluster], "spec", "replicas"); err != nil {
		f.t.Fatal(err)
	}
	return object
}

// dispatch renders an object for a cluster, with its overrides, and writes it into a Work.
func (f *federation) dispatch(cluster string, object *unstructured.Unstructured, name string) error {
	f.t.Helper()
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["resourcetemplate.karmada.io/uid"] = string(object.GetUID())
	annotations["resourcetemplate.karmada.io/generation"] = strconv.FormatInt(object.GetGeneration(), 10)
	object.SetAnnotations(annotations)
	for _, field := range []string{
		"managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "finalizers", "deletionTimestamp",
		"deletionGracePeriodSeconds",
	} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(object.Object, "status")
	if _, _, err := overridemanager.New(admin, &record.FakeRecorder{}).ApplyOverridePolicies(object, cluster); err != nil {
		return err
	}
	raw, err := json.Marshal(object)
	if err != nil {
		f.t.Fatal(err)
	}
	work := &workv1alpha1.Work{}
	key := f.keyOf(cluster, name)
	err = admin.Get(f.t.Context(), key, work)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		f.t.Fatal(err)
	}
	work.Namespace, work.Name = key.Namespace, key.Name
	work.Labels = map[string]string{workv1alpha2.ResourceBindingPermanentIDLabel: name}
	work.Spec.Workload.Manifests = []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: raw}}}
	if missing {
		return admin.Create(f.t.Context(), work)
	}
	return admin.Update(f.t.Context(), work)
}

// keyOf the Work of a binding, by the binding's permanent ID.
func (f *federation) keyOf(cluster, id string) client.ObjectKey {
	kind := f.kind
	if id != f.namespace {
		kind = "ConfigMap"
	}
	return client.ObjectKey{Namespace: names.GenerateExecutionSpaceName(cluster), Name: names.GenerateWorkName(kind, "web", f.namespace)}
}

// execute the Work of the config, as the execution controller does: nobody reports of it, and its condition says what the member answered.
func (f *federation) execute(cluster string) {
	f.t.Helper()
	work := f.workOf(cluster, f.namespace+"-config")
	applied := metav1.Condition{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionTrue, Reason: "AppliedSuccessful",
		Message: "Manifest has been successfully applied"}
	if refusal := f.refusals[cluster]; refusal != "" {
		applied.Status, applied.Reason, applied.Message = metav1.ConditionFalse, "AppliedFailed", refusal
	}
	if meta.SetStatusCondition(&work.Status.Conditions, applied) {
		if err := admin.Status().Update(f.t.Context(), work); err != nil {
			f.t.Fatal(err)
		}
	}
}

// report that all of the share is updated and all are ready.
func (f *federation) report(cluster string, work *workv1alpha1.Work) {
	f.t.Helper()
	manifest := f.manifest(work)
	replicas, _, _ := unstructured.NestedInt64(manifest.Object, "spec", "replicas")
	partition, _, _ := unstructured.NestedInt64(manifest.Object, "spec", "updateStrategy", "partition")
	revision := ""
	if f.kind != "Deployment" && !f.former { // Karmada reports of Deployments itself
		revision = fmt.Sprintf(`"releaseRevision":%q,`, manifest.GetAnnotations()[v1alpha1.AnnotationRevision])
	}
	status := fmt.Sprintf(`{%s"resourceTemplateGeneration":%s,"observedGeneration":1,"generation":1,`+
		`"replicas":%d,"updatedReplicas":%d,"availableReplicas":%d}`,
		revision, manifest.GetAnnotations()["resourcetemplate.karmada.io/generation"], replicas,
		replicas-max(partition, f.held[cluster]), replicas)
	work.Status.ManifestStatuses = []workv1alpha1.ManifestStatus{{
		Identifier: workv1alpha1.ResourceIdentifier{Kind: f.kind, Version: "v1", Name: "web", Namespace: f.namespace},
		Status:     &runtime.RawExtension{Raw: []byte(status)}, Health: workv1alpha1.ResourceHealthy,
	}}
	if err := admin.Status().Update(f.t.Context(), work); err != nil {
		f.t.Fatal(err)
	}
}

func (f *federation) manifest(work *workv1alpha1.Work) *unstructured.Unstructured {
	f.t.Helper()
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(work.Spec.Workload.Manifests[0].Raw); err != nil {
		f.t.Fatal(err)
	}
	return out
}

// dispatched is what a cluster's Work says: image, replicas, partition.
func (f *federation) dispatched(cluster string) string {
	f.t.Helper()
	work := &workv1alpha1.Work{}
	if err := admin.Get(f.t.Context(), f.keyOf(cluster, f.namespace), work); err != nil {
		f.t.Fatal(err)
	}
	var manifest struct {
		Spec struct {
			Replicas       int
			UpdateStrategy struct{ Partition int }
			Template       struct {
				Spec struct{ Containers []struct{ Image string } }
			}
		}
	}
	if err := json.Unmarshal(work.Spec.Workload.Manifests[0].Raw, &manifest); err != nil {
		f.t.Fatal(err)
	}
	_, tag, _ := strings.Cut(manifest.Spec.Template.Spec.Containers[0].Image, ":")
	return fmt.Sprintf("%s of %d, partition %d", tag, manifest.Spec.Replicas, manifest.Spec.UpdateStrategy.Partition)
}

// turn lets the controller look, and Karmada write every Work, until nothing changes.
func (f *federation) turn(c *release.Controller) *v1alpha1.Release {
	f.t.Helper()
	key := client.ObjectKey{Namespace: f.namespace, Name: "web"}
	out := &v1alpha1.Release{}
	for before, i := "", 0; i < 8; i++ {
		now := f.versions()
		if now == before {
			break
		}
		before = now
		if _, err := c.Reconcile(f.t.Context(), reconcile.Request{NamespacedName: key}); err != nil {
			f.t.Fatal(err)
		}
		for cluster := range f.assigned {
			if err := f.sync(cluster); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	if err := admin.Get(f.t.Context(), key, out); client.IgnoreNotFound(err) != nil {
		f.t.Fatal(err)
	}
	return out
}

// versions of everything that a turn may change.
func (f *federation) versions() string {
	f.t.Helper()
	objects := []client.Object{&v1alpha1.Release{}, f.template()}
	objects[0].SetNamespace(f.namespace)
	objects[0].SetName("web")
	for cluster := range f.assigned {
		for _, name := range []string{f.namespace, f.namespace + "-config"} {
			work := &workv1alpha1.Work{}
			key := f.keyOf(cluster, name)
			work.SetNamespace(key.Namespace)
			work.SetName(key.Name)
			objects = append(objects, work)
		}
	}
	var out []string
	for _, object := range objects {
		if err := admin.Get(f.t.Context(), client.ObjectKeyFromObject(object), object); client.IgnoreNotFound(err) != nil {
			f.t.Fatal(err)
		}
		out = append(out, object.GetNamespace()+object.GetName()+object.GetResourceVersion())
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func controller() *release.Controller {
	return &release.Controller{Client: admin, Reader: admin, Clock: clock.RealClock{}, Events: record.NewFakeRecorder(1000)}
}

func (f *federation) work(cluster string) *workv1alpha1.Work {
	f.t.Helper()
	return f.workOf(cluster, f.namespace)
}

func (f *federation) workOf(cluster, name string) *workv1alpha1.Work {
	f.t.Helper()
	out := &workv1alpha1.Work{}
	if err := admin.Get(f.t.Context(), f.keyOf(cluster, name), out); err != nil {
		f.t.Fatal(err)
	}
	return out
}

// image a cluster's Work has.
func (f *federation) image(cluster string) string {
	f.t.Helper()
	if image, ok, err := unstructured.NestedString(f.manifest(f.work(cluster)).Object, "spec", "image"); ok && err == nil {
		return image
	}
	containers, _, err := unstructured.NestedSlice(f.manifest(f.work(cluster)).Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		f.t.Fatalf("%d containers, %v", len(containers), err)
	}
	container, _ := containers[0].(map[string]any)
	return fmt.Sprint(container["image"])
}
