package migration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/migration/publish"
)

const (
	deploymentText = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, labels: {app: web}}, spec: {
		replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}},
  spec: {containers: [{name: app, image: "app:%s", env: [%s]}]}}}}`
	serviceText = `{apiVersion: v1, kind: Service, metadata: {name: web},
		spec: {type: NodePort, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}}`
	mode = `{name: MODE, value: same}`
	old  = `{name: OLD, value: gone}`
)

func parsed(t *testing.T, text, namespace string) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &out.Object); err != nil {
		t.Fatal(err)
	}
	out.SetNamespace(namespace)
	return out
}

// touched is what people and tools did to a workload beside the folder: kubectl set env, kubectl rollout restart, an injector.
func touched(t *testing.T, live *unstructured.Unstructured) {
	t.Helper()
	for manager, patch := range map[string]string{
		"kubectl-set":     `{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"EXTRA","value":"set"}]}]}}}}`,
		"kubectl-rollout": `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"}}}}}`,
		"injector":        `{"spec":{"template":{"metadata":{"annotations":{"injector/status":"injected"}}}}}`,
	} {
		if err := plane.Patch(t.Context(), live, client.RawPatch(types.StrategicMergePatchType, []byte(patch)),
			client.FieldOwner(manager)); err != nil {
			t.Fatal(err)
		}
	}
}

// staticallyReleased are a cluster's objects as kubectl apply and people left them.
func staticallyReleased(t *testing.T, cluster, env string) []*unstructured.Unstructured {
	t.Helper()
	namespace(t, cluster)
	objects := []*unstructured.Unstructured{parsed(t, fmt.Sprintf(deploymentText, "1", env), cluster), parsed(t, serviceText, cluster)}
	for _, object := range objects {
		if err := plane.Create(t.Context(), object, client.FieldOwner(policy.KubectlApply)); err != nil {
			t.Fatal(err)
		}
	}
	touched(t, objects[0])
	return objects
}

// takenOver is an application of two clusters in the control plane, as its controller writes it.
func takenOver(t *testing.T, home string, clusters map[string][]*unstructured.Unstructured) {
	t.Helper()
	namespace(t, home)
	workload := v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	application := policy.Application{Namespace: home, Workload: workload, Owner: "deployment-web", Objects: map[string][]policy.Found{}}
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "deployment-web"}}
	migration.Spec.WorkloadReference = v1alpha1.WorkloadReference(workload)
	status := v1alpha1.MigrationStatus{Phase: v1alpha1.PhaseFederated, Management: v1alpha1.ManagementFederated}
	for cluster, objects := range clusters {
		status.Clusters = append(status.Clusters, v1alpha1.ClusterStatus{Name: cluster, State: v1alpha1.ClusterOpen})
		for _, object := range objects {
			if object.GetKind() == "Service" {
				// This one API server plays members and control plane; each of them has node ports of its own.
				if err := plane.Delete(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
			object.SetNamespace(home)
			application.Objects[cluster] = append(application.Objects[cluster], policy.Found{Object: object})
		}
	}
	resources, err := policy.Author(application)
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range resources {
		status.Resources = append(status.Resources, v1alpha1.ResourceStatus{ResourceReference: resource.ResourceReference,
			Policy: resource.Policy.Name})
		template := resource.Template.DeepCopy()
		made := []client.Object{template, resource.Policy}
		if resource.Override != nil {
			made = append(made, resource.Override)
		}
		for _, object := range made {
			if err := plane.Create(t.Context(), object, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
				t.Fatal(err)
			}
		}
		policy.Own(template, resource.Ownership)
		if err := plane.Update(t.Context(), template, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
			t.Fatal(err)
		}
	}
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: home}}
	whitelist.Spec.Entries = []v1alpha1.WhitelistEntry{{Namespace: home, WorkloadReference: migration.Spec.WorkloadReference,
		Environment: v1alpha1.EnvironmentTest}}
	for _, object := range []client.Object{whitelist, migration} {
		if err := plane.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	migration.Status = status
	if err := plane.Status().Update(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
}

func folderOf(t *testing.T, objects ...string) *publish.Bundle {
	t.Helper()
	bundle, err := publish.Load(fstest.MapFS{"app.yaml": {Data: []byte(strings.Join(objects, "\n---\n"))}})
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// got are the fields of a Deployment that the stories are about.
func got(t *testing.T, namespace string) map[string]string {
	t.Helper()
	live := parsed(t, fmt.Sprintf(deploymentText, "", ""), namespace)
	if err := plane.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
		t.Fatal(err)
	}
	containers, _, err := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("containers %v, %v", containers, err)
	}
	container, _ := containers[0].(map[string]any)
	var env []string
	list, _, err := unstructured.NestedSlice(container, "env")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		env = append(env, fmt.Sprint(one.(map[string]any)["name"]))
	}
	slices.Sort(env)
	annotations, _, err := unstructured.NestedStringMap(live.Object, "spec", "template", "metadata", "annotations")
	if err != nil {
		t.Fatal(err)
	}
	replicas, _ := policy.Replicas(live)
	return map[string]string{"image": fmt.Sprint(container["image"]), "env": strings.Join(env, " "), "replicas": fmt.Sprint(replicas),
		"restartedAt": annotations["kubectl.kubernetes.io/restartedAt"], "injected": annotations["injector/status"]}
}

// A federated release changes what the folder changed, and nothing else: the pods of what nobody touched do not restart, and clusters
// keep the ports they chose. What kubectl apply had brought and the folder no longer has goes.
func TestAFederatedReleaseKeepsWhatOthersWrote(t *testing.T) {
	t.Parallel()
	clusters := map[string][]*unstructured.Unstructured{
		"pub-a": staticallyReleased(t, "pub-a", mode+","+old), "pub-b": staticallyReleased(t, "pub-b", mode+","+old),
	}
	takenOver(t, "pub-home", clusters)
	over := &policyv1alpha1.OverridePolicy{}
	key := client.ObjectKey{Namespace: "pub-home", Name: "service-web"}
	if err := plane.Get(t.Context(), key, over); err != nil || len(over.Spec.OverrideRules) != 1 {
		t.Fatalf("the clusters' ports are not kept apart: %+v, %v", over.Spec.OverrideRules, err)
	}
	ports := over.ResourceVersion
	publisher := &publish.Publisher{Control: plane, Clock: clock.RealClock{}, Member: func(_ context.Context, name string) (client.Client,
		error) {
		return nil, fmt.Errorf("cluster %s is down, and a release needs none", name)
	}}
	release := func(dryRun bool, image, env string) publish.Result {
		t.Helper()
		publisher.DryRun = dryRun
		result, err := publisher.Release(t.Context(), "pub-home", folderOf(t, fmt.Sprintf(deploymentText, image, env), serviceText), nil)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	before := map[string]string{"image": "app:1", "env": "EXTRA MODE OLD", "replicas": "6", "restartedAt": "2026-01-01T00:00:00Z",
		"injected": "injected"}

	dry := release(true, "2", mode)
	want := []v1alpha1.FieldChange{
		{Path: "spec.template.spec.containers[0].env", Kind: v1alpha1.ChangeHarmful},
		{Path: "spec.template.spec.containers[0].image", Kind: v1alpha1.ChangeHarmful, Live: `"app:1"`, Planned: `"app:2"`},
	}
	var changes []v1alpha1.FieldChange
	for _, written := range dry.Written {
		changes = append(changes, written.Changes...)
	}
	for i := range changes {
		if strings.Contains(changes[i].Path, ".env") {
			changes[i] = want[0]
		}
	}
	changes = slices.Compact(changes)
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes of a dry run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, got(t, "pub-home")); diff != "" {
		t.Fatalf("a dry run changed the template (-want +got):\n%s", diff)
	}

	release(false, "2", mode)
	after := map[string]string{"image": "app:2", "env": "EXTRA MODE", "replicas": "6", "restartedAt": before["restartedAt"],
		"injected": "injected"}
	if diff := cmp.Diff(after, got(t, "pub-home")); diff != "" {
		t.Errorf("template after a release (-want +got):\n%s", diff)
	}
	if err := plane.Get(t.Context(), key, over); err != nil || over.ResourceVersion != ports {
		t.Errorf("the override of the ports was written: %+v, %v", over.Spec.OverrideRules, err)
	}
	// What a federated release brought, the next takes away.
	release(false, "2", mode+`,{name: NEW, value: x}`)
	release(false, "3", mode)
	after["image"] = "app:3"
	if diff := cmp.Diff(after, got(t, "pub-home")); diff != "" {
		t.Errorf("template after three releases (-want +got):\n%s", diff)
	}
	if again := release(true, "3", mode); slices.ContainsFunc(again.Written, func(w publish.Written) bool {
		return w.New ||
			len(w.Changes) > 0
	}) {
		t.Errorf("the same release again would change %+v", again.Written)
	}
}

// The static way does the same, and takes over what kubectl applied before it. Replicas that the folder gives up stay what they are.
func TestAStaticReleaseKeepsWhatOthersWrote(t *testing.T) {
	t.Parallel()
	staticallyReleased(t, "pub-static", mode+","+old)
	publisher := &publish.Publisher{Control: plane, Clock: clock.RealClock{}, Member: func(context.Context, string) (client.Client,
		error) {
		return plane, nil
	}}
	release := func(dryRun bool) publish.Result {
		t.Helper()
		publisher.DryRun = dryRun
		deployment := strings.Replace(fmt.Sprintf(deploymentText, "2", mode), "replicas: 3, ", "", 1)
		result, err := publisher.Release(t.Context(), "pub-static", folderOf(t, deployment), []string{"member1"})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	if dry := release(true); len(dry.Written) != 1 || len(dry.Written[0].Changes) == 0 || slices.ContainsFunc(dry.Written[0].Changes,
		func(c v1alpha1.FieldChange) bool {
			return c.Path == "spec.replicas"
		}) {
		t.Errorf("a dry run would change %+v", dry.Written)
	}
	want := map[string]string{"image": "app:1", "env": "EXTRA MODE OLD", "replicas": "3", "restartedAt": "2026-01-01T00:00:00Z",
		"injected": "injected"}
	if diff := cmp.Diff(want, got(t, "pub-static")); diff != "" {
		t.Fatalf("a dry run changed the Deployment (-want +got):\n%s", diff)
	}
	release(false)
	want["image"], want["env"] = "app:2", "EXTRA MODE"
	if diff := cmp.Diff(want, got(t, "pub-static")); diff != "" {
		t.Errorf("the Deployment after a release (-want +got):\n%s", diff)
	}
	if again := release(true); len(again.Written[0].Changes) > 0 {
		t.Errorf("the same release again would change %+v", again.Written)
	}
}
