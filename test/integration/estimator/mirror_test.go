package estimator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/estimator/fleet"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/plugins"
	"github.com/argosy-dev/argosy/estimator/server"
	"github.com/argosy-dev/argosy/estimator/wire"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// world is one API server, two members on it (one behind a line), and the estimator that serves both.
type world struct {
	t      *testing.T
	client kubernetes.Interface
	config *rest.Config
	fleet  *fleet.Fleet
	server *server.Server
	line   *line
}

func start(t *testing.T) *world {
	t.Helper()
	api := lab.StartAPIServer(t, lab.APIServerOptions{})
	w := &world{t: t, client: kubernetes.NewForConfigOrDie(lab.Patient(api.Config)), config: api.Config}
	configuration, err := oracle.LoadConfiguration("", plugins.Registry())
	if err != nil {
		t.Fatal(err)
	}
	w.fleet = fleet.New(func(string) (mirror.Config, error) {
		return mirror.Config{Configuration: configuration, Plugins: plugins.Registry(), Clock: clock.RealClock{},
			// A busy API server may take seconds for a probe, and a machine may stand still for half a minute: a member that lives is not silent for
			// longer.
			ProbeEvery: 200 * time.Millisecond, ProbeTimeout: 10 * time.Second, FreshFor: 15 * time.Second, KeepFor: 45 * time.Second}, nil
	})
	w.server = server.New(server.Options{Members: w.fleet, Clock: clock.RealClock{}})
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	t.Cleanup(cancel)
	var faulty *rest.Config
	faulty, w.line = through(t, api.Config)
	for name, config := range map[string]*rest.Config{"good": api.Config, "faulty": faulty} {
		w.fleet.Join(ctx, name, fleet.Connection{Rest: config})
	}
	return w
}

// ask never sees an error, and never waits longer than promised. A busy machine may lose a moment, or many: a promise that is broken is
// broken until patience ends, and an answer counts when it came so soon that no part of the server ran out of its time, or did not three
// times.
func (w *world) ask(member string) int32 {
	return w.askFor(member, wire.Requirements{Namespace: "default", Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}})
}

func (w *world) askFor(member string, requirements wire.Requirements) int32 {
	const unhurried, promised = 300 * time.Millisecond, 1500 * time.Millisecond
	first, kept := (clock.RealClock{}).Now(), 0
	for {
		begun := clock.RealClock{}.Now()
		answer, err := w.server.MaxAvailableReplicas(klog.NewContext(context.Background(), klog.Logger{}), &wire.MaxAvailableReplicasRequest{
			Cluster: member, Requirements: requirements,
		})
		if err != nil {
			w.t.Errorf("asking about %s: %v: an error discards the other members' answers", member, err)
			return server.Unknown
		}
		took := clock.RealClock{}.Since(begun)
		if took <= promised {
			kept++
		}
		if took <= unhurried || kept == 3 {
			return answer.Value
		}
		if (clock.RealClock{}).Since(first) > machine.Patience {
			w.t.Errorf("asking about %s took %s, for %s", member, took, machine.Patience)
			return answer.Value
		}
	}
}

func (w *world) addNode(t *testing.T, name string) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
		"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi"), "pods": resource.MustParse("20")}}}
	made, err := w.client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Spec.Taints = nil // admission's not-ready taint
	if _, err := w.client.CoreV1().Nodes().Update(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestMemberThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	for fault, broken := range map[string]struct{ cut, hung bool }{"hangs": {hung: true}, "is cut off": {cut: true}} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w, g := start(t), gomega.NewWithT(t)
			w.addNode(t, "n1")
			eventually := func(member string, want int32, why string) {
				t.Helper()
				g.Eventually(func(g gomega.Gomega) { g.Expect(w.ask(member)).To(gomega.Equal(want), why) }, machine.Patience, 50*time.Millisecond).
					Should(gomega.Succeed())
			}
			eventually("good", 4, "one node of four CPUs")
			eventually("faulty", 4, "one node of four CPUs")

			w.line.set(broken.cut, broken.hung)
			g.Expect(w.ask("faulty")).To(gomega.Equal(int32(4)), "the last state is answered from")
			eventually("faulty", server.Unknown, "nothing may be said of a member that is silent for too long")
			g.Expect(w.ask("good")).To(gomega.Equal(int32(4)), "its neighbour is answered for all the while")
			w.line.set(false, false)
			eventually("faulty", 4, "it is back")

			// The watch broke with the line: what changes now must still arrive.
			w.addNode(t, "n2")
			eventually("faulty", 8, "a second node, seen through the mended watch")
		})
	}
}

func TestNothingIsWritten(t *testing.T) {
	t.Parallel()
	w := start(t)
	client := kubernetes.NewForConfigOrDie(mirror.ReadOnly(w.config, sets.New[string]()))
	_, err := client.CoreV1().ConfigMaps("default").
		Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	if !errors.Is(err, mirror.ErrWriteRefused) {
		t.Errorf("creating through the mirror's transport: %v, want %v", err, mirror.ErrWriteRefused)
	}
	// And what the member does not serve is empty, not an error.
	claims, err := client.ResourceV1().ResourceClaims("").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(claims.Items) != 0 {
		t.Errorf("listing what is not served: %v, %v", claims, err)
	}
}

// A StatefulSet's owner is found through any chain, by reading the member.
func TestOwnersOfAnyKind(t *testing.T) {
	t.Parallel()
	w, g := start(t), gomega.NewWithT(t)
	set, err := w.client.AppsV1().StatefulSets("default").Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "middle", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "component.luojilab.com/v1alpha1", Kind: "Component", Name: "shop", UID: "c", Controller: ptr.To(true)}}},
		Spec: appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "shop"}}}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("middle-%d", i), OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "middle", UID: set.UID, Controller: ptr.To(true)}}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "shop"}}}}
		made, err := w.client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		made.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
		if _, err := w.client.CoreV1().Pods("default").UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	g.Eventually(func(g gomega.Gomega) {
		answer, err := w.server.GetUnschedulableReplicas(klog.NewContext(t.Context(), klog.Logger{}),
			&wire.UnschedulableReplicasRequest{Cluster: "good",
				APIVersion: "component.luojilab.com/v1alpha1", Kind: "Component", Namespace: "default", Name: "shop"})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(answer.Value).To(gomega.Equal(int32(2)))
	}, machine.Patience, 50*time.Millisecond).Should(gomega.Succeed())
}

// A member's endpoint or token changes: the old mirror answers until the new one has read the member, also where the new way leads nowhere.
func TestMemberIsReachedAnotherWay(t *testing.T) {
	t.Parallel()
	w, g := start(t), gomega.NewWithT(t)
	w.addNode(t, "n1")
	g.Eventually(func(g gomega.Gomega) { g.Expect(w.ask("faulty")).To(gomega.Equal(int32(4))) }, machine.Patience, 50*time.Millisecond).
		Should(gomega.Succeed())

	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	t.Cleanup(cancel)
	wrong := rest.AnonymousClientConfig(w.config)
	wrong.BearerToken = "revoked"
	w.fleet.Join(ctx, "faulty", fleet.Connection{Rest: wrong})
	g.Consistently(func(g gomega.Gomega) { g.Expect(w.ask("faulty")).To(gomega.Equal(int32(4))) }, time.Second, 50*time.Millisecond).
		Should(gomega.Succeed())

	moved, line := through(t, w.config)
	w.fleet.Join(ctx, "faulty", fleet.Connection{Rest: moved})
	w.line.set(true, false)
	w.addNode(t, "n2")
	for _, member := range []string{"faulty", "good"} {
		g.Eventually(func(g gomega.Gomega) { g.Expect(w.ask(member)).To(gomega.Equal(int32(8))) }, machine.Patience, 50*time.Millisecond).
			Should(gomega.Succeed())
	}
	line.set(true, false)
	g.Eventually(func(g gomega.Gomega) { g.Expect(w.ask("faulty")).To(gomega.Equal(server.Unknown)) }, machine.Patience, 50*time.Millisecond).
		Should(gomega.Succeed())

	w.fleet.Leave(ctx, "faulty")
	g.Expect(w.ask("faulty")).To(gomega.Equal(server.Unknown), "it has left")
	g.Expect(w.ask("good")).To(gomega.Equal(int32(8)), "its neighbour is there all the while")
}

// A rack row is switched on: thousands of nodes in a row through the watch, and every question meanwhile is answered in time.
func TestThousandsOfNodesAppear(t *testing.T) {
	t.Parallel()
	const count = 10000
	w, g := start(t), gomega.NewWithT(t)
	g.Eventually(func(g gomega.Gomega) { g.Expect(w.ask("good")).To(gomega.BeZero()) }, machine.Patience, 50*time.Millisecond).
		Should(gomega.Succeed())
	config := lab.Patient(w.config)
	config.QPS = -1
	client := kubernetes.NewForConfigOrDie(config)
	var group errgroup.Group
	group.SetLimit(32)
	created := make(chan error, 1)
	go func() {
		for i := range count {
			group.Go(func() error {
				// Tolerated by the question below: nobody lifts the taint of 10,000 nodes here.
				node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%05d", i)},
					Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
						"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi"), "pods": resource.MustParse("20")}}}
				_, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
				return err
			})
		}
		created <- group.Wait()
	}()
	last, asked := int32(0), 0
	g.Eventually(func(g gomega.Gomega) {
		now := w.askFor("good", wire.Requirements{Namespace: "default", Requests: corev1.ResourceList{"cpu": resource.MustParse("1")},
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}})
		g.Expect(now).To(gomega.BeNumerically(">=", last), "nodes only come")
		last = now
		asked++
		g.Expect(now).To(gomega.Equal(int32(4 * count)))
	}, 15*time.Minute, 20*time.Millisecond).Should(gomega.Succeed())
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	t.Logf("asked %d times meanwhile", asked)
}
