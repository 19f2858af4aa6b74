package cronhpa

import (
	"sync"
	"testing"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/nemesis/checker"
	"github.com/argosy-dev/argosy/test/nemesis/history"
	"github.com/argosy-dev/argosy/test/nemesis/transport"
)

// TestEachWriteGoesWrong: a firing of a workload's rule and of an autoscaler's are applied once, though any one write fails, meets a
// conflict, is answered to nobody, or is seen late by who made it; and a CronHPA that is deleted gives back what it took.
func TestEachWriteGoesWrong(t *testing.T) {
	t.Parallel()
	watch, err := history.Watch(t.Context(), etcd, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	var mu sync.Mutex
	var namespaces []string
	transport.Sweep{Least: 6}.EachWrite(t, func(t *testing.T, wrap func(*rest.Config) *rest.Config) {
		w := newWorld(t)
		mu.Lock()
		namespaces = append(namespaces, w.namespace)
		mu.Unlock()
		w.deployment("web", 3)
		w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
		w.hpa("api", "api", 2, 8)
		w.cron("api", hpaRef("api"), boundsAt("out", w.schedule(10*minute), 10, 40))
		w.leadOf(wrap(restConfig), nil)
		_, _ = w.observed("web"), w.observed("api")
		w.setClock(10 * minute)
		for _, name := range []string{"web", "api"} {
			w.Eventually(func() string { return w.cronStatus(name).RuleInForce }).Should(gomega.Equal("out"), name)
			w.Eventually(func() string { return results(w.cronStatus(name).Rules[0]) }).
				Should(gomega.Equal("Applied*1"), "%s: lost, or handled twice", name)
		}
		w.Expect(w.replicas("web")).To(gomega.Equal(int32(10)))
		w.Expect(w.bounds("api")).To(gomega.Equal([2]int32{10, 40}))
		original := w.cronStatus("api").OriginalBounds
		w.Expect([2]int32{*original.MinReplicas, original.MaxReplicas}).To(gomega.Equal([2]int32{2, 8}), "its own bounds were lost")
		w.delete(&v1alpha1.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "api"}})
		w.Eventually(func() [2]int32 { return w.bounds("api") }).Should(gomega.Equal([2]int32{2, 8}))
		w.Consistently(func() string { return results(w.cronStatus("web").Rules[0]) }, "300ms").Should(gomega.Equal("Applied*1"), "handled twice")
	})
	h, err := watch.SoFar()
	if err != nil {
		t.Fatal(err)
	}
	checker.Demand(t, h.Within(namespaces...), "C5 firings")
}
