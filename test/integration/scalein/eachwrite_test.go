package scalein

import (
	"testing"

	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/test/nemesis/transport"
)

// TestEachWriteGoesWrong: an order removes exactly its pods and leaves nothing behind, though any one write fails, meets a conflict, is
// answered to nobody, or is seen late by who made it.
func TestEachWriteGoesWrong(t *testing.T) {
	t.Parallel()
	transport.Sweep{Least: 6, InTurn: true}.EachWrite(t, func(t *testing.T, wrap func(*rest.Config) *rest.Config) {
		w := newWorld(t)
		w.create(plane, w.order("order", "web-0", "web-2"))
		w.leadOf(wrap(planeConfig), nil)
		w.expectCarriedOut()
	})
}
