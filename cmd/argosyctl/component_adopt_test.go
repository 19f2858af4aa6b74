package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	componentadopt "github.com/argosy-dev/argosy/member/component/adopt"
)

// shop is a Deployment as an API server stores it, with defaults and a second container in front.
const shop = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: old-shop, namespace: shop}
spec:
  replicas: 3
  progressDeadlineSeconds: 600
  revisionHistoryLimit: 10
  selector: {matchLabels: {app: shop}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
  template:
    metadata: {labels: {app: shop, tier: front}, annotations: {checked: "yes"}}
    spec:
      restartPolicy: Always
      terminationGracePeriodSeconds: 30
      containers:
      - name: web
        image: shop:41
        imagePullPolicy: IfNotPresent
        env: [{name: A, value: "1"}]
        envFrom: [{configMapRef: {name: settings}}]
        ports: [{name: http, containerPort: 8080, protocol: TCP}]
        resources: {requests: {cpu: 100m}}
        volumeMounts: [{name: data, mountPath: /data}]
        readinessProbe: {httpGet: {path: /ok, port: http, scheme: HTTP},
          periodSeconds: 10, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3}
      volumes: [{name: data, emptyDir: {}}]`

func memberWith(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func TestComponentAdopt(t *testing.T) {
	var out bytes.Buffer
	member := memberWith(t, fixture.Parse(t, shop).Unstructured())
	wish := componentadopt.Wish{Name: "shop", Language: "java", RunType: "server"}
	component, err := adoptWorkload(t.Context(), member, "shop", "deployment/old-shop", wish)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := structured(&out, "yaml", component); err != nil {
		t.Fatal(err)
	}
	var have v1alpha1.Component
	if err := yaml.UnmarshalStrict(out.Bytes(), &have); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	s := have.Spec
	if have.Name != "shop" || s.Image != "shop:41" || s.Port != 8080 || *s.Replicas != 3 ||
		s.Adopt.Workload != "old-shop" || s.Adopt.Container != "web" ||
		s.Adopt.Selector["app"] != "shop" || len(s.Env) != 1 || len(s.EnvFrom) != 1 || len(s.Resources.Requests) != 1 {
		t.Errorf("%s", &out)
	}
	for _, said := range []string{"image: shop:41"} {
		if strings.Count(out.String(), said) != 1 {
			t.Errorf("%q is said not once:\n%s", said, &out)
		}
	}
	// What was printed is what a preview takes, and an API server.
	preview, err := runCommand(t, out.String(), "component", "preview", "-f", "-")
	if err != nil || !strings.Contains(preview, "Deployment  old-shop") {
		t.Errorf("preview: %v\n%s", err, preview)
	}
}

func TestComponentAdoptRefuses(t *testing.T) {
	two := fixture.Parse(t, shop).WithYAML(`[{name: web, image: "a"}, {name: proxy, image: "b"}]`, "spec", "template", "spec", "containers")
	expressions := fixture.Parse(t, shop).WithYAML(`[{key: app, operator: Exists}]`, "spec", "selector", "matchExpressions")
	one, java := fixture.Parse(t, shop), componentadopt.Wish{Language: "java"}
	for name, tc := range map[string]struct {
		object   fixture.Object
		workload string
		o        componentadopt.Wish
		want     string
	}{
		"no workload":     {one, "service/shop", java, `"service/shop" is no workload: write deployment/NAME`},
		"no language":     {one, "deployment/old-shop", componentadopt.Wish{}, "--language is needed"},
		"not there":       {one, "deployment/shop", java, "Deployment shop does not exist in namespace shop"},
		"two containers":  {two, "deployment/old-shop", java, "--container is needed: the main one of web, proxy"},
		"no port":         {two, "deployment/old-shop", componentadopt.Wish{Language: "java", Container: "web"}, "--port is needed"},
		"label selection": {expressions, "deployment/old-shop", java, "selects its pods by more than matchLabels"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adoptWorkload(t.Context(), memberWith(t, tc.object.Unstructured()), "shop", tc.workload, tc.o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestComponentExplain(t *testing.T) {
	component := func(conditions ...metav1.Condition) *v1alpha1.Component {
		c := &v1alpha1.Component{}
		c.Namespace, c.Name, c.Generation, c.Spec.Image = "shop", "demo", 2, "demo:2"
		c.Status.ObservedGeneration, c.Status.AvailableReplicas, c.Status.Conditions = 2, 1, conditions
		c.Status.Endpoints = []v1alpha1.Endpoint{{Cluster: "member1", Type: v1alpha1.EndpointService, URL: "http://demo.shop.svc:8080"}}
		return c
	}
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "the message"}
	}
	waits := component(condition("Ready", "True", "ReplicasReady"), condition("Progressing", "True", "CanaryPaused"))
	waits.Status.PendingApprovals = []gatev1alpha1.PendingApproval{{Gate: "canary", OperationID: "op-1", Cluster: "member1"}}
	waitTwo := waits.DeepCopy()
	waitTwo.Status.PendingApprovals = append(waitTwo.Status.PendingApprovals, gatev1alpha1.PendingApproval{OperationID: "op-2"})
	step := func(pause v1alpha1.CanaryPause) *v1alpha1.Component {
		c := component(condition("Ready", "True", "ReplicasReady"), condition("Progressing", "True", "CanaryPaused"))
		c.Spec.Strategy.Canary = &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{{Pause: pause}}}
		c.Status.Canary = &v1alpha1.CanaryStatus{Step: 1, State: v1alpha1.CanaryPaused}
		return c
	}
	brought := component(condition("Ready", "False", "ProgramEnds"))
	since := metav1.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	brought.Status.TemplateRevision = &v1alpha1.TemplateRevision{Name: "r", Since: &since, Changed: []string{"base"}}
	if have := templatesOf([]string{"", "base"}); have != "a new argosy-member-manager, ComponentTemplate base" {
		t.Errorf("a wave of the manager and a template is told as %q", have)
	}
	for name, tc := range map[string]struct {
		component *v1alpha1.Component
		want      string
	}{
		"a canary step waits":     {waits, "argosyctl component approve demo -n shop. To undo"},
		"two of them wait":        {waitTwo, "argosyctl component approve demo -n shop --all, or --operation with one"},
		"a canary is watched":     {step(v1alpha1.CanaryPauseSeconds), "Next: wait: a canary step is watched"},
		"a canary was rejected":   {step(v1alpha1.CanaryPauseApproval), "rejected, write the image of before to undo the change"},
		"a canary without a step": {component(condition("Progressing", "True", "CanaryPaused")), "Next: read condition Progressing"},
		"nobody reported":         {component(), "Next: nobody has reported on it."},
		"well": {
			component(condition("Rendered", "True", "Rendered"), condition("Ready", "True", "ReplicasReady")),
			"Next: nothing; it is as asked."},
		"an image": {
			component(condition("Rendered", "True", "Rendered"), condition("Ready", "False", "ImageNotPulled")),
			"Next: correct spec.image"},
		"a change that does not come up": {
			component(condition("Ready", "True", "ReplicasReady"), condition("Degraded", "True", "ImageNotPulled"),
				condition("Progressing", "True", "RollingOut")),
			"Next: correct spec.image"},
		"a change whose program ends": {
			component(condition("Ready", "True", "ReplicasReady"), condition("Degraded", "True", "ProgramEnds")),
			"Next: read the program's last words with the command in condition Degraded."},
		"a change that is stuck": {
			component(condition("Ready", "True", "ReplicasReady"), condition("Degraded", "True", "RolloutStuck")),
			"Next: write the image of before, or mend what condition Degraded names."},
		"a member that cannot be asked": {
			component(condition("Rendered", "True", "Rendered"), condition("Ready", "Unknown", "MemberUnreachable"),
				condition("MembersReported", "False", "MemberUnreachable")),
			"Next: nothing of the Component. Look at the cluster that cannot be asked: condition MembersReported names it."},
		"a change on its way": {
			component(condition("Ready", "True", "ReplicasReady"), condition("Progressing", "True", "RollingOut")), "Next: wait: a change"},
		"a change that is through": {
			component(condition("Ready", "True", "ReplicasReady"), condition("Progressing", "False", "RolloutComplete")), "Next: nothing"},
		"rendering first": {
			component(condition("Ready", "False", "NotApplied"), condition("Rendered", "False", "TemplateInvalid")),
			"Next: ask your platform team"},
		"a wave came to it": {brought, "brought  ComponentTemplate base     2026-01-02T03:04:05Z"},
		"another reason":    {component(condition("Ready", "Unknown", "MembersUnknown")), "Next: look at condition Ready: the message"},
		"opted out": {
			component(condition("Unmanaged", "True", "OptedOut"), condition("Ready", "False", "X")),
			"Next: nothing by itself: it is unmanaged."},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := explainComponent(t.Context(), memberWith(t, tc.component), client.ObjectKeyFromObject(tc.component), &out, "text")
			if err != nil || !strings.Contains(out.String(), tc.want) || !strings.Contains(out.String(), "http://demo.shop.svc:8080  member1") {
				t.Errorf("%v, want %q in\n%s", err, tc.want, &out)
			}
		})
	}
}
