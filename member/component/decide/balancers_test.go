package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// balancer is a Service of type LoadBalancer of the Component's, of a provider, with an address or without.
func (in *Input) balancer(t *testing.T, name, class, address string) {
	t.Helper()
	service := in.live(t, Key{"Service", name}, in.Component.UID)
	service.Object["spec"] = map[string]any{"type": "LoadBalancer", "ports": []any{map[string]any{"port": int64(8080)}}}
	if class != "" {
		service.Object["spec"].(map[string]any)["loadBalancerClass"] = class
	}
	if address != "" {
		service.Object["status"] = map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": address}}}}
	}
}

// TestSwitch: the new load balancer comes first, and the old one goes when the new one has its address.
func TestSwitch(t *testing.T) {
	for name, tc := range map[string]struct {
		asked v1alpha1.ServiceType
		given func(*testing.T, *Input)
		want  string
	}{
		"the new one is made, and the old one stays": {"luoji-slb", func(t *testing.T, in *Input) {
			in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "10.0.0.1")
		}, "[apply Service demo-luoji-slb]"},
		"it stays until the new one has an address": {"luoji-slb", func(t *testing.T, in *Input) {
			in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "10.0.0.1")
			in.live(t, Key{"Service", "demo-luoji-slb"}, in.Component.UID)
		}, "[]"},
		"and goes then": {"luoji-slb", func(t *testing.T, in *Input) {
			in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "10.0.0.1")
			in.live(t, Key{"Service", "demo-luoji-slb"}, in.Component.UID).Object["status"] = map[string]any{
				"loadBalancer": map[string]any{"ingress": []any{map[string]any{"hostname": "lb.example.com"}}},
			}
		}, "[delete Service demo-aliyun-slb]"},
		"one that never had an address is not waited with": {"luoji-slb", func(t *testing.T, in *Input) {
			in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "")
		}, "[apply Service demo-luoji-slb delete Service demo-aliyun-slb]"},
		"with none asked for it goes at once": {"ClusterIP", func(t *testing.T, in *Input) {
			in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "10.0.0.1")
		}, "[delete Service demo-aliyun-slb]"},
		"from the cluster's own": {"luoji-slb", func(t *testing.T, in *Input) {
			in.balancer(t, "demo", "", "10.0.0.1")
			in.Live[Key{"Service", "demo"}].SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: "other"})
		}, "[apply Service demo-luoji-slb]"},
		"to the cluster's own": {"LoadBalancer", func(t *testing.T, in *Input) {
			in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "10.0.0.1")
		}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			component := demo()
			component.Spec.Svc.Type = tc.asked
			in := input(t, component)
			in.live(t, Key{"Deployment", "demo"}, component.UID)
			in.live(t, Key{"Service", "demo"}, component.UID)
			tc.given(t, in)
			if have := summary(Decide(in)); have != tc.want {
				t.Errorf("have %s\nwant %s", have, tc.want)
			}
		})
	}
}

// TestSwitchIsTold: whoever waits reads for whom, and that the service is reached meanwhile.
func TestSwitchIsTold(t *testing.T) {
	component := demo()
	component.Spec.Svc.Type = "luoji-slb"
	in := input(t, component)
	for _, key := range []Key{{"Deployment", "demo"}, {"Service", "demo"}, {"Service", "demo-luoji-slb"}} {
		in.live(t, key, component.UID)
	}
	in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "10.0.0.1")
	status := Status(in, &Outcome{Steps: Decide(in), Live: in.Live})
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionLoadBalancerReady)
	const want = "No address yet from luoji-slb. Service demo-aliyun-slb keeps its address until then."
	if condition == nil || !strings.HasPrefix(condition.Message, want) {
		t.Errorf("condition %+v, want %q", condition, want)
	}
	var urls []string
	for _, e := range status.Endpoints {
		urls = append(urls, e.URL)
	}
	if have := strings.Join(urls, " "); have != "http://demo.shop.svc:8080 http://10.0.0.1:8080" {
		t.Errorf("reached at %s", have)
	}
	in.Live[Key{"Service", "demo-luoji-slb"}] = &unstructured.Unstructured{Object: in.Live[Key{"Service", "demo-luoji-slb"}].Object}
	in.Live[Key{"Service", "demo-luoji-slb"}].Object["status"] = map[string]any{
		"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": "10.9.0.1"}}},
	}
	status = Status(in, &Outcome{Steps: Decide(in), Live: in.Live})
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionLoadBalancerReady) ||
		len(status.LoadBalancer.Ingress) != 1 || status.LoadBalancer.Ingress[0].IP != "10.9.0.1" {
		t.Errorf("load balancer %+v, conditions %+v", status.LoadBalancer, status.Conditions)
	}
}

// TestWhatAProviderSaw: what its provider says of a load balancer is what a person reads, and who is being deleted serves nobody.
func TestWhatAProviderSaw(t *testing.T) {
	saw := func(status, reason string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			u.Object["status"].(map[string]any)["conditions"] = []any{map[string]any{
				"type": v1alpha1.ConditionServiceLoadBalancer, "status": status, "reason": reason, "message": "luoji-slb says so.",
				"lastTransitionTime": "2026-01-02T12:00:00Z",
			}}
		}
	}
	for name, tc := range map[string]struct {
		edit func(*unstructured.Unstructured)
		want string
		url  bool
		goes bool
	}{
		"nothing: another's class": {func(*unstructured.Unstructured) {}, "True AddressAssigned", true, true},
		"well":                     {saw("True", "AddressAssigned"), "True AddressAssigned", true, true},
		"nobody is reached":        {saw("False", "TargetsUnhealthy"), "False TargetsUnhealthy", true, false},
		"it does not answer":       {saw("Unknown", "ProviderUnanswered"), "Unknown ProviderUnanswered", true, false},
		"it is being deleted": {func(u *unstructured.Unstructured) {
			u.SetDeletionTimestamp(&metav1.Time{Time: time.Unix(1, 0)})
		}, "False AddressPending", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			component := demo()
			component.Spec.Svc.Type = "luoji-slb"
			in := input(t, component)
			for _, key := range []Key{{"Deployment", "demo"}, {"Service", "demo"}, {"Service", "demo-luoji-slb"}} {
				in.live(t, key, component.UID)
			}
			in.balancer(t, "demo-luoji-slb", "luoji-slb", "10.9.0.1")
			in.balancer(t, "demo-aliyun-slb", "aliyun-slb", "10.0.0.1")
			tc.edit(in.Live[Key{"Service", "demo-luoji-slb"}])
			steps := Decide(in)
			status := Status(in, &Outcome{Steps: steps, Live: in.Live})
			have := "none"
			if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionLoadBalancerReady); c != nil {
				have = string(c.Status) + " " + c.Reason
			}
			url := slices.ContainsFunc(status.Endpoints, func(e v1alpha1.Endpoint) bool { return e.URL == "http://10.9.0.1:8080" })
			if have != tc.want || url != tc.url {
				t.Errorf("%s, its address is an endpoint: %t; want %s, %t", have, url, tc.want, tc.url)
			}
			if goes := strings.Contains(summary(steps), "delete Service demo-aliyun-slb"); goes != tc.goes {
				t.Errorf("the one of before goes: %t, want %t", goes, tc.goes)
			}
		})
	}
	component := demo()
	component.Spec.Svc.Type = "luoji-slb"
	in := input(t, component)
	in.live(t, Key{"Deployment", "demo"}, component.UID)
	status := Status(in, &Outcome{Live: in.Live})
	if !meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionLoadBalancerReady) {
		t.Errorf("of a Service that is not there: %+v", status.Conditions)
	}
}
