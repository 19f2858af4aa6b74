package delivery

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// customers ask the proxy all the time, and somebody looks at whom it sends them to.
type customers struct {
	stop func()

	mu     sync.Mutex
	served map[string]int
	// answered is how many requests were, in all.
	answered int
	lost     []string
	fewest   int
}

func (s *shop) customers() *customers {
	ctx, cancel := context.WithCancel(s.t.Context())
	out, all := &customers{served: map[string]int{}, fewest: 1000}, sync.WaitGroup{}
	http := s.proxy.Client(2 * time.Minute)
	for range 2 {
		all.Go(func() {
			for ctx.Err() == nil {
				out.took(ask(ctx, http))
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil {
			if serving, err := s.serving(); err == nil {
				out.saw(len(serving))
			}
		}
	})
	out.stop = func() {
		cancel()
		all.Wait()
		http.CloseIdleConnections()
	}
	return out
}

// ask the proxy once. The request is not of the customers' context: their end is none of its.
func ask(ctx context.Context, over *http.Client) (string, error) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://shop.example.com/", nil)
	if err != nil {
		return "", err
	}
	response, err := over.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("HTTP %d %s", response.StatusCode, text)
	}
	return strings.TrimSpace(string(text)), nil
}

func (c *customers) took(answer string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.lost = append(c.lost, err.Error())
		return
	}
	c.served[answer]++
	c.answered++
}

func (c *customers) saw(serving int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fewest = min(c.fewest, serving)
}

// since forgets what was answered so far, and returns what is answered from now on, by answer.
func (c *customers) since() func() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served = map[string]int{}
	return func() []string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.Sorted(maps.Keys(c.served))
	}
}

// judge what they met, of four servers.
func (c *customers) judge(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d requests through HAProxy were answered, %d lost; %d of four servers served at the least", c.answered, len(c.lost), c.fewest)
	if len(c.lost) > 0 {
		t.Errorf("%d requests were lost, the first: %s", len(c.lost), c.lost[0])
	}
	if c.fewest < 3 {
		t.Errorf("%d of four servers were left at a time", c.fewest)
	}
}

func (s *shop) server(name string) *v1alpha1.Server {
	s.t.Helper()
	out := &v1alpha1.Server{ObjectMeta: meta(name)}
	s.Expect(s.api.Get(s.t.Context(), client.ObjectKeyFromObject(out), out)).To(gomega.Succeed())
	return out
}

// phases of the servers, by name.
func (s *shop) phases() []string {
	list := &v1alpha1.ServerList{}
	if err := s.api.List(s.t.Context(), list, client.InNamespace(namespace)); err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, server := range list.Items {
		out = append(out, server.Name+" "+string(server.Status.Phase))
	}
	return out
}

// answered waits until customers hear that from four machines and nothing else from any.
func (s *shop) answered(c *customers, answer string) {
	s.t.Helper()
	heard := c.since()
	s.Eventually(func() string {
		answers := heard()
		machines := map[string]bool{}
		for _, one := range answers {
			what, at, _ := strings.Cut(one, ", vm-")
			if what != answer {
				heard = c.since() // from here on
				return one
			}
			machines[at] = true
		}
		return fmt.Sprintf("%d machines", len(machines))
	}).Should(gomega.Equal("4 machines"))
}

// TestBehindHAProxy: the sample of a delivery, with HAProxy for its load balancer and customers all the while. A release comes to all
// servers in three batches, each at a weight of 20 until a person has seen it; one that comes up sick stops at its first server and is
// taken back; and a machine that dies is replaced: no request is lost, and never is more than one of four away.
func TestBehindHAProxy(t *testing.T) {
	s := newShop(t)
	s.apply()
	s.Eventually(s.serving).Should(gomega.HaveLen(4))
	c := s.customers()
	t.Cleanup(c.stop)
	s.answered(c, "shop 1.0.0, jdk 21.0.2")

	s.release("1.2.0", func(strategy *v1alpha1.ReleaseStrategy) {
		strategy.Batches = []intstr.IntOrString{intstr.FromString("25%"), intstr.FromString("25%"), intstr.FromString("50%")}
		strategy.TrafficWeight, strategy.PauseBetween = ptr.To[int32](20), v1alpha1.PauseApproval
	})
	for batch, want := range [][]int32{{20, 100, 100, 100}, {100, 20, 100, 100}} {
		// Of this very batch: what was approved a moment ago is shown until the release was looked at again.
		next := fmt.Sprintf("release 1.2.0, batch %d of 3: ", batch+2)
		s.Eventually(s.asked).Should(gomega.HaveExactElements(gomega.HavePrefix(next)))
		s.Eventually(s.weights).Should(gomega.Equal(want))
		s.approve()
	}
	s.answered(c, "shop 1.2.0, jdk 21.0.2")
	s.Eventually(s.weights).Should(gomega.Equal([]int32{100, 100, 100, 100}))
	s.release("1.1.0", func(strategy *v1alpha1.ReleaseStrategy) { strategy.PauseBetween = v1alpha1.PauseNone })
	s.Eventually(func() string { return s.says(v1alpha1.ConditionStalled) }).
		Should(gomega.HavePrefix("BatchFailed: the release failed on shop-1, and 0 may fail: CheckHealth: "))
	s.Expect(s.serving()).To(gomega.HaveLen(3))
	s.release("1.2.0", func(*v1alpha1.ReleaseStrategy) {})
	s.answered(c, "shop 1.2.0, jdk 21.0.2")
	s.Eventually(s.phases).Should(gomega.HaveEach(gomega.HaveSuffix(" Ready")))
	s.Eventually(s.serving).Should(gomega.HaveLen(4))

	edit(s, &v1alpha1.VMReplicaSet{ObjectMeta: meta("shop")}, func(set *v1alpha1.VMReplicaSet) {
		set.Spec.Failover.Policy, set.Spec.Failover.UnknownTimeoutSeconds = v1alpha1.FailoverAuto, 30
	})
	dead := s.server("shop-2")
	s.Expect(syscall.Kill(s.system.Guests.PID(string(dead.UID)), syscall.SIGKILL)).To(gomega.Succeed())
	s.Eventually(s.serving).ShouldNot(gomega.ContainElement(dead.Status.Addresses[0].Address))
	s.Eventually(s.phases).Should(gomega.ContainElement("shop-2 Unknown"))
	s.clock.by.Add(int64(31 * time.Second))
	s.Eventually(s.phases).Should(gomega.Equal([]string{"shop-1 Ready", "shop-3 Ready", "shop-4 Ready", "shop-5 Ready"}))
	s.Eventually(s.serving).Should(gomega.HaveLen(4))
	s.answered(c, "shop 1.2.0, jdk 21.0.2")
	s.Expect(s.system.Made()).To(gomega.Equal(5))
	c.stop()
	c.judge(t)
}

func edit[T client.Object](s *shop, object T, change func(T)) {
	s.t.Helper()
	s.Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := s.api.Get(s.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change(object)
		return s.api.Update(s.t.Context(), object)
	})).To(gomega.Succeed())
}
