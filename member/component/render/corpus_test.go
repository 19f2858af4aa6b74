package render

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

// one is a component of the corpus with what its cluster adds.
type one struct {
	name      string
	component *v1alpha1.Component
	templates []v1alpha1.ComponentTemplate
}

type choice struct{ name, fields string }

// corpus is every combination of a few choices: 216 components.
func corpus(t testing.TB) []one {
	workloads := []choice{{"deployment", ""}, {"statefulset", "workloadType: StatefulSet"}}
	reached := []choice{
		{"clusterip", "svc: {type: ClusterIP}"}, {"nodeport", "svc: {type: NodePort}"}, {"loadbalancer", "svc: {type: LoadBalancer}"},
		{"slb", "svc: {type: aliyun-slb}"}, {"none", "svc: {type: None}"},
		{"clusterip+ingress", "{svc: {type: ClusterIP}, ingress: {host: demo.example.com, path: /}}"}, {
			"nodeport+ingress", "{svc: {type: NodePort}, ingress: {host: demo.example.com, path: /}}",
		},
		{"loadbalancer+ingress", "{svc: {type: LoadBalancer}, ingress: {host: '*.example.com', path: /a}}"}, {
			"slb+ingress", "{svc: {type: aliyun-slb}, ingress: {host: demo.example.com, path: /}}",
		},
	}
	details := []choice{
		{"plain", ""},
		{
			"detailed",
			"{replicas: 4, resources: {requests: {cpu: 250m}, limits: {memory: 1Gi}}, env: [{name: ZONE, value: mine}, {name: LEVEL, value: " +
				"info}], envFrom: [{secretRef: {name: password}}], strategy: {type: Rolling, rolling: {maxUnavailable: 1, maxSurge: 0}}}",
		},
		{
			"patched",
			"{patches: [{target: {kind: KIND}, patch: {spec: {template: {spec: {nodeSelector: {disk: ssd}, containers: [{name: proxy, image: " +
				"'proxy:1'}, {name: main, command: [python]}]}}}}}]}",
		},
		{"adopted", "{adopt: {workload: old, container: app, selector: {app: old}}}"},
	}
	all := sampleTemplates(t)
	templates := []struct {
		name string
		list []v1alpha1.ComponentTemplate
	}{{"none", nil}, {"cluster", all[:1]}, {"all", all}}
	var out []one
	for _, w := range workloads {
		for _, s := range reached {
			for _, d := range details {
				for _, ts := range templates {
					component := with(t, w.fields)
					more(t, component, s.fields)
					more(t, component, strings.ReplaceAll(d.fields, "KIND", string(component.Spec.WorkloadType)))
					out = append(out, one{strings.Join([]string{w.name, s.name, d.name, ts.name}, "/"), component, ts.list})
				}
			}
		}
	}
	return out
}

// examples of the corpus are written out in full.
var examples = map[string]string{
	"minimal.yaml":     "deployment/clusterip/plain/none",
	"everything.yaml":  "deployment/clusterip+ingress/detailed/all",
	"statefulset.yaml": "statefulset/slb/patched/all",
	"adopted.yaml":     "deployment/clusterip+ingress/adopted/none",
}

// TestCorpus keeps the bytes. A difference restarts pods when Argosy is upgraded: raise Version if it must be.
func TestCorpus(t *testing.T) {
	hashes := bytes.NewBufferString(fmt.Sprintf("version %d\n", Version))
	written := map[string]string{}
	all := corpus(t)
	if len(all) < 200 {
		t.Fatalf("the corpus has %d components", len(all))
	}
	for _, c := range all {
		objects, _, err := Render(c.component, c.templates, zoneA)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		fmt.Fprint(hashes, c.name)
		for _, o := range objects {
			fmt.Fprintf(hashes, " %s/%s=%.12s", o.Kind, o.Name, o.Hash)
		}
		fmt.Fprintln(hashes)
		written[c.name] = asYAML(t, objects)
	}
	golden(t, "corpus.txt", hashes.String())
	for file, name := range examples {
		golden(t, file, written[name])
	}
}

func golden(t *testing.T, file, have string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), have); diff != "" {
		t.Errorf("%s: other bytes are rendered (-before +now); if they must be, raise Version and run with -update:\n%s", file, diff)
	}
}
