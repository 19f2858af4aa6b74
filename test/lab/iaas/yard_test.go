package iaas

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

// network is why machines have no network here; nil: they have.
var network error

func TestMain(m *testing.M) {
	BeMachine()
	network = Own()
	os.Exit(m.Run())
}

// TestAYard: machines in namespaces of their own do what machines do. They are logged into by the key of their user data, have files and
// processes that are not this host's, die whole, come back with their files and another boot id, and go with their IaaS.
func TestAYard(t *testing.T) {
	if network != nil {
		t.Fatalf("machines need a network: %v", network)
	}
	yard, err := NewYard(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := &Server{Store: &Store{Clock: clock.RealClock{}, Guests: &Guests{Yard: yard}}, Token: token}
	t.Cleanup(func() {
		server.Guests.Close()
		if err := yard.Close(); err != nil {
			t.Error(err)
		}
	})
	driver := driverOf(t, server.Handler())
	key, public, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(2 * time.Minute)
	call := machine.Call{Key: "a", Sequence: 1, Credentials: credentials()}
	spec := machine.Spec{
		Owner: "o", Name: "n", Machine: v1alpha1.Machine{Image: "lab/x"},
		UserData: []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public))),
	}
	if _, err := driver.Ensure(t.Context(), call, spec); err != nil {
		t.Fatal(err)
	}
	var seen machine.Machine
	running := func() error {
		seen, err = driver.Get(t.Context(), call)
		if err == nil && seen.State != v1alpha1.MachineRunning {
			err = fmt.Errorf("it is %s", seen.State)
		}
		return err
	}
	g.Eventually(running).Should(gomega.Succeed())
	address := seen.Addresses[0].Address
	client := &remote.Client{}
	target := func() remote.Target {
		return remote.Target{Address: address + ":22", User: "root", Key: key, HostKeys: seen.HostKeys}
	}
	read := func(command string) string {
		t.Helper()
		out, err := client.Read(t.Context(), target(), command)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	first := seen.BootID
	g.Expect(read("hostname; echo left >/tmp/left; echo kept >/etc/argosy-kept; ls /proc | grep -c '^[0-9]*$'")).
		To(gomega.MatchRegexp(`^vm-1\n\d$`), "its name, and how many processes it has")
	g.Expect("/etc/argosy-kept").NotTo(gomega.BeAnExistingFile(), "this host's file")
	g.Expect(read("curl -s http://"+yard.Host()+":1/ || echo $?")).To(gomega.Equal("7"), "this host is reached, and refuses")

	// The service of the lab's store, released by hand.
	_, checksum := Artifact("/shop/1.0.0.tar")
	g.Expect(checksum).To(gomega.HavePrefix("sha256:"))
	for file, text := range Artifacts() {
		if file == "/shop/1.0.0.tar" {
			work := remote.Work{Sequence: 1, Name: "shop", Script: fmt.Appendf(nil,
				"mkdir -p /srv/shop && cd /srv/shop && base64 -d <<END | tar x && ./bin/restart\n%s\nEND\n", base64.StdEncoding.EncodeToString(text))}
			g.Expect(client.Start(t.Context(), target(), work)).To(gomega.Succeed())
		}
	}
	says := func() string { return get(t.Context(), "http://"+address+":8080/") }
	g.Eventually(says).Should(gomega.MatchRegexp(`^shop 1.0.0, jdk .*, vm-1\n$`))
	g.Expect(server.Guests.Plug("a", false)).To(gomega.Succeed())
	g.Expect(says()).To(gomega.BeEmpty())
	g.Expect(server.Guests.Plug("a", true)).To(gomega.Succeed())
	g.Eventually(says).ShouldNot(gomega.BeEmpty(), "nothing in the machine ended")

	g.Expect(server.Kill("a")).To(gomega.BeTrue())
	_, err = client.Status(t.Context(), target())
	g.Expect(err).To(gomega.HaveOccurred())
	g.Expect(server.Reboot("a")).To(gomega.BeTrue())
	g.Eventually(running).Should(gomega.Succeed())
	g.Expect(seen.BootID).NotTo(gomega.Equal(first))
	g.Expect(read("cat /etc/argosy-kept; ls /tmp")).To(gomega.Equal("kept"))
}

// get what a machine's service answers; "" for nothing.
func get(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return ""
	}
	return string(text)
}
