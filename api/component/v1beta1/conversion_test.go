package v1beta1

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// everything has each field of a Component's spec.
const everything = `{
	"workloadType": "Deployment", "developLanguage": "python", "runType": "server", "image": "python-demo:1", "port": 8080, "replicas": 3,
	"resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}},
	"env": [{"name": "ZONE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}], "envFrom": [{"secretRef": {"name": "password"}}],
	"svc": {"type": "aliyun-slb"}, "ingress": {"host": "demo.example.com", "path": "/a"},
	"strategy": {"type": "Canary", "canary": {"steps": [{"replicas": 1, "pause": "Approval"}]}},
	"approvals": [{"gate": "canary", "operationID": "op-1", "decision": "Approve", "by": "ann"}],
	"patches": [{"target": {"kind": "Deployment"}, "patch": {"spec": {"paused": true}}}],
	"adopt": {"workload": "old", "selector": {"app": "old"}, "container": "web", "service": "old", "ingress": "old"}}`

// TestEveryFieldIsConverted: the example has every field, so that one that is added and forgotten in the conversion is found.
func TestEveryFieldIsConverted(t *testing.T) {
	stored := &v1alpha1.Component{}
	if err := json.Unmarshal([]byte(everything), &stored.Spec); err != nil {
		t.Fatal(err)
	}
	stored.Labels, stored.Status.Replicas = map[string]string{"team": "shop"}, 3
	beta := &Component{}
	if err := beta.ConvertFrom(stored); err != nil {
		t.Fatal(err)
	}
	spec := reflect.ValueOf(beta.Spec)
	for i := range spec.NumField() {
		if spec.Field(i).IsZero() {
			t.Errorf("spec.%s of v1beta1 is empty", spec.Type().Field(i).Name)
		}
	}
	if spec.NumField() != reflect.TypeFor[v1alpha1.ComponentSpec]().NumField() {
		t.Error("one version has a field more")
	}
	if svc := beta.Spec.Svc; svc.Type != "LoadBalancer" || svc.LoadBalancer == nil || svc.LoadBalancer.Provider != "aliyun-slb" {
		t.Errorf("aliyun-slb became %+v", svc)
	}
	again := &v1alpha1.Component{}
	if err := beta.ConvertTo(again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored, again); diff != "" {
		t.Errorf("there and back (-before +after):\n%s", diff)
	}
	if err := beta.ConvertTo(nil); err == nil {
		t.Error("converted to nothing")
	}
}

// FuzzConversion: whatever either version can say comes back from the other as it was.
func FuzzConversion(f *testing.F) {
	f.Add([]byte(everything))
	for _, svc := range []string{
		`"type": "NodePort"`, `"type": "LoadBalancer"`, `"type": "None"`, `"type": "example.com/slb"`,
		`"type": "LoadBalancer", "loadBalancer": {"provider": "luoji-slb"}`, ``,
	} {
		f.Add([]byte(`{"image": "a", "svc": {` + svc + `}}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		stored, beta := &v1alpha1.Component{}, &Component{}
		if json.Unmarshal(text, &stored.Spec) == nil {
			between, back := &Component{}, &v1alpha1.Component{}
			if err := between.ConvertFrom(stored); err != nil {
				t.Fatal(err)
			}
			if err := between.ConvertTo(back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(stored, back) {
				t.Errorf("v1alpha1 there and back (-before +after):\n%s", cmp.Diff(stored, back))
			}
		}
		if json.Unmarshal(text, &beta.Spec) != nil || !says(beta.Spec.Svc) {
			return
		}
		between, back := &v1alpha1.Component{}, &Component{}
		if err := beta.ConvertTo(between); err != nil {
			t.Fatal(err)
		}
		if err := back.ConvertFrom(between); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(beta, back) {
			t.Errorf("v1beta1 there and back (-before +after):\n%s", cmp.Diff(beta, back))
		}
	})
}

// says is true of what the schema of v1beta1 lets in.
func says(svc ServiceSpec) bool {
	switch svc.Type {
	case "", "ClusterIP", "NodePort", "None":
		return svc.LoadBalancer == nil
	case "LoadBalancer":
	default:
		return false
	}
	if svc.LoadBalancer == nil {
		return true
	}
	switch svc.LoadBalancer.Provider {
	case "", "ClusterIP", "NodePort", "LoadBalancer", "None":
		return false // capitals, or none
	}
	return true
}
