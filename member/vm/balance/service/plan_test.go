package service

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

var (
	web = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u"}}
	of  = balance.Pool{Namespace: "shop", Name: "web", Owner: "o"}
)

func members(from, to int) []balance.Member {
	var out []balance.Member
	for i := from; i < to; i++ {
		out = append(out, balance.Member{ID: fmt.Sprintf("m%03d", i), Address: fmt.Sprintf("10.1.%d.%d", i/200, 1+i%200), Port: 80, Weight: 100})
	}
	return out
}

// stored is what the API server has after the writes.
func stored(have []discoveryv1.EndpointSlice, c change) []discoveryv1.EndpointSlice {
	byName := map[string]discoveryv1.EndpointSlice{}
	for _, s := range have {
		byName[s.Name] = s
	}
	for _, s := range append(slices.Clone(c.create), c.update...) {
		byName[s.Name] = *s
	}
	for _, s := range c.remove {
		delete(byName, s.Name)
	}
	var out []discoveryv1.EndpointSlice
	for _, s := range byName {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b discoveryv1.EndpointSlice) int { return len(b.Endpoints) - len(a.Endpoints) })
	return out
}

func ids(have []discoveryv1.EndpointSlice) []string {
	var out []string
	for _, s := range have {
		for _, e := range s.Endpoints {
			out = append(out, idOf(e))
		}
	}
	slices.Sort(out)
	return out
}

func wants(t *testing.T, have []discoveryv1.EndpointSlice, members []balance.Member) {
	t.Helper()
	var want []string
	for _, m := range members {
		want = append(want, m.ID)
	}
	slices.Sort(want)
	if got := ids(have); !slices.Equal(got, want) {
		t.Errorf("there are %d members %v, want %d", len(got), got, len(want))
	}
	for _, s := range have {
		if n := len(s.Endpoints); n == 0 || n > MaxEndpoints {
			t.Errorf("slice %s has %d endpoints", s.Name, n)
		}
	}
}

// TestFewWrites: who has a place keeps it, and a change of one member writes one slice.
func TestFewWrites(t *testing.T) {
	name := ptr.To("")
	c, bad := plan(web, name, of, nil, members(0, 250))
	if len(bad) > 0 || len(c.create) != 3 || len(c.update)+len(c.remove) > 0 {
		t.Fatalf("%v, %d made, %d changed, %d removed", bad, len(c.create), len(c.update), len(c.remove))
	}
	have := stored(nil, c)
	wants(t, have, members(0, 250))

	if c, _ = plan(web, name, of, have, members(0, 250)); len(c.create)+len(c.update)+len(c.remove) > 0 {
		t.Errorf("nothing changed, and %+v is written", c)
	}
	less := slices.Delete(members(0, 250), 10, 11)
	if c, _ = plan(web, name, of, have, less); len(c.create) != 0 || len(c.update) != 1 || len(c.remove) != 0 {
		t.Errorf("one left: %d made, %d changed, %d removed", len(c.create), len(c.update), len(c.remove))
	}
	have = stored(have, c)
	wants(t, have, less)
	if c, _ = plan(web, name, of, have, append(less, members(900, 901)...)); len(c.create) != 0 || len(c.update) != 1 {
		t.Errorf("one came: %d made, %d changed", len(c.create), len(c.update))
	}
	draining := members(0, 250)
	draining = slices.Delete(draining, 10, 11)
	draining[100].Draining = true
	if c, _ = plan(web, name, of, have, draining); len(c.update) != 1 || len(c.create)+len(c.remove) != 0 {
		t.Errorf("one drains: %d changed", len(c.update))
	}
	c, _ = plan(web, name, of, have, nil)
	if have = stored(have, c); len(have) != 0 {
		t.Errorf("nobody is left, and %d slices are", len(have))
	}
}

func TestPlan(t *testing.T) {
	six := balance.Member{ID: "six", Address: "fd00::1", Port: 80, Weight: 100}
	other := balance.Member{ID: "other", Address: "10.0.0.9", Port: 81, Weight: 0}
	c, _ := plan(web, ptr.To("http"), of, nil, append(members(0, 1), six, other))
	if len(c.create) != 3 {
		t.Fatalf("%d slices for two families and two ports", len(c.create))
	}
	names := map[string]bool{}
	for _, s := range c.create {
		names[s.Name] = true
		if s.Labels[discoveryv1.LabelServiceName] != "web" || *s.Ports[0].Name != "http" || s.OwnerReferences[0].UID != "u" {
			t.Errorf("slice %+v", s)
		}
	}
	if len(names) != 3 {
		t.Errorf("names %v", names)
	}
	for name, tc := range map[string]struct {
		member                      balance.Member
		ready, serving, terminating bool
	}{
		"serves":    {member: balance.Member{Weight: 100}, ready: true, serving: true},
		"weight 0":  {member: balance.Member{}},
		"drains":    {member: balance.Member{Weight: 100, Draining: true}, serving: true, terminating: true},
		"drains, 0": {member: balance.Member{Draining: true}, terminating: true},
	} {
		if c := endpoint(of, tc.member).Conditions; *c.Ready != tc.ready || *c.Serving != tc.serving || *c.Terminating != tc.terminating {
			t.Errorf("%s: %t %t %t", name, *c.Ready, *c.Serving, *c.Terminating)
		}
	}
	for _, address := range []string{"", "127.0.0.1", "::1", "0.0.0.0", "169.254.1.1", "fe80::1%eth0", "224.0.0.1", "web", "::ffff:10.0.0.1"} {
		c, bad := plan(web, nil, of, nil, append(members(0, 1), balance.Member{ID: "bad", Address: address, Port: 80}))
		if len(bad) != 1 || len(c.create) != 1 || len(c.create[0].Endpoints) != 1 {
			t.Errorf("%q: %v, %+v", address, bad, c.create)
		}
	}
}
