package vm

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// sampled is a world with deploy/samples/vmreplicaset-delivered.yaml in it, whose machines are guests in namespaces.
func sampled(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	yard, err := iaas.NewYard(t.TempDir())
	if err != nil {
		t.Fatalf("machines need namespaces: %v", err)
	}
	store, err := iaas.ServeStore(yard.Host())
	if err != nil {
		t.Fatal(err)
	}
	w.system.Guests = &iaas.Guests{Yard: yard}
	t.Cleanup(func() {
		w.system.Guests.Close()
		_, _ = store.Close(), yard.Close()
	})
	key, public, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	w.create(
		&corev1.Secret{ObjectMeta: w.meta("shop-access"), Type: corev1.SecretTypeSSHAuth, Data: map[string][]byte{corev1.SSHAuthPrivateKey: key}},
		&corev1.Secret{ObjectMeta: w.meta("shop-boot"), Data: map[string][]byte{
			httpdriver.TokenKey: []byte(token),
			"userData":          []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public))),
		}},
	)
	text, err := os.ReadFile("../../../deploy/samples/vmreplicaset-delivered.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() == "PropagationPolicy" {
			continue // a member has none
		}
		object.SetNamespace(w.namespace)
		w.create(object)
	}
	return w
}

// online are what the pool's servers answer, in order.
func (w *world) online() []string {
	w.t.Helper()
	var out []string
	for _, address := range w.pool() {
		out = append(out, w.ask(address))
	}
	slices.Sort(out)
	return out
}

// pool is the addresses that the Service leads to.
func (w *world) pool() []string {
	list := &discoveryv1.EndpointSliceList{}
	if err := api.List(w.ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{discoveryv1.LabelServiceName: "shop"}); err != nil {
		return nil
	}
	var out []string
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if ptr.Deref(e.Conditions.Ready, false) {
				out = append(out, e.Addresses[0])
			}
		}
	}
	return out
}

// ask a machine's service what it is.
func (w *world) ask(address string) string {
	request, err := http.NewRequestWithContext(w.ctx, http.MethodGet, "http://"+address+":8080/", nil)
	if err != nil {
		return err.Error()
	}
	response, err := (&http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	what, _, _ := strings.Cut(strings.TrimSpace(string(text)), ", vm-")
	return what
}

// drains is for how long a server of the sample is asked no more before it goes, by those who know of it.
const drains = 5 * time.Second

// customer asks a server of the pool, again and again, until the test's end or stop; served and lost are how many requests were answered
// and how many were not. Who is kept from asking, since the machine stands still, until a server has drained, asks one that has gone: that
// is nobody's loss.
func (w *world) customer() (stop func(), served, lost *atomic.Int64) {
	served, lost = &atomic.Int64{}, &atomic.Int64{}
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			now := clock.RealClock{}
			began, all := now.Now(), w.pool()
			if len(all) == 0 {
				continue
			}
			answer := w.ask(all[rand.IntN(len(all))])
			switch {
			case ctx.Err() != nil:
			case strings.HasPrefix(answer, "shop "):
				served.Add(1)
			case now.Since(began) < drains:
				lost.Add(1)
			}
		}
	}()
	return func() { cancel(); <-ended }, served, lost
}

func four(answer string) []string { return slices.Repeat([]string{answer}, 4) }

// TestTheSampleIsDelivered: the sample of a delivery, as it is, on machines in namespaces: machine, environment, code, monitoring, health,
// online. Then another jdk under traffic, no request of which is lost; and a machine whose first process is killed leaves the pool and
// is replaced.
func TestTheSampleIsDelivered(t *testing.T) {
	w := sampled(t)
	w.lead()
	w.Eventually(w.online).Should(gomega.Equal(four("shop 1.0.0, jdk 21.0.2")))
	w.Eventually(w.seen).Should(gomega.HaveEach(gomega.HaveSuffix("Ready Running")))
	for _, s := range w.servers() {
		w.Expect(apimeta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionMonitored)).To(gomega.BeTrue(), s.Name)
	}
	set := &v1alpha1.VMReplicaSet{ObjectMeta: w.meta("shop")}

	w.Eventually(w.away).WithContext(w.ctx).Should(gomega.BeZero())
	most := w.watchAway()
	stop, served, lost := w.customer()
	source, checksum := iaas.Artifact("/jdk/21.0.3.tar")
	change(w, set, func(s *v1alpha1.VMReplicaSet) {
		jdk := &s.Spec.Template.Spec.Packages[0]
		jdk.Version, jdk.Source, jdk.Checksum = "21.0.3", source, checksum
		s.Spec.Failover.Policy, s.Spec.Failover.UnknownTimeoutSeconds = v1alpha1.FailoverAuto, 30
	})
	w.Eventually(w.online).Should(gomega.Equal(four("shop 1.0.0, jdk 21.0.3")))
	w.Eventually(w.seen).Should(gomega.HaveEach(gomega.HaveSuffix("Ready Running")))
	stop()
	if most := most(); most > 1 {
		t.Errorf("%d servers were away at once", most)
	}
	if lost.Load() > 0 || served.Load() == 0 {
		t.Errorf("%d requests were lost, and %d served", lost.Load(), served.Load())
	}

	dead := w.server("shop-2")
	w.Expect(syscall.Kill(w.system.Guests.PID(string(dead.UID)), syscall.SIGKILL)).To(gomega.Succeed())
	w.Eventually(w.pool).ShouldNot(gomega.ContainElement(dead.Status.Addresses[0].Address))
	w.Eventually(w.seen).Should(gomega.ContainElement(gomega.HavePrefix("shop-2 Unknown")))
	w.clock.pass(31 * time.Second)
	w.Eventually(w.online).Should(gomega.Equal(four("shop 1.0.0, jdk 21.0.3")))
	w.Eventually(w.seen).Should(gomega.Equal([]string{
		"shop-1 Ready Running", "shop-3 Ready Running", "shop-4 Ready Running", "shop-5 Ready Running",
	}))
	w.Expect(w.system.Made()).To(gomega.Equal(5), fmt.Sprint(w.machines()))
}
