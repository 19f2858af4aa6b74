package drain

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	testingclock "k8s.io/utils/clock/testing"
)

func TestDrain(t *testing.T) {
	g := NewWithT(t)
	clk := testingclock.NewFakeClock(time.Unix(0, 0))
	d := &Drain{Clock: clk, Period: 5 * time.Second}
	asked, ask := context.WithCancel(t.Context())
	ctx := d.Until(asked)
	server := httptest.NewServer(d.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	closes := func() bool {
		response, err := http.Get(server.URL)
		g.Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		return response.Close
	}

	g.Expect(d.Ready()).To(Succeed())
	g.Expect(closes()).To(BeFalse(), "a connection was closed that may stay")

	ask()
	g.Eventually(clk.HasWaiters, "180s").Should(BeTrue())
	g.Expect(d.Ready()).NotTo(Succeed(), "a Service would go on sending")
	g.Expect(closes()).To(BeTrue(), "a caller would come back on a connection that is about to go")
	g.Expect(ctx.Err()).NotTo(HaveOccurred(), "stopped at once")

	clk.Step(5 * time.Second)
	g.Eventually(ctx.Done(), "180s").Should(BeClosed())
}
