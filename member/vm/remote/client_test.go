package remote_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

// rig is one machine, and a client of it.
type rig struct {
	*gomega.WithT
	t      *testing.T
	guest  *remotetest.Guest
	client *remote.Client
	target remote.Target
	root   string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	root := t.TempDir()
	guest, err := remotetest.Start(remotetest.Options{Root: root, Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guest.CutPower)
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(time.Minute)
	return &rig{WithT: g, t: t, guest: guest, client: &remote.Client{}, target: guest.Target(), root: root}
}

func (r *rig) start(sequence int64, name, script string) error {
	return r.client.Start(r.t.Context(), r.target, remote.Work{Sequence: sequence, Name: name, Script: []byte(script)})
}

func (r *rig) status() remote.Status {
	r.t.Helper()
	out, err := r.client.Status(r.t.Context(), r.target)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) state() string {
	s := r.status()
	return fmt.Sprintf("%s %s %d", s.Name, s.State, s.Code)
}

// file of the machine; "" for none.
func (r *rig) file(name string) string {
	text, err := os.ReadFile(filepath.Join(r.root, name))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(text)
}

// endless work appends its name to a file over and over.
func endless(name string) string {
	return fmt.Sprintf(`while :; do echo %s >>"$ARGOSY_ROOT/marks"; sleep 0.05; done`, name)
}

func TestWorkIsDoneOnce(t *testing.T) {
	r := newRig(t)
	r.Expect(r.status().State).To(gomega.Equal(remote.None))
	script := `echo once >>"$ARGOSY_ROOT/marks"; echo "$ARGOSY_NAME of $ARGOSY_SEQUENCE"; exit 3`
	for range 3 {
		r.Expect(r.start(2, "op-a.install-1.0", script)).To(gomega.Succeed())
	}
	r.Eventually(r.state).Should(gomega.Equal("op-a.install-1.0 ended 3"))
	r.Expect(r.start(2, "op-a.install-1.0", script)).To(gomega.Succeed())
	r.Expect(r.start(9, "op-a.install-1.0", script)).To(gomega.Succeed(), "a later holder finds it done")
	r.Expect(r.file("marks")).To(gomega.Equal("once\n"))
	s := r.status()
	r.Expect(s.Output).To(gomega.Equal("op-a.install-1.0 of 2\n"))
	r.Expect(s.Fence).To(gomega.Equal(int64(9)))
	r.Expect(s.Boot).To(gomega.Equal(r.guest.BootID()))
	r.Expect(r.start(9, "../x", "true")).To(gomega.MatchError(gomega.ContainSubstring("that is no name")))
}

// TestALowerSequenceNeverActs: not before, not while and not after work of a higher one, and what it left running ends.
func TestALowerSequenceNeverActs(t *testing.T) {
	r := newRig(t)
	r.Expect(r.start(3, "old", endless("old"))).To(gomega.Succeed())
	r.Eventually(func() string { return r.file("marks") }).ShouldNot(gomega.BeEmpty())
	r.Expect(r.start(3, "same", "true")).To(gomega.MatchError(remote.ErrBusy))
	r.Expect(r.start(2, "older", endless("older"))).To(gomega.MatchError(remote.ErrFenced))

	r.Expect(r.start(4, "new", `: >"$ARGOSY_ROOT/marks"; echo new >>"$ARGOSY_ROOT/marks"; sleep 1`)).To(gomega.Succeed())
	r.Expect(r.start(3, "old", endless("old"))).To(gomega.MatchError(remote.ErrFenced))
	r.Eventually(r.state).Should(gomega.Equal("new ended 0"))
	r.Expect(r.start(3, "late", endless("late"))).To(gomega.MatchError(remote.ErrFenced))
	r.Expect(r.file("marks")).To(gomega.Equal("new\n"), "marks of what was fenced")
	r.Expect(r.guest.Processes()).To(gomega.Equal(0))
}

// TestKilledInTheMiddle: work that lost its leader, or its machine, is lost, and comes up right when it is started again.
func TestKilledInTheMiddle(t *testing.T) {
	for name, kill := range map[string]func(*rig){
		"its leader": func(r *rig) {
			_, err := r.client.Read(r.t.Context(), r.target, `kill -9 "$(cat "$ARGOSY_ROOT/var/lib/argosy/run/pid")"`)
			r.Expect(err).NotTo(gomega.HaveOccurred())
		},
		"its machine": func(r *rig) {
			r.guest.CutPower()
			r.Expect(r.guest.Processes()).To(gomega.Equal(0))
			_, err := r.client.Status(r.t.Context(), r.target)
			r.Expect(err).To(gomega.HaveOccurred())
			r.Expect(r.guest.Boot()).To(gomega.Succeed())
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			// The first time it hangs half-way.
			script := `f=$ARGOSY_ROOT/marks; [ -s "$f" ] || while :; do echo half >>"$f"; sleep 0.05; done; echo whole >"$f"`
			r.Expect(r.start(1, "op", script)).To(gomega.Succeed())
			r.Eventually(func() string { return r.file("marks") }).ShouldNot(gomega.BeEmpty())
			kill(r)
			r.Eventually(r.state).Should(gomega.Equal("op lost 0"))
			r.Expect(r.start(1, "op", script)).To(gomega.Succeed())
			r.Eventually(r.state).Should(gomega.Equal("op ended 0"))
			r.Expect(r.file("marks")).To(gomega.Equal("whole\n"), "what the killed one left goes on")
			r.Expect(r.guest.Processes()).To(gomega.Equal(0))
		})
	}
}

// TestOutputIsCut: 10 MiB that are no text.
func TestOutputIsCut(t *testing.T) {
	r := newRig(t)
	r.Expect(r.start(1, "loud", `head -c 10485760 /dev/urandom; echo; printf 'the end \377\n'`)).To(gomega.Succeed())
	r.Eventually(r.state).Should(gomega.Equal("loud ended 0"))
	s := r.status()
	r.Expect(len(s.Output)).To(gomega.BeNumerically("<=", 3*4096))
	r.Expect(utf8.ValidString(s.Output)).To(gomega.BeTrue())
	r.Expect(s.Output).To(gomega.HaveSuffix("the end \uFFFD\n"))
	r.Expect(len(r.file("var/lib/argosy/run/log"))).To(gomega.BeNumerically("<=", 64<<10))
	out, err := r.client.Read(t.Context(), r.target, "head -c 10485760 /dev/zero")
	r.Expect(err).NotTo(gomega.HaveOccurred())
	r.Expect(len(out)).To(gomega.Equal(1 << 20))
}

// TestADaemonHoldsNothingUp: work that leaves a process behind ends all the same.
func TestADaemonHoldsNothingUp(t *testing.T) {
	r := newRig(t)
	r.Expect(r.start(1, "daemon", `setsid sleep 600 & echo up`)).To(gomega.Succeed())
	r.Eventually(r.state).Should(gomega.Equal("daemon ended 0"))
	r.Expect(r.guest.Processes()).To(gomega.BeNumerically(">=", 1))
	r.Expect(r.start(1, "next", "true")).To(gomega.Succeed())
	r.Eventually(r.state).Should(gomega.Equal("next ended 0"))
}

// cut is a connection that breaks after so many bytes were written to it.
type cut struct {
	net.Conn
	left *atomic.Int64
}

func (c cut) Write(text []byte) (int, error) {
	if c.left.Add(-int64(len(text))) < 0 {
		_ = c.Close()
		return 0, errors.New("cut")
	}
	return c.Conn.Write(text)
}

// TestATornScriptNeverRuns: wherever the connection breaks, the script runs whole or not at all, and once.
func TestATornScriptNeverRuns(t *testing.T) {
	r := newRig(t)
	script := "marks=\"$ARGOSY_ROOT/marks\"\necho begun >>\"$marks\"\n" + strings.Repeat("# a line that says nothing\n", 4000) +
		"echo whole >>\"$marks\"\n"
	left := &atomic.Int64{}
	r.client.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		wire, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return cut{Conn: wire, left: left}, err
	}
	for bytes := int64(1000); ; bytes += 9000 {
		left.Store(bytes)
		err := r.start(1, "op", script)
		left.Store(1 << 40)
		if err == nil {
			break
		}
		r.Expect(r.file("marks")).To(gomega.Or(gomega.BeEmpty(), gomega.Equal("begun\nwhole\n")))
	}
	r.Eventually(r.state).Should(gomega.Equal("op ended 0"))
	r.Expect(r.file("marks")).To(gomega.Equal("begun\nwhole\n"))
}

// TestWhoProvesNothingGetsNothing: another host key, none, another's key, and what is no key.
func TestWhoProvesNothingGetsNothing(t *testing.T) {
	r := newRig(t)
	other, err := remotetest.Start(remotetest.Options{Root: t.TempDir(), Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.CutPower)
	good := r.target
	for name, tc := range map[string]struct {
		edit func(*remote.Target)
		want error
	}{
		"host key changed":    {func(t *remote.Target) { t.HostKeys = []string{other.HostKey()} }, remote.ErrHostKey},
		"no host key":         {func(t *remote.Target) { t.HostKeys = nil }, nil},
		"host key of no kind": {func(t *remote.Target) { t.HostKeys = []string{"ssh-ed25519 !"} }, nil},
		"no private key":      {func(t *remote.Target) { t.Key = []byte("x") }, remote.ErrKey},
		"another's key":       {func(t *remote.Target) { t.Key = other.Target().Key }, nil},
	} {
		r.target = good
		tc.edit(&r.target)
		err := r.start(1, "op", `echo ran >>"$ARGOSY_ROOT/marks"`)
		r.Expect(err).To(gomega.HaveOccurred(), name)
		if tc.want != nil {
			r.Expect(err).To(gomega.MatchError(tc.want), name)
		}
	}
	r.target = good
	r.target.HostKeys = []string{other.HostKey(), good.HostKeys[0]}
	r.Expect(r.status().State).To(gomega.Equal(remote.None), "one of several host keys")
	r.Expect(r.file("marks")).To(gomega.BeEmpty())
}

// TestAMachineLacksAProgram: which one is said, as busybox is often built without flock.
func TestAMachineLacksAProgram(t *testing.T) {
	t.Parallel()
	programs := t.TempDir()
	for _, name := range []string{"sh", "cat", "mkdir", "mv", "sha256sum", "cut", "setsid", "mkfifo"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	guest, err := remotetest.Start(remotetest.Options{Root: t.TempDir(), Address: "127.0.0.1:0", Env: []string{"PATH=" + programs}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guest.CutPower)
	client := &remote.Client{}
	want := gomega.MatchError(gomega.HaveSuffix(`the machine has no "flock", which work on it needs`))
	g := gomega.NewWithT(t)
	g.Expect(client.Start(t.Context(), guest.Target(), remote.Work{Sequence: 1, Name: "op", Script: []byte("true")})).To(want)
	_, err = client.Status(t.Context(), guest.Target())
	g.Expect(err).To(want)
}

// TestHalfOpen: who takes a connection and says nothing more, at once or in the middle of a command, is named, and holds nobody for ever.
func TestHalfOpen(t *testing.T) {
	r := newRig(t)
	r.client.Patience = 500 * time.Millisecond
	// On a machine that stalls no connection is late, so that what is late is the answer.
	r.client.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(context.WithoutCancel(ctx), network, address)
	}
	_, err := r.client.Read(t.Context(), r.target, "sleep 3600")
	r.Expect(err).To(gomega.MatchError(remote.ErrSilent))

	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections for it
	r.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { _ = silent.Close() })
	r.target.Address = silent.Addr().String()
	for what, ask := range map[string]func(context.Context) error{
		"status": func(ctx context.Context) error { _, err := r.client.Status(ctx, r.target); return err },
		"start": func(ctx context.Context) error {
			return r.client.Start(ctx, r.target, remote.Work{Sequence: 1, Name: "a", Script: []byte("true")})
		},
	} {
		err := ask(t.Context())
		r.Expect(err).To(gomega.MatchError(remote.ErrSilent), what)
		r.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(
			"logging into the machine: it took the connection and did not answer for 500ms ("+r.target.Address)), what)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = ask(ctx)
		r.Expect(err).To(gomega.HaveOccurred(), what)
		r.Expect(err).NotTo(gomega.MatchError(remote.ErrSilent), "%s: who asked gave up, not the machine", what)
	}
}
