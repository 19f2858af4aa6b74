package checker

import (
	"testing"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

func readyPod(status string) history.Object {
	p := pod("plain", "v1")
	p["status"] = map[string]any{"conditions": []any{condition("Ready", status, "")}}
	return p
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	h := &tale{now: epoch}
	h.intent("plain", 3)
	for _, name := range []string{"soon", "late", "never", "young", "short"} {
		if name == "young" {
			h.after(200)
		}
		h.put(in("member1", history.Pods, name), readyPod("False"))
	}
	h.put(in("member1", history.Pods, "other"), pod("another", "v1"))
	h.now = epoch.Add(5e9)
	h.put(in("member1", history.Pods, "soon"), readyPod("True"))
	h.after(70).put(in("member1", history.Pods, "late"), readyPod("True"))
	h.now = epoch.Add(210e9)
	h.del(in("member1", history.Pods, "short")).del(in("member1", history.Pods, "never"))
	if ready, all := Capacity(h.History); ready != 1 || all != 3 {
		t.Errorf("%d of %d, want 1 of 3: soon; late, never", ready, all)
	}
}
