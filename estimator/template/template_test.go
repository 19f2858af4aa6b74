package template

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	helper "k8s.io/component-helpers/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestParseObject(t *testing.T) {
	for text, want := range map[string]Object{
		"kind=Deployment, name=shop/web": {"Deployment", "shop", "web"},
		"kind=Deployment, name=web":      {},
		"kind=, name=shop/web":           {},
		"Deployment shop/web":            {},
		"":                               {},
	} {
		got, ok := ParseObject(text)
		if !ok {
			got = Object{}
		}
		if got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	const containers = "containers: [{name: main, image: app}]"
	type got struct {
		Labels  map[string]string
		Claims  []string
		Mounts  []string
		Cpu     string
		Keys    []string
		Missing bool
	}
	tests := map[string]struct {
		text string
		want got
	}{
		"a Deployment": {
			"kind: Deployment\nspec: {template: {metadata: {labels: {a: b}}, spec: {" + containers + "}}}", got{
				Labels: map[string]string{"a": "b"}, Cpu: "0",
			},
		},
		"a StatefulSet with claims": {
			"kind: StatefulSet\nspec: {volumeClaimTemplates: [{metadata: {name: data}}], template: {spec: {" + containers + "}}}",
			got{Claims: []string{"data"}, Cpu: "0"},
		},
		"an ephemeral volume is a claim each": {"kind: Job\nspec: {template: {spec: {" + containers +
			", volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}}}",
			got{Claims: []string{"scratch"}, Cpu: "0"}},
		"a claim of all": {
			"kind: CloneSet\nspec: {template: {spec: {" + containers + ", volumes: [{name: v, persistentVolumeClaim: {claimName: shared}}]}}}",
			got{Mounts: []string{"shared"}, Cpu: "0"},
		},
		"constraints by revision": {"kind: Deployment\nspec: {template: {spec: {" + containers +
			", topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: " +
			"[pod-template-hash]}]}}}",
			got{Labels: map[string]string{"pod-template-hash": "argosy-next"}, Cpu: "0"}},
		"no pod template": {"kind: VMReplicaSet\nspec: {template: {spec: {machine: {}}}}", got{Missing: true}},
		"no template":     {"kind: Service\nspec: {}", got{Missing: true}},
		"a Component": {
			"apiVersion: component.luojilab.com/v1alpha1\nkind: Component\nspec: {workloadType: Deployment, image: app, resources: {requests: " +
				"{cpu: 2}}}", got{Cpu: "2"},
		},
		"a Component, adopted": {`apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {name: web}
spec:
  workloadType: Deployment
  image: app
  adopt: {workload: old, container: app, selector: {app: old}}
  patches:
  - {target: {kind: Deployment, name: web}, patch: {spec: {template: {metadata: {labels: {no: "1"}}}}}}
  - {target: {kind: Deployment, name: old}, patch: {spec: {template: {spec: {containers: [{name: app, resources: {requests: {cpu: 3}}}]}}}}}
`, got{Cpu: "3"}},
		"a Component, patched": {`apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {name: web}
spec:
  workloadType: StatefulSet
  image: app
  patches:
  - {target: {kind: StatefulSet, name: other}, patch: {spec: {template: {metadata: {labels: {no: "1"}}}}}}
  - {target: {kind: Service}, patch: {spec: {template: {metadata: {labels: {no: "2"}}}}}}
  - {target: {kind: StatefulSet}, patch: {spec: {volumeClaimTemplates: [{metadata: {name: data}}]}}}
  - target: {kind: StatefulSet, name: web}
    patch: {spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, resources: {requests: {cpu: 3}}}],
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: host}]}}}}}}
`, got{Labels: map[string]string{"app": "web"}, Claims: []string{"data"}, Cpu: "3", Keys: []string{"host"}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			pod, ok, err := Of(object(t, tc.text))
			if err != nil {
				t.Fatal(err)
			}
			seen := got{Missing: !ok}
			if ok {
				seen.Labels, seen.Mounts, seen.Cpu = pod.Template.Labels, pod.Mounts(),
					pod.Template.Spec.Containers[0].Resources.Requests.Cpu().String()
				for _, claim := range pod.Claims {
					seen.Claims = append(seen.Claims, claim.Name)
				}
				for _, term := range requiredTerms(pod.Template) {
					seen.Keys = append(seen.Keys, term.TopologyKey)
				}
			}
			if diff := cmp.Diff(tc.want, seen); diff != "" {
				t.Errorf("template (-want +got):\n%s", diff)
			}
		})
	}
	for name, text := range map[string]string{
		"containers that are none":  "kind: Deployment\nspec: {template: {spec: {containers: main}}}",
		"a template that is a text": "kind: Deployment\nspec: {template: web}",
		"a Component's patch that is odd": "apiVersion: component.luojilab.com/v1alpha1\nkind: Component\nspec: {workloadType: Deployment, " +
			"patches: [{target: {kind: Deployment}, patch: {spec: {template: 1}}}]}",
	} {
		if _, _, err := Of(object(t, text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func live(name, image string, created int, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.Unix(int64(created), 0)},
		Spec: corev1.PodSpec{NodeName: "n",
			Containers: []corev1.Container{{Name: "main", Image: image,
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}}}}}
	for _, apply := range change {
		apply(pod)
	}
	return pod
}

// The newest pod that was made from the template shows what the member adds; where there is none, the newest of all.
func TestChoose(t *testing.T) {
	template := live("template", "app:2", 0)
	spread := func(pod *corev1.Pod) {
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: "zone", MaxSkew: 1}}
	}
	sidecar := func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy"}) }
	for name, tc := range map[string]struct {
		live []*corev1.Pod
		want string
		sure bool
	}{
		"none":                       {nil, "", false},
		"of an older image":          {[]*corev1.Pod{live("a", "app:1", 1)}, "a", false},
		"the newest":                 {[]*corev1.Pod{live("a", "app:2", 1), live("b", "app:2", 3), live("c", "app:2", 2)}, "b", true},
		"of the template, not newer": {[]*corev1.Pod{live("a", "app:2", 1), live("b", "app:1", 3)}, "a", true},
		"not one on its way out": {
			[]*corev1.Pod{live("a", "app:2", 1), live("b", "app:2", 3, func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} })}, "a", true,
		},
		"with a sidecar of a webhook": {[]*corev1.Pod{live("a", "app:2", 1, sidecar)}, "a", false},
		"of other requests": {
			[]*corev1.Pod{live("a", "app:2", 1, func(p *corev1.Pod) { p.Spec.Containers[0].Resources = corev1.ResourceRequirements{} })}, "a", false,
		},
		"of other rules": {[]*corev1.Pod{live("a", "app:2", 1, spread)}, "a", false},
	} {
		model, ok := Choose(template, tc.live)
		if ok != (tc.want != "") || ok && model.Name != tc.want {
			t.Errorf("%s: %v, want %q", name, model, tc.want)
		}
		if !ok {
			continue
		}
		pod, sure := Overlay(template, Live{Pod: model})
		if sure != tc.sure || pod.Name != "template" || pod.Spec.NodeName != template.Spec.NodeName {
			t.Errorf("%s: sure %t, want %t; the pod is %s on %q", name, sure, tc.sure, pod.Name, pod.Spec.NodeName)
		}
	}
}

// What the member adds is laid over the template; what the template says stands, and what it has given up does not come back where that is
// known.
func TestOverlay(t *testing.T) {
	cpu := func(amount string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(amount)}}
	}
	container := func(name, image, amount string) corev1.Container {
		return corev1.Container{Name: name, Image: image, Resources: cpu(amount)}
	}
	type seen struct {
		Containers, Inits   map[string]string
		Labels, Selector    map[string]string
		Tolerations         []string
		Class, Scheduler    string
		Gates, Spread, Node int
	}
	see := func(pod *corev1.Pod) seen {
		s := seen{Containers: map[string]string{}, Inits: map[string]string{}, Labels: pod.Labels, Selector: pod.Spec.NodeSelector,
			Class:     pod.Spec.PriorityClassName,
			Scheduler: pod.Spec.SchedulerName, Gates: len(pod.Spec.SchedulingGates), Spread: len(pod.Spec.TopologySpreadConstraints)}
		for _, c := range pod.Spec.Containers {
			s.Containers[c.Name] = c.Resources.Requests.Cpu().String()
		}
		for _, c := range pod.Spec.InitContainers {
			s.Inits[c.Name] = c.Resources.Requests.Cpu().String()
		}
		for _, toleration := range pod.Spec.Tolerations {
			s.Tolerations = append(s.Tolerations, toleration.Key)
		}
		if pod.Spec.Affinity != nil {
			s.Node = 1
		}
		return s
	}
	webhook := func(pod *corev1.Pod) {
		pod.Labels = map[string]string{"app": "web", "mesh": "on", "pod-template-hash": "1", "statefulset.kubernetes.io/pod-name": "web-0"}
		pod.Spec.Containers = append(pod.Spec.Containers, container("proxy", "proxy", "2"))
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, container("prepare", "proxy", "3"))
		pod.Spec.NodeSelector = map[string]string{"pool": "shop"}
		pod.Spec.Tolerations = []corev1.Toleration{{Key: "shop"}}
		pod.Spec.PriorityClassName, pod.Spec.SchedulerName = "shop", "packing"
	}
	added := seen{Containers: map[string]string{"main": "1", "proxy": "2"}, Inits: map[string]string{"prepare": "3"},
		Labels:   map[string]string{"app": "web", "mesh": "on"},
		Selector: map[string]string{"pool": "shop"}, Class: "shop", Scheduler: "packing"}
	with := func(from seen, change func(*seen)) seen {
		change(&from)
		return from
	}
	made := func(change ...func(*corev1.Pod)) *corev1.PodTemplateSpec {
		pod := live("made", "app:1", 0, change...)
		return &corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	}
	for name, tc := range map[string]struct {
		template func(*corev1.Pod)
		live     func(*corev1.Pod)
		made     *corev1.PodTemplateSpec
		want     seen
	}{
		"by a webhook, the template it was made from being known": {
			nil, webhook, made(), with(added, func(s *seen) { s.Tolerations = []string{"shop"} }),
		},
		"by a webhook, the template it was made from not being known": {nil, webhook, nil, added},
		"given up by the template": {
			nil, webhook, made(webhook), seen{
				Containers: map[string]string{"main": "1"}, Inits: map[string]string{}, Labels: map[string]string{"app": "web"},
			},
		},
		"an image that the member overrides": {nil, func(p *corev1.Pod) { webhook(p); p.Spec.Containers[0].Image = "mirror/app:2" }, nil, added},
		"requests that the member raises": {nil, func(p *corev1.Pod) { p.Spec.Containers[0].Resources = cpu("2") }, nil,
			seen{Containers: map[string]string{"main": "2"}, Inits: map[string]string{}, Labels: map[string]string{"app": "web"}}},
		"requests that the template raises": {func(p *corev1.Pod) { p.Spec.Containers[0].Resources = cpu("3") }, nil, nil,
			seen{Containers: map[string]string{"main": "3"}, Inits: map[string]string{}, Labels: map[string]string{"app": "web"}}},
		"rules that are new in the template": {func(p *corev1.Pod) {
			p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "wait"}}
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}}
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: "zone"}}
			p.Spec.NodeSelector = map[string]string{"pool": "new"}
		}, webhook, nil, with(added, func(s *seen) { s.Gates, s.Node, s.Spread, s.Selector = 1, 1, 1, map[string]string{"pool": "new"} })},
	} {
		t.Run(name, func(t *testing.T) {
			template, pod := live("web", "app:2", 0), live("web-0", "app:2", 1)
			template.Labels = map[string]string{"app": "web"}
			for on, change := range map[*corev1.Pod]func(*corev1.Pod){template: tc.template, pod: tc.live} {
				if change != nil {
					change(on)
				}
			}
			if tc.template != nil {
				pod.Spec.Containers[0].Image = "app:1"
			}
			before := template.DeepCopy()
			got, _ := Overlay(template, Live{Pod: pod, Made: tc.made})
			want := tc.want
			if want.Labels != nil && pod.Labels["pod-template-hash"] != "" && tc.template == nil && pod.Spec.Containers[0].Image == "app:2" {
				want.Labels = map[string]string{"pod-template-hash": "1"} // it is of this template, and so of its revision
				for key, value := range tc.want.Labels {
					want.Labels[key] = value
				}
			}
			if diff := cmp.Diff(want, see(got)); diff != "" {
				t.Errorf("the pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, template); diff != "" {
				t.Errorf("the template itself was changed:\n%s", diff)
			}
		})
	}
}

func TestFreeOrdinals(t *testing.T) {
	pods := func(names ...string) (out []*corev1.Pod) {
		for _, name := range names {
			out = append(out, live(name, "app", 0))
		}
		return out
	}
	for name, tc := range map[string]struct {
		start    int
		reserved []intstr.IntOrString
		live     []*corev1.Pod
		want     []int
	}{
		"from nothing":          {0, nil, nil, []int{0, 1, 2}},
		"after those that live": {0, nil, pods("web-0", "web-1"), []int{2, 3, 4}},
		"a gap is filled":       {0, nil, pods("web-0", "web-2"), []int{1, 3, 4}},
		"from a start":          {5, nil, pods("web-5"), []int{6, 7, 8}},
		"reserved, one":         {0, []intstr.IntOrString{intstr.FromInt32(1)}, nil, []int{0, 2, 3}},
		"reserved, a range":     {0, []intstr.IntOrString{intstr.FromString("1-3"), intstr.FromString("5")}, nil, []int{0, 4, 6}},
		"reserved, nonsense":    {0, []intstr.IntOrString{intstr.FromString("x"), intstr.FromString("2-y")}, nil, []int{0, 1, 2}},
		"names without number":  {0, nil, pods("web-abcde"), []int{0, 1, 2}},
	} {
		free := ordinalsOf(tc.start, tc.reserved).Free(tc.live)
		got := []int{free(0), free(1), free(2)}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if again := free(0); again != tc.want[0] {
			t.Errorf("%s: the first is %d when asked again", name, again)
		}
	}
}

// What is asked for is what the pod then takes, wherever its own requests stand.
func TestAtLeast(t *testing.T) {
	cpu := func(amount string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(amount)}}
	}
	whole := cpu("3")
	for name, tc := range map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"one container": {corev1.PodSpec{Containers: []corev1.Container{{Resources: cpu("1")}}}, "6"},
		"no requests":   {corev1.PodSpec{Containers: []corev1.Container{{}}}, "6"},
		"an init container that is more": {
			corev1.PodSpec{InitContainers: []corev1.Container{{Resources: cpu("4")}}, Containers: []corev1.Container{{Resources: cpu("1")}}}, "6",
		},
		"a sidecar": {corev1.PodSpec{InitContainers: []corev1.Container{{RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
			Resources: cpu("2")}},
			Containers: []corev1.Container{{Resources: cpu("1")}}}, "6"},
		"the pod as a whole":     {corev1.PodSpec{Resources: &whole, Containers: []corev1.Container{{Resources: cpu("1")}}}, "6"},
		"more than is asked for": {corev1.PodSpec{Containers: []corev1.Container{{Resources: cpu("7")}}}, "7"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: tc.spec}
			AtLeast(pod, corev1.ResourceList{"cpu": resource.MustParse("6")})
			got := helper.PodRequests(pod, helper.PodResourcesOptions{})
			if got.Cpu().Cmp(resource.MustParse(tc.want)) != 0 {
				t.Errorf("the pod takes %s CPU, want %s", got.Cpu(), tc.want)
			}
		})
	}
}
