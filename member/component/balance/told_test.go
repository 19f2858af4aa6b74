package balance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// TestTold: what is told is what was seen, and who cannot be asked has denied nothing.
func TestTold(t *testing.T) {
	at := []Address{{IP: "10.9.0.1"}}
	for name, tc := range map[string]struct {
		heard Heard
		want  string
		says  string
		again time.Duration
	}{
		"on its way": {Heard{Balancer: Balancer{State: Creating}}, "False AddressPending 0", "is making", whileCreating},
		"with an address, not yet": {
			Heard{Balancer: Balancer{State: Creating, Addresses: at}}, "False AddressPending 0", "is making", whileCreating},
		"active nowhere": {Heard{Balancer: Balancer{State: Active}}, "False AddressPending 0", "is making", whileCreating},
		"active": {
			Heard{Targets: 2, Balancer: Balancer{State: Active, Addresses: at}}, "True AddressAssigned 1", "has its address", 0},
		"active and well": {
			Heard{Targets: 2, Balancer: Balancer{State: Active, Addresses: at, Healthy: ptr.To[int32](1)}}, "True AddressAssigned 1", "", 0},
		"no target is well": {
			Heard{Targets: 2, Balancer: Balancer{State: Active, Addresses: at, Healthy: ptr.To[int32](0)}},
			"False TargetsUnhealthy 1", "none of 2 nodes", whileUnhealthy},
		"no target": {Heard{Balancer: Balancer{State: Active, Addresses: at}}, "False TargetsUnhealthy 1", "no node", whileUnhealthy},
		"given up": {
			Heard{Targets: 2, Balancer: Balancer{State: Failed, Addresses: at, Message: "no more addresses."}},
			"False LoadBalancerFailed 1", "(no more addresses)", 0},
		"a state of tomorrow": {
			Heard{Targets: 2, Balancer: Balancer{State: Unknown, Addresses: at}}, "Unknown ProviderUnanswered 1", "does not know", whileUnhealthy},
		"refused":  {Heard{Err: fmt.Errorf("size: %w", ErrInvalid)}, "False ProviderRefused 0", "refuses (size", 0},
		"gone":     {Heard{Err: ErrGone, Service: "cart-slb"}, "False ProviderRefused 0", "Delete Service cart-slb", 0},
		"busy":     {Heard{Err: &BusyError{Said: "later"}}, "False AddressPending 0", "(later)", whileBusy},
		"for long": {Heard{Err: &BusyError{After: time.Hour}}, "False AddressPending 0", "no time or room", longestBusy},
		"silent":   {Heard{Err: errors.New("connection refused")}, "Unknown ProviderUnanswered 0", "asked in vain (connection refused)", 0},
		"long words": {
			Heard{Err: errors.New(strings.Repeat("word \xff\n", 9000))}, "Unknown ProviderUnanswered 0", "...). What it has stays", 0},
	} {
		t.Run(name, func(t *testing.T) {
			tc.heard.Provider = "luoji-slb"
			told := Told(tc.heard)
			have := fmt.Sprintf("%s %s %d", told.Condition.Status, told.Condition.Reason, len(told.Addresses))
			said := told.Condition.Message
			if have != tc.want || told.Again != tc.again || !strings.Contains(said, tc.says) || len(said) > 1024 {
				t.Errorf("have %q again in %s: %s\nwant %q again in %s: %s", have, told.Again, said, tc.want, tc.again, tc.says)
			}
			if retry := tc.want == "Unknown ProviderUnanswered 0"; told.Retry != retry {
				t.Errorf("tried again: %t, want %t", told.Retry, retry)
			}
		})
	}
}

func node(name, address string, edit func(*corev1.Node)) corev1.Node {
	out := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"a": "b"}}, Status: corev1.NodeStatus{
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: address}},
		Images:    []corev1.ContainerImage{{Names: []string{"large"}}},
	}}
	if edit != nil {
		edit(&out)
	}
	return out
}

func service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "cart-luoji-slb", UID: "uid-1", Labels: map[string]string{v1alpha1.LabelComponent: "cart"},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: ptr.To("luoji-slb"),
			Ports: []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 8080, NodePort: 30080}},
		},
	}
}

// TestSpecOf: what a Service says reaches its provider, and nodes that may be none are none.
func TestSpecOf(t *testing.T) {
	nodes := []corev1.Node{
		node("b", "10.0.0.2", nil), node("a", "10.0.0.1", nil), node("out", "10.0.0.3", func(n *corev1.Node) {
			n.Labels = map[string]string{labelExclude: ""}
		}),
		node("going", "10.0.0.4", func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: taintToBeDeleted}} }),
		node("deleted", "10.0.0.5", func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{} }),
		node("nowhere", "", func(n *corev1.Node) { n.Status.Addresses = nil }),
	}
	s := service()
	s.Annotations = map[string]string{v1alpha1.LoadBalancerParams + "size": "small", "other": "x"}
	s.Spec.LoadBalancerSourceRanges = []string{"10.2.0.0/16", "10.1.0.0/16"}
	s.Spec.SessionAffinity, s.Spec.HealthCheckNodePort = corev1.ServiceAffinityClientIP, 31000
	want := Spec{
		Owner: "me", Name: "shop/cart-luoji-slb", Targets: []string{"10.0.0.1", "10.0.0.2"},
		Ports:        []Port{{Name: "http", Protocol: "TCP", Port: 8080, NodePort: 30080}},
		SourceRanges: []string{"10.1.0.0/16", "10.2.0.0/16"}, AffinitySeconds: 10800, HealthCheckPort: 31000,
		Params: map[string]string{"size": "small"},
	}
	have, err := SpecOf(s, nodes, "me")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	// What the cache keeps of a node says the same.
	var slim []corev1.Node
	for _, n := range nodes {
		out, err := Slim(&n)
		if err != nil {
			t.Fatal(err)
		}
		if kept := out.(*corev1.Node); len(kept.Status.Images)+len(kept.Annotations) > 0 {
			t.Errorf("kept: %+v", kept)
		}
		slim = append(slim, *out.(*corev1.Node))
	}
	if again, err := SpecOf(s, slim, "me"); err != nil || !slices.Equal(again.Targets, want.Targets) {
		t.Errorf("of slim nodes: %+v, %v", again, err)
	}
	s.Spec.Ports[0].NodePort = 0
	if _, err := SpecOf(s, nodes, "me"); err == nil || !strings.Contains(err.Error(), "port 8080") {
		t.Errorf("a port that no node listens at: %v", err)
	}
}
