package main

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
)

// counting counts who asks.
type counting struct {
	*meta.DefaultRESTMapper
	asked int
}

func (c *counting) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	c.asked++
	return c.DefaultRESTMapper.RESTMapping(kind, versions...)
}

// TestAbsentKindIsAskedForOnceInAWhile: an absent kind costs one question in a while and is found soon after it came; others are asked for
// as ever.
func TestAbsentKindIsAskedForOnceInAWhile(t *testing.T) {
	late, other := schema.GroupVersionKind{Group: "late.example.com", Version: "v1", Kind: "Late"}, schema.GroupVersionKind{
		Group: "example.com", Version: "v1", Kind: "Other",
	}
	inner := &counting{DefaultRESTMapper: meta.NewDefaultRESTMapper(nil)}
	inner.Add(other, meta.RESTScopeNamespace)
	clk := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	m := &mapper{RESTMapper: inner, clock: clk, absent: map[string]absence{}}
	for range 1000 {
		if _, err := m.RESTMapping(late.GroupKind(), late.Version); !meta.IsNoMatchError(err) {
			t.Fatalf("error = %v, want that nothing matches", err)
		}
		if _, err := m.RESTMapping(other.GroupKind(), other.Version); err != nil {
			t.Fatal(err)
		}
	}
	if inner.asked != 1001 {
		t.Errorf("asked %d times, want 1 for the absent kind beside 1000 for the other", inner.asked)
	}
	inner.Add(late, meta.RESTScopeNamespace)
	clk.SetTime(clk.Now().Add(absentFor))
	if _, err := m.RESTMapping(late.GroupKind(), late.Version); err != nil {
		t.Errorf("after it came: %v", err)
	}
}
