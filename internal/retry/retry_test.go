package retry

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// However long an outage was, what failed all the while is tried within half a minute of its end.
func TestLimiter(t *testing.T) {
	limiter := Limiter()
	if first := limiter.When(reconcile.Request{}); first > time.Second {
		t.Errorf("the first retry comes after %s", first)
	}
	for range 100 {
		limiter.When(reconcile.Request{})
	}
	if last := limiter.When(reconcile.Request{}); last != 30*time.Second {
		t.Errorf("after many failures the next retry comes after %s", last)
	}
}
