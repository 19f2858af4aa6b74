package render

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	syaml "sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// TestErrors: each names the object and the field.
func TestErrors(t *testing.T) {
	const podStart = "{spec: {template: {spec: {containers: [{name: main, "
	tests := map[string]struct {
		component string
		templates func(t testing.TB) []v1alpha1.ComponentTemplate
		want      string
	}{
		"unknown variable": {
			templates: object("ConfigMap", "{data: {region: $(cluster.region)}}"),
			want: "ComponentTemplate one: spec.objects[0].object.data.region: variable $(cluster.region) is not known: there are " +
				"cluster.zone, component.image, component.language, component.name, component.namespace, component.port, component.replicas, " +
				"component.runType",
		},
		"unknown variable of the component": {
			templates: object("Deployment", podStart+"args: [a, $(component.secret)]}]}}}}"),
			want: "ComponentTemplate one: spec.objects[0].object.spec.template.spec.containers[0].args[1]: variable $(component.secret) is " +
				"not known",
		},
		"misspelt field": {
			templates: object("Deployment", podStart+"comand: [a]}]}}}}"),
			want:      `ComponentTemplate one: spec.objects[0].object: unknown field "spec.template.spec.containers[0].comand"`,
		},
		"text for a number": {
			templates: object("Deployment", "{spec: {revisionHistoryLimit: many}}"),
			want:      "ComponentTemplate one: spec.objects[0].object: json: cannot unmarshal string into Go struct field",
		},
		"what this component has not is checked as well": {
			templates: object("StatefulSet", "{spec: {paused: true}}"),
			want:      `ComponentTemplate one: spec.objects[0].object: unknown field "spec.paused"`,
		},
		"a kind that gives rights": {
			templates: object("ClusterRole", "{}"),
			want:      `ComponentTemplate one: spec.objects[0].kind: "ClusterRole" cannot be rendered`,
		},
		"another kind in the object": {
			templates: object("Service", "{kind: Secret}"),
			want:      "ComponentTemplate one: spec.objects[0].object.kind: Secret is not Service",
		},
		"another namespace": {
			templates: object("Service", "{metadata: {namespace: kube-system}}"),
			want:      "ComponentTemplate one: spec.objects[0].object.metadata.namespace: only labels and annotations can be said of the metadata",
		},
		"a status": {
			templates: object("Service", "{status: {}}"),
			want:      "ComponentTemplate one: spec.objects[0].object.status: a status is observed, not written",
		},
		"a directive over the whole": {
			templates: object("Service", "{$patch: delete}"),
			want:      "ComponentTemplate one: spec.objects[0].object: $patch cannot stand at the top of an object",
		},
		"an order": {
			templates: object("Deployment", "{spec: {template: {spec: {$setElementOrder/containers: [{name: main}]}}}}"),
			want:      "ComponentTemplate one: spec.objects[0].object: $setElementOrder cannot be used",
		},
		"an entry without its merge key": {
			templates: object("Deployment", "{spec: {template: {spec: {containers: [{image: a}]}}}}"),
			want:      "ComponentTemplate one: spec.objects[0].object: map: map[image:a] does not contain declared merge key: name",
		},
		"a workload of another name": {
			templates: object("Deployment, name: second", "{}"),
			want:      "ComponentTemplate one: spec.objects[0].name: a component has one workload",
		},
		"patch of what is not rendered": {
			component: "{svc: {type: None}, patches: [{target: {kind: Service}, patch: {}}]}",
			want:      "Component python-demo: spec.patches[0].target: no Service python-demo is rendered",
		},
		"misspelt patch": {
			component: "{patches: [{target: {kind: Service}, patch: {spec: {typ: a}}}]}",
			want:      `Component python-demo: spec.patches[0].patch: unknown field "spec.typ"`,
		},
		"the main container taken away": {
			component: "{patches: [{target: {kind: Deployment}, patch: {spec: {template: {spec: {containers: [{name: main, $patch: delete}]}}}}}]}",
			want:      "Component python-demo: spec: no container main is left in the Deployment (layers: [spec patches[0]])",
		},
		"pods that are not selected": {
			component: "{patches: [{target: {kind: Deployment}, patch: {spec: {selector: {matchLabels: {a: b}}}}}]}",
			want:      "Component python-demo: spec: the Deployment selects pods with the label a=b, and its own have <nil>",
		},
		"ingress without a Service": {
			component: "{svc: {type: None}, ingress: {host: a}}",
			want:      "Component python-demo: spec.ingress: an ingress needs a Service",
		},
		"no workload type": {
			component: "{workloadType: DaemonSet}",
			want:      `Component python-demo: spec.workloadType: "DaemonSet" is neither Deployment nor StatefulSet`,
		},
		"a level that is none": {
			templates: func(t testing.TB) []v1alpha1.ComponentTemplate {
				return makeTemplates(t, []byte("metadata: {name: one}\nspec: {level: Planet, objects: []}"))
			},
			want: `ComponentTemplate one: spec.level: "Planet" is none of [Cluster WorkloadType Language RunType]`,
		},
		"a selector that is none": {
			templates: func(t testing.TB) []v1alpha1.ComponentTemplate {
				return makeTemplates(t,
					[]byte("metadata: {name: one}\nspec: {level: Cluster, match: {componentSelector: {matchExpressions: [{key: a, operator: Near}]}}, "+
						"objects: []}"))
			},
			want: `ComponentTemplate one: spec.match.componentSelector: "Near" is not a valid label selector operator`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var templates []v1alpha1.ComponentTemplate
			if tc.templates != nil {
				templates = tc.templates(t)
			}
			_, _, err := Render(with(t, tc.component), templates, zoneA)
			var typed *Error
			if !errors.As(err, &typed) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("have %v\nwant %s", err, tc.want)
			}
		})
	}
}

func object(kind, object string) func(testing.TB) []v1alpha1.ComponentTemplate {
	return func(t testing.TB) []v1alpha1.ComponentTemplate { return oneTemplate(t, kind, object) }
}

// TestNames: what a name must be follows from what is made of it.
func TestNames(t *testing.T) {
	tests := map[string]struct{ name, fields, want string }{
		"dots":                       {name: "a.b", want: "metadata.name: the name is a label of the pods"},
		"64 characters":              {name: strings.Repeat("a", 64), want: "metadata.name: the name is a label of the pods"},
		"63 characters":              {name: strings.Repeat("a", 63)},
		"53 of a StatefulSet":        {name: strings.Repeat("a", 53), fields: "workloadType: StatefulSet", want: "no more than 52"},
		"52 of a StatefulSet":        {name: strings.Repeat("a", 52), fields: "workloadType: StatefulSet"},
		"a digit first":              {name: "1a", want: `metadata.name: a Service cannot be called "1a"`},
		"a digit first, no Service":  {name: "1a", fields: "svc: {type: None}"},
		"a digit first, adopted one": {name: "1a", fields: "adopt: {workload: a, service: a, selector: {a: b}}"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			component := with(t, tc.fields)
			component.Name = tc.name
			_, _, err := Render(component, nil, nil)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("have %v, want %q", err, tc.want)
			}
		})
	}
}

// TestFields reads one field of what comes out.
func TestFields(t *testing.T) {
	const env = "{spec: {template: {spec: {containers: [{name: main, env: [{name: A, value: template}, {name: B, value: template}]}]}}}}"
	tests := map[string]struct {
		component string
		templates func(testing.TB) []v1alpha1.ComponentTemplate
		kind      string
		path      []string
		want      string
	}{
		"spec over template": {component: "env: [{name: B, value: spec}, {name: C, value: spec}]", templates: object("Deployment", env),
			kind: "Deployment",
			path: []string{"spec", "template", "spec", "containers"},
			want: "- {env: [{name: A, value: template}, {name: B, value: spec}, {name: C, value: spec}], image: 'python-demo:latest', name: main, " +
				"ports: [{containerPort: 8080, name: main}]}"},
		"what was there stays in front": {
			component: "{env: [{name: C, value: $(B)}, {name: A, value: spec}], patches: [{target: {kind: Deployment}, patch: {spec: {template: " +
				"{spec: {containers: [{name: first, image: i}, {name: main, env: [{name: D, value: $(C)}]}]}}}}}]}",
			templates: object("Deployment", env), kind: "Deployment", path: []string{"spec", "template", "spec", "containers"},
			want: "- {env: [{name: A, value: spec}, {name: B, value: template}, {name: C, value: $(B)}, {name: D, value: $(C)}], image: " +
				"'python-demo:latest', name: main, ports: [{containerPort: 8080, name: main}]}\n- {image: i, name: first}",
		},
		"sources are added": {component: "envFrom: [{secretRef: {name: own}}]",
			templates: object("Deployment", "{spec: {template: {spec: {containers: [{name: main, envFrom: [{configMapRef: {name: all}}]}]}}}}"),
			kind:      "Deployment",
			path:      []string{"spec", "template", "spec", "containers"},
			want: "- {envFrom: [{configMapRef: {name: all}}, {secretRef: {name: own}}], image: 'python-demo:latest', name: main, ports: " +
				"[{containerPort: 8080, name: main}]}"},
		"an adopted container is the template's main": {component: "adopt: {workload: old, container: app, selector: {a: b}}",
			templates: object("Deployment", env), kind: "Deployment",
			path: []string{"spec", "template", "spec", "containers"},
			want: "- {env: [{name: A, value: template}, {name: B, value: template}], image: 'python-demo:latest', name: app, ports: " +
				"[{containerPort: 8080, name: main}]}"},
		"a number is a number where it can be": {templates: object("Deployment",
			"{spec: {template: {spec: {containers: [{name: main, args: [$(component.port)], livenessProbe: {httpGet: {port: "+
				"$(component.port)}}}]}}}}"),
			kind: "Deployment", path: []string{"spec", "template", "spec", "containers"},
			want: "- {args: ['8080'], image: 'python-demo:latest', livenessProbe: {httpGet: {port: 8080}}, name: main, ports: [{containerPort: " +
				"8080, name: main}]}"},
		"beside a provider's the Service stays as it is": {
			component: "svc: {type: aliyun-slb}", kind: "Service", path: []string{"spec", "type"}, want: "ClusterIP",
		},
		"and a patch without a name is of it": {
			component: "{svc: {type: aliyun-slb}, patches: [{target: {kind: Service}, patch: {spec: {clusterIP: None}}}]}",
			kind:      "Service", path: []string{"spec", "clusterIP"}, want: "None",
		},
		"the Service follows a renamed port": {templates: object("Deployment",
			"{spec: {template: {spec: {containers: [{name: main, ports: [{containerPort: $(component.port), name: http}]}]}}}}"),
			kind: "Service", path: []string{"spec", "ports"}, want: "[{name: main, port: 8080, targetPort: http}]"},
		"and a port without a name": {component: "patches: [{target: {kind: Deployment}, patch: {spec: {template: {spec: {containers: [{name: " +
			"main, ports: [{containerPort: 8080, name: null}]}]}}}}}]",
			kind: "Service", path: []string{"spec", "ports"}, want: "[{name: main, port: 8080, targetPort: 8080}]"},
		"a StatefulSet has no surge": {component: "{workloadType: StatefulSet, strategy: {type: Rolling, rolling: {maxUnavailable: 1, " +
			"maxSurge: 1}}}", kind: "StatefulSet",
			path: []string{"spec", "updateStrategy"}, want: "{rollingUpdate: {maxUnavailable: 1}, type: RollingUpdate}"},
		"a pace drops what a template recreated": {component: "strategy: {type: Rolling, rolling: {maxUnavailable: 25%, maxSurge: 1}}",
			templates: object("Deployment", "{spec: {strategy: {type: Recreate}}}"),
			kind:      "Deployment", path: []string{"spec", "strategy"},
			want: "{rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}, type: RollingUpdate}"},
		"directives over nothing leave nothing": {kind: "Deployment", path: []string{"spec", "template", "spec"},
			templates: object("Deployment",
				"{spec: {template: {spec: {securityContext: {$patch: delete}, dnsConfig: {$retainKeys: [searches], searches: [a], nameservers: "+
					"null}, containers: [{name: main, env: [{name: A, $patch: delete}]}]}}}}"),
			want: "{containers: [{env: [], image: 'python-demo:latest', name: main, ports: [{containerPort: 8080, name: main}]}], dnsConfig: " +
				"{searches: [a]}}"},
		"an autoscaler's target": {templates: object("HorizontalPodAutoscaler", "{spec: {maxReplicas: 3}}"), kind: "HorizontalPodAutoscaler",
			path: []string{"spec"},
			want: "{maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: python-demo}}"},
		"a budget's pods": {templates: object("PodDisruptionBudget", "{spec: {maxUnavailable: 1}}"), kind: "PodDisruptionBudget",
			path: []string{"spec"},
			want: "{maxUnavailable: 1, selector: {matchLabels: {component.luojilab.com/component: python-demo}}}"},
		"labels are ours in the end": {templates: object("Service", "{metadata: {labels: {component.luojilab.com/component: x, team: a}}}"),
			kind: "Service", path: []string{"metadata", "labels"},
			want: "{app.kubernetes.io/managed-by: argosy, app.kubernetes.io/name: python-demo, component.luojilab.com/component: python-demo, " +
				"team: a}"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var templates []v1alpha1.ComponentTemplate
			if tc.templates != nil {
				templates = tc.templates(t)
			}
			objects, _, err := Render(with(t, tc.component), templates, zoneA)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(canonical(t, tc.want), fieldOf(t, objects, tc.kind, tc.path)); diff != "" {
				t.Errorf("-want +have:\n%s", diff)
			}
		})
	}
}

func fieldOf(t *testing.T, objects []Object, kind string, path []string) string {
	t.Helper()
	for _, o := range objects {
		if o.Kind != kind {
			continue
		}
		value := below(o.Content, path[:len(path)-1]...)[path[len(path)-1]]
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return canonical(t, string(text))
	}
	t.Fatalf("no %s is rendered", kind)
	return ""
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var value any
	if err := syaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	out, err := syaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestOrderOfTemplates: by level, priority and name, whatever else the order is.
func TestOrderOfTemplates(t *testing.T) {
	const one = "metadata: {name: %NAME}\nspec: {level: %LEVEL, priority: %PRIORITY, objects: [{kind: ConfigMap, object: {data: {last: " +
		"%NAME}}}]}\n"
	var stream []string
	for _, name := range []string{"a-RunType-0", "z-Cluster-0", "b-Cluster-5", "a-Cluster-5", "c-Language--1", "b-Language-0",
		"d-WorkloadType-9"} {
		parts := strings.SplitN(name, "-", 3)
		stream = append(stream, strings.NewReplacer("%NAME", strings.ToLower(name), "%LEVEL", parts[1], "%PRIORITY", parts[2]).Replace(one))
	}
	templates := makeTemplates(t, []byte(strings.Join(stream, "---\n")))
	objects, report, err := Render(with(t, ""), templates, nil)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, used := range report.Templates {
		have = append(have, used.Name)
	}
	want := []string{"z-cluster-0", "a-cluster-5", "b-cluster-5", "d-workloadtype-9", "c-language--1", "b-language-0", "a-runtype-0"}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("-want +have:\n%s", diff)
	}
	if have := fieldOf(t, objects, "ConfigMap", []string{"data", "last"}); have != "a-runtype-0\n" {
		t.Errorf("the last word has %s", have)
	}
}

// TestMatch: each selection alone, and that all must match.
func TestMatch(t *testing.T) {
	tests := map[string]struct {
		match string
		want  bool
	}{
		"nothing":       {"{}", true},
		"workload type": {"{workloadTypes: [StatefulSet, Deployment]}", true},
		"another":       {"{workloadTypes: [StatefulSet]}", false},
		"language":      {"{languages: [go, python]}", true},
		"no language":   {"{languages: [go]}", false},
		"run type":      {"{runTypes: [server]}", true},
		"no run type":   {"{runTypes: [worker]}", false},
		"label":         {"{componentSelector: {matchLabels: {team: a}}}", true},
		"no label":      {"{componentSelector: {matchLabels: {team: b}}}", false},
		"all but one":   {"{workloadTypes: [Deployment], languages: [python], runTypes: [worker]}", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			component := with(t, "")
			component.Labels = map[string]string{"team": "a"}
			templates := makeTemplates(t,
				[]byte("metadata: {name: one}\nspec: {level: Cluster, match: "+tc.match+", objects: [{kind: ConfigMap, object: {}}]}"))
			objects, _, err := Render(component, templates, nil)
			if err != nil {
				t.Fatal(err)
			}
			if have := slices.ContainsFunc(objects, func(o Object) bool { return o.Kind == "ConfigMap" }); have != tc.want {
				t.Errorf("matches: %v, want %v", have, tc.want)
			}
		})
	}
}

// TestFrom: a person sees who had a say.
func TestFrom(t *testing.T) {
	objects, report,
		err := Render(with(t, "{strategy: {type: Canary, canary: {steps: [{replicas: 1}]}}, patches: [{target: {kind: Deployment}, patch: {}}]}"),
		sampleTemplates(t), zoneA)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, o := range objects {
		have[o.Kind+"/"+o.Name] = strings.Join(o.From, " ")
	}
	want := map[string]string{
		"ConfigMap/python-demo-defaults": "Cluster/base", "Service/python-demo": "spec",
		"Deployment/python-demo":              "Cluster/base Language/python spec patches[0]",
		"HorizontalPodAutoscaler/python-demo": "RunType/server", "PodDisruptionBudget/python-demo": "RunType/server",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("-want +have:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"the objects are shown as they are after the last canary step"}, report.Notes); diff != "" {
		t.Error(diff)
	}
}

// TestProviders: each has a Service of its own, whose class no other acts on.
func TestProviders(t *testing.T) {
	long := strings.Repeat("a", 50)
	for provider, want := range map[string]string{
		"aliyun-slb":              "demo-aliyun-slb",
		"luoji-slb":               "demo-luoji-slb",
		"example.com/slb":         "demo-example-com-slb-659b89fb",
		"example-com/slb":         "demo-example-com-slb-56e666f3",
		"LoadBalancer":            "",
		"None":                    "",
		long + "-" + long + "-lb": "demo-",
	} {
		component := with(t, "svc: {type: "+provider+"}")
		component.Name = "demo"
		objects, _, err := Render(component, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", provider, err)
		}
		have := ""
		for _, o := range objects {
			class, _, _ := unstructured.NestedString(o.Content, "spec", "loadBalancerClass")
			if class == "" {
				continue
			}
			have = o.Name
			kind, _, _ := unstructured.NestedString(o.Content, "spec", "type")
			if class != provider || kind != "LoadBalancer" || len(o.Name) > 63 {
				t.Errorf("%s: Service %s of type %s is of class %s", provider, o.Name, kind, class)
			}
		}
		if !strings.HasPrefix(have, want) || want == "" && have != "" {
			t.Errorf("%s: Service %q, want %q", provider, have, want)
		}
	}
}

// TestVariablesGoRoundOnce: a value that speaks of variables, even of itself, is text.
func TestVariablesGoRoundOnce(t *testing.T) {
	const loop = "$(cluster.b) $(cluster.a) $(component.name)"
	templates := object("ConfigMap", "{data: {text: $(cluster.a)}}")(t)
	objects, _, err := Render(with(t, "{}"), templates, Variables{"a": loop, "b": "$(cluster.a)"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if text, ok, _ := unstructured.NestedString(o.Content, "data", "text"); ok && text != loop {
			t.Errorf("%q became %q", loop, text)
		}
	}
}
