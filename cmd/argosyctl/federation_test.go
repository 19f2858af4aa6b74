package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// playedPlane is an API server as far as argosyctl asks one: it is Karmada's, and under /member it is a member's with the same objects. It
// answers writes with what they would make of an object, and stores nothing.
type playedPlane struct {
	kinds   map[schema.GroupVersion][]metav1.APIResource
	objects []*unstructured.Unstructured
}

// served kinds: group/version, plural, kind; those of no namespace with a * before the plural.
const served = `
v1 *namespaces Namespace, v1 secrets Secret, v1 services Service, v1 configmaps ConfigMap, v1 events Event, v1 pods Pod, v1 *nodes Node
apps/v1 deployments Deployment, apps/v1 statefulsets StatefulSet, apps/v1 daemonsets DaemonSet, apps/v1 replicasets ReplicaSet
apps.kruise.io/v1alpha1 clonesets CloneSet, autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler
coordination.k8s.io/v1 leases Lease, apiextensions.k8s.io/v1 *customresourcedefinitions CustomResourceDefinition
rbac.authorization.k8s.io/v1 *clusterroles ClusterRole, rbac.authorization.k8s.io/v1 *clusterrolebindings ClusterRoleBinding
rbac.authorization.k8s.io/v1 roles Role, rbac.authorization.k8s.io/v1 rolebindings RoleBinding
admissionregistration.k8s.io/v1 *mutatingwebhookconfigurations MutatingWebhookConfiguration
admissionregistration.k8s.io/v1 *validatingwebhookconfigurations ValidatingWebhookConfiguration
admissionregistration.k8s.io/v1 *validatingadmissionpolicies ValidatingAdmissionPolicy
admissionregistration.k8s.io/v1 *validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding
authentication.k8s.io/v1 *selfsubjectreviews SelfSubjectReview, authorization.k8s.io/v1 *selfsubjectaccessreviews SelfSubjectAccessReview
cluster.karmada.io/v1alpha1 *clusters Cluster, policy.karmada.io/v1alpha1 propagationpolicies PropagationPolicy
policy.karmada.io/v1alpha1 *clusterpropagationpolicies ClusterPropagationPolicy, policy.karmada.io/v1alpha1 overridepolicies OverridePolicy
policy.karmada.io/v1alpha1 *clusteroverridepolicies ClusterOverridePolicy
policy.karmada.io/v1alpha1 *clustertaintpolicies ClusterTaintPolicy
work.karmada.io/v1alpha1 works Work, work.karmada.io/v1alpha2 resourcebindings ResourceBinding
work.karmada.io/v1alpha2 *clusterresourcebindings ClusterResourceBinding
config.karmada.io/v1alpha1 *resourceinterpreterwebhookconfigurations ResourceInterpreterWebhookConfiguration
config.karmada.io/v1alpha1 *resourceinterpretercustomizations ResourceInterpreterCustomization
migration.argosy.dev/v1alpha1 *migrationwhitelists MigrationWhitelist, migration.argosy.dev/v1alpha1 migrations Migration
release.argosy.dev/v1alpha1 releases Release, apps.argosy.dev/v1alpha1 podscaleins PodScaleIn
autoscaling.argosy.dev/v1alpha1 fedhpas FedHPA, autoscaling.argosy.dev/v1alpha1 cronhpas CronHPA
vm.argosy.dev/v1alpha1 vmreplicasets VMReplicaSet, vm.argosy.dev/v1alpha1 vmdeployments VMDeployment, vm.argosy.dev/v1alpha1 servers Server
component.luojilab.com/v1alpha1 components Component, component.luojilab.com/v1alpha1 *componenttemplates ComponentTemplate`

// startFederation of testdata/federation.yaml, and names it in KUBECONFIG.
func startFederation(t *testing.T) {
	t.Helper()
	f := &playedPlane{kinds: map[schema.GroupVersion][]metav1.APIResource{}}
	for _, line := range strings.FieldsFunc(served, func(r rune) bool { return r == ',' || r == '\n' }) {
		words := strings.Fields(line)
		version, err := schema.ParseGroupVersion(words[0])
		if err != nil {
			t.Fatal(err)
		}
		plural, cluster := strings.CutPrefix(words[1], "*")
		f.kinds[version] = append(f.kinds[version], metav1.APIResource{
			Name: plural, Kind: words[2], ShortNames: map[string][]string{"deployments": {"deploy"}}[plural],
			Namespaced: !cluster, Verbs: metav1.Verbs{"get", "list", "create", "patch", "update"},
		})
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	stream, err := os.ReadFile("testdata/federation.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if f.objects, err = manifest.Parse([]byte(strings.ReplaceAll(string(stream), "MEMBER", server.URL+"/member"))); err != nil {
		t.Fatal(err)
	}
	for _, object := range f.objects {
		object.SetResourceVersion("7")
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{apiVersion: v1, kind: Config, current-context: k, contexts: [{name: k, context: {cluster: k, user: u, namespace: shop}}], ` +
		`clusters: [{name: k, cluster: {server: "` + server.URL + `"}}], users: [{name: u, user: {token: t}}]}`
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	t.Setenv("HOME", t.TempDir()) // discovery is kept there
}

func (f *playedPlane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/member")
	if _, proxied, ok := strings.Cut(path, "/proxy"); ok {
		path = proxied
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/version":
		answer(w, map[string]any{"major": "1", "minor": "35", "gitVersion": "v1.35.4"})
	case path == "/api":
		answer(w, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	case path == "/apis":
		answer(w, f.groups())
	case parts[0] == "api" && len(parts) == 2:
		f.resources(w, schema.GroupVersion{Version: parts[1]})
	case parts[0] == "apis" && len(parts) == 3:
		f.resources(w, schema.GroupVersion{Group: parts[1], Version: parts[2]})
	case parts[0] == "api" && len(parts) > 2:
		f.serve(w, r, schema.GroupVersion{Version: parts[1]}, parts[2:])
	case parts[0] == "apis" && len(parts) > 3:
		f.serve(w, r, schema.GroupVersion{Group: parts[1], Version: parts[2]}, parts[3:])
	default:
		http.NotFound(w, r)
	}
}

func (f *playedPlane) groups() metav1.APIGroupList {
	out := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for version := range f.kinds {
		if version.Group != "" {
			known := metav1.GroupVersionForDiscovery{GroupVersion: version.String(), Version: version.Version}
			out.Groups = append(out.Groups, metav1.APIGroup{
				Name: version.Group, Versions: []metav1.GroupVersionForDiscovery{known}, PreferredVersion: known,
			})
		}
	}
	return out
}

func (f *playedPlane) resources(w http.ResponseWriter, of schema.GroupVersion) {
	answer(w, metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: of.String(), APIResources: f.kinds[of],
	})
}

// serve what comes behind the version: [namespaces/NAMESPACE/]PLURAL[/NAME].
func (f *playedPlane) serve(w http.ResponseWriter, r *http.Request, version schema.GroupVersion, parts []string) {
	namespace := ""
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1], parts[2:]
	}
	i := slices.IndexFunc(f.kinds[version], func(k metav1.APIResource) bool { return k.Name == parts[0] })
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	kind := version.WithKind(f.kinds[version][i].Kind)
	found := []unstructured.Unstructured{}
	for _, o := range f.objects {
		if o.GroupVersionKind() == kind && (namespace == "" || o.GetNamespace() == namespace) && (len(parts) < 2 || o.GetName() == parts[1]) {
			found = append(found, *o.DeepCopy())
		}
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case r.Method == http.MethodPost:
		answer(w, created(body))
	case len(parts) < 2:
		list := &unstructured.UnstructuredList{Items: found}
		list.SetGroupVersionKind(version.WithKind(kind.Kind + "List"))
		answer(w, list.UnstructuredContent())
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == string(types.ApplyYAMLPatchType):
		answer(w, signed(body)) // kubectl's appliers send JSON, which is YAML
	case len(found) == 0:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound, Message: strings.Join(parts, "/") + " is not there"})
	case r.Method == http.MethodPatch:
		stored, err := found[0].MarshalJSON()
		if err == nil {
			body, err = jsonpatch.MergePatch(stored, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, signed(body))
	case r.Method == http.MethodPut:
		answer(w, signed(body))
	default:
		answer(w, found[0].Object)
	}
}

// created is what a POST is answered: questions about oneself are asked so too.
func created(body []byte) map[string]any {
	var object map[string]any
	_ = json.Unmarshal(body, &object) // what is no object is answered with nothing
	switch made := (&unstructured.Unstructured{Object: object}); made.GetKind() {
	case "SelfSubjectReview":
		object["status"] = map[string]any{"userInfo": map[string]any{"username": "ann"}}
	case "SelfSubjectAccessReview":
		object["status"] = map[string]any{"allowed": true}
	default:
		if made.GetName() == "" {
			made.SetName(made.GetGenerateName() + "x7k2p")
		}
	}
	return object
}

// signed as admission signs approvals of operations and overrides.
func signed(body []byte) map[string]any {
	var object map[string]any
	_ = json.Unmarshal(body, &object)
	approvals, _, _ := unstructured.NestedSlice(object, "spec", "approvals")
	for _, approval := range approvals {
		if of := approval.(map[string]any); of["operationID"] != nil {
			of["by"] = "ann"
		}
	}
	if _, overridden, _ := unstructured.NestedMap(object, "spec", "override"); overridden {
		_ = unstructured.SetNestedField(object, "ann", "spec", "override", "by")
	}
	if len(approvals) > 0 {
		_ = unstructured.SetNestedSlice(object, approvals, "spec", "approvals")
	}
	return object
}

func answer(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object) // who asked is gone
}
