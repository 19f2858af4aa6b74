package remote_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

// unhurried is the patience of tests that count connections: a machine that stalls is none to dial anew.
const unhurried = 10 * time.Minute

// TestConnectionsAreKept: looking at a machine again and again is one handshake; another key, user or host key is another connection; and
// one that nobody uses is closed.
func TestConnectionsAreKept(t *testing.T) {
	r := newRig(t)
	connections := func() []int {
		open, ever := r.guest.Connections()
		return []int{open, ever}
	}
	r.client.Idle, r.client.Patience = time.Hour, unhurried
	for i := range 20 {
		r.Expect(r.start(int64(i+1), "op."+strconv.Itoa(i), "true")).To(gomega.Succeed())
		r.status()
	}
	r.Expect(connections()).To(gomega.Equal([]int{1, 1}))
	other := r.target
	other.User = "somebody"
	_, err := r.client.Status(t.Context(), other)
	r.Expect(err).NotTo(gomega.HaveOccurred())
	r.Expect(connections()).To(gomega.Equal([]int{2, 2}))
	stranger := r.target
	stranger.HostKeys = []string{r.other()}
	_, err = r.client.Status(t.Context(), stranger)
	r.Expect(err).To(gomega.MatchError(remote.ErrHostKey), "a connection that proved another key does not do")

	client := &remote.Client{Idle: 50 * time.Millisecond, Patience: unhurried}
	_, err = client.Status(t.Context(), r.target)
	r.Expect(err).NotTo(gomega.HaveOccurred())
	r.Eventually(func() int { return connections()[0] }).Should(gomega.Equal(2), "its connection is closed when it is idle")
}

// other is a host key of nobody.
func (r *rig) other() string {
	r.t.Helper()
	guest, err := remotetest.Start(remotetest.Options{Root: r.t.TempDir(), Address: "127.0.0.1:0"})
	if err != nil {
		r.t.Fatal(err)
	}
	guest.CutPower()
	return guest.HostKey()
}

// TestAKeptConnectionBreaks: a machine that was switched off and on is reached again at the first try, and no work is started twice for
// it.
func TestAKeptConnectionBreaks(t *testing.T) {
	r := newRig(t)
	for i := range 5 {
		r.Expect(r.start(int64(i+1), "op."+strconv.Itoa(i), `echo x >>"$ARGOSY_ROOT/marks"`)).To(gomega.Succeed())
		r.Eventually(r.state).Should(gomega.Equal("op." + strconv.Itoa(i) + " ended 0"))
		r.guest.CutPower()
		r.Expect(r.guest.Boot()).To(gomega.Succeed())
	}
	r.Expect(r.status().Boot).To(gomega.Equal(r.guest.BootID()))
	r.Expect(r.file("marks")).To(gomega.Equal("x\nx\nx\nx\nx\n"))
}

// TestFewAreKept: however many machines there are, no more connections stay open than may, and callers side by side do not wait for each
// other.
func TestFewAreKept(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(time.Minute)
	guests := startGuests(t, 6)
	client := &remote.Client{Idle: time.Hour, Kept: 2, Patience: unhurried}
	var all sync.WaitGroup
	for _, guest := range guests {
		for range 3 {
			all.Go(func() {
				if _, err := client.Status(t.Context(), guest.Target()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	g.Eventually(func() int {
		sum := 0
		for _, guest := range guests {
			open, _ := guest.Connections()
			sum += open
		}
		return sum
	}).Should(gomega.Equal(2))
}

func startGuests(t testing.TB, n int) []*remotetest.Guest {
	t.Helper()
	var out []*remotetest.Guest
	for range n {
		guest, err := remotetest.Start(remotetest.Options{Root: t.TempDir(), Address: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(guest.CutPower)
		out = append(out, guest)
	}
	return out
}

// BenchmarkLooks looks ten times at each of twenty machines, with connections that are kept and without, and prints how many connections
// each machine took for it.
func BenchmarkLooks(b *testing.B) {
	for name, idle := range map[string]time.Duration{"kept": time.Hour, "each anew": -1} {
		b.Run(name, func(b *testing.B) {
			guests := startGuests(b, 20)
			for b.Loop() {
				client := &remote.Client{Idle: idle}
				for range 10 {
					for _, guest := range guests {
						if _, err := client.Read(b.Context(), guest.Target(), "true"); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			ever := 0
			for _, guest := range guests {
				_, n := guest.Connections()
				ever += n
			}
			b.ReportMetric(float64(ever)/float64(len(guests)*b.N), "connections/server")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N*len(guests)*10), "ms/look")
		})
	}
}
