package publish

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/migration/policy"
)

var folder = fstest.MapFS{
	"web.yaml": {Data: []byte(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {
		replicas: 3, selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:2"}]}}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {region: everywhere}}`)},
	"clusters/b/config.yaml": {Data: []byte(`{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {region: b}}`)},
	"clusters/a/empty.yaml": {
		Data: []byte("# nothing differs in a\n{apiVersion: v1, kind: ConfigMap, metadata: {name: only-a}, data: {x: z}}"),
	},
	"README.md": {Data: []byte("not an object")},
}

func TestLoad(t *testing.T) {
	bundle, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, bundle.Clusters()); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, cluster := range []string{"a", "b"} {
		for _, object := range bundle.For(cluster) {
			region, _, _ := unstructured.NestedString(object.Object, "data", "region")
			got[cluster+" "+policy.User(policy.RefOf(object))] = region
		}
	}
	want := map[string]string{
		"a deployment/web": "", "a configmap/web": "everywhere", "a configmap/only-a": "",
		"b deployment/web": "", "b configmap/web": "b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// Where a folder holds a kustomization, its objects are what kustomize builds: for every cluster, and for one on the same base.
func TestLoadBuildsKustomizations(t *testing.T) {
	files := fstest.MapFS{
		"base/kustomization.yaml": {Data: []byte("resources: [web.yaml]\nconfigMapGenerator: [{name: web, literals: [region=everywhere]}]\n" +
			"generatorOptions: {disableNameSuffixHash: true}")},
		"base/web.yaml":                    folder["web.yaml"],
		"kustomization.yaml":               {Data: []byte("resources: [base]\nimages: [{name: web, newTag: \"7\"}]")},
		"clusters/b/kustomization.yaml":    {Data: []byte("resources: [../../base]\nimages: [{name: web, newTag: \"8\"}]")},
		"clusters/a/plain.yaml":            {Data: []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: only-a}}")},
		"base/values/not-an-object.yaml":   {Data: []byte("just: values")},
		"clusters/b/patches/replicas.yaml": {Data: []byte("spec: {replicas: 9}")},
	}
	files["base/web.yaml"] = &fstest.MapFile{Data: []byte(strings.Split(string(folder["web.yaml"].Data), "---")[0])}
	bundle, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, cluster := range []string{"a", "b"} {
		for _, object := range bundle.For(cluster) {
			containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
			image := ""
			if len(containers) > 0 {
				image, _ = containers[0].(map[string]any)["image"].(string)
			}
			got[cluster+" "+policy.User(policy.RefOf(object))] = image
		}
	}
	want := map[string]string{"a deployment/web": "web:7", "a configmap/web": "", "a configmap/only-a": "", "b deployment/web": "web:8",
		"b configmap/web": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	files["kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [../elsewhere]")}
	if _, err := Load(files); err == nil || !strings.Contains(err.Error(), "building the kustomization of .") {
		t.Errorf("error %v for a kustomization of what is not there", err)
	}
}

// What kubectl get -o yaml prints is a List.
func TestLoadReadsLists(t *testing.T) {
	bundle, err := Load(fstest.MapFS{"all.yaml": {Data: []byte(`{apiVersion: v1, kind: List, items: [
		{apiVersion: v1, kind: ConfigMap, metadata: {name: a}},
  {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}]}`)}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, object := range bundle.For("member1") {
		names = append(names, object.GetName())
	}
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	const text = `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}`
	one := &fstest.MapFile{Data: []byte(text)}
	for name, tc := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"no objects":        {files: fstest.MapFS{"README.md": {}}, want: "holds no objects"},
		"a nameless object": {files: fstest.MapFS{"a.yaml": {Data: []byte("kind: ConfigMap")}}, want: "a.yaml: an object lacks"},
		"an object twice":   {files: fstest.MapFS{"a.yaml": one, "b.yaml": one}, want: "configmap/a stands twice in the folder"},
		"twice in a List": {files: fstest.MapFS{"a.yaml": {Data: []byte("{apiVersion: v1, kind: List, items: " +
			"[" + text + "," + text + "]}")}}, want: "configmap/a stands twice"},
		"broken YAML":    {files: fstest.MapFS{"a.yaml": {Data: []byte("a: [")}}, want: "reading a.yaml"},
		"a stray folder": {files: fstest.MapFS{"base/a.yaml": one}, want: "clusters/<cluster>/"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(tc.files); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func load(t testing.TB) *Bundle {
	t.Helper()
	bundle, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}
