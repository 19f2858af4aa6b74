package fleet

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	karmadafake "github.com/karmada-io/karmada/pkg/generated/clientset/versioned/fake"
	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	testclock "k8s.io/utils/clock/testing"

	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/mirror"
)

func cluster(name string, change ...func(*clusterv1alpha1.ClusterSpec)) *clusterv1alpha1.Cluster {
	c := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: clusterv1alpha1.ClusterSpec{
		APIEndpoint: "https://127.0.0.1:1", SecretRef: &clusterv1alpha1.LocalSecretReference{Namespace: "karmada-cluster", Name: name}}}
	for _, apply := range change {
		apply(&c.Spec)
	}
	return c
}

func secret(name, token string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "karmada-cluster", Name: name},
		Data: map[string][]byte{clusterv1alpha1.SecretTokenKey: []byte(token), clusterv1alpha1.SecretCADataKey: []byte("ca")}}
}

func TestConnectionOf(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster *clusterv1alpha1.Cluster
		secret  *corev1.Secret
		want    string
	}{
		"as karmadactl join leaves it": {cluster("m1"), secret("m1", "t"), ""},
		"through a proxy": {
			cluster("m1", func(s *clusterv1alpha1.ClusterSpec) { s.ProxyURL = "http://proxy:3128" }), secret("m1", "t"), "",
		},
		"a proxy that is no address": {
			cluster("m1", func(s *clusterv1alpha1.ClusterSpec) { s.ProxyURL = "://" }), secret("m1", "t"),
			"cluster m1: by its Cluster and secret karmada-cluster/m1: parse",
		},
		"a pull-mode member": {
			cluster("m1", func(s *clusterv1alpha1.ClusterSpec) { s.SecretRef = nil }), secret("m1", "t"), "give its kubeconfig",
		},
		"no secret yet":            {cluster("m1"), secret("m2", "t"), "reading secret karmada-cluster/m1"},
		"a secret without a token": {cluster("m1"), secret("m1", ""), "missing a non-empty value for \"token\""},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := ConnectionOf(t.Context(), fake.NewClientset(tc.secret), tc.cluster)
			if tc.want == "" && (err != nil || connection.Token != "t" || connection.Rest.BearerToken != "" ||
				string(connection.Rest.CAData) != "ca") {
				t.Errorf("%+v, %v", connection.Rest, err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestConnectionsThatDiffer(t *testing.T) {
	read := func(token string, change ...func(*clusterv1alpha1.ClusterSpec)) Connection {
		connection, err := ConnectionOf(t.Context(), fake.NewClientset(secret("m1", token)), cluster("m1", change...))
		if err != nil {
			t.Fatal(err)
		}
		return connection
	}
	same := read("t")
	for name, tc := range map[string]struct {
		other Connection
		want  bool
	}{
		"read again":       {read("t"), true},
		"a renewed token":  {read("u"), true},
		"another endpoint": {read("t", func(s *clusterv1alpha1.ClusterSpec) { s.APIEndpoint = "https://127.0.0.1:2" }), false},
		"another proxy":    {read("t", func(s *clusterv1alpha1.ClusterSpec) { s.ProxyURL = "http://proxy:3128" }), false},
		"another header for the proxy": {read("t", func(s *clusterv1alpha1.ClusterSpec) {
			s.ProxyHeader = map[string]string{"Proxy-Authorization": "Basic eA=="}
		}), false},
		"TLS not verified": {read("t", func(s *clusterv1alpha1.ClusterSpec) { s.InsecureSkipTLSVerification = true }), false},
	} {
		if same.equal(tc.other) != tc.want {
			t.Errorf("%s: equal = %t", name, !tc.want)
		}
	}
}

const patience = 3 * time.Minute

// watching is closed once the kind is watched: what is written between a list and the watch after it a real server would still tell, a fake
// one does not.
func watching(plane *karmadafake.Clientset, kind string) <-chan struct{} {
	watched := make(chan struct{})
	tell := sync.OnceFunc(func() { close(watched) })
	plane.PrependWatchReactor(kind, func(action clienttesting.Action) (bool, watch.Interface, error) {
		defer tell()
		watcher, err := plane.Tracker().Watch(action.GetResource(), action.GetNamespace(), action.(clienttesting.WatchActionImpl).ListOptions)
		return true, watcher, err
	})
	return watched
}

// Clusters come, get their secret late, renew it, and go; the fleet follows. No member answers here, which is the mirrors' business.
func TestWatcherFollowsClusters(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	defer cancel()
	clk := testclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	plane, secrets := karmadafake.NewSimpleClientset(cluster("m1"),
		cluster("edge", func(s *clusterv1alpha1.ClusterSpec) { s.SecretRef = nil })), fake.NewClientset(secret("m1", "old"))
	fleet := New(func(string) (mirror.Config, error) {
		return mirror.Config{Clock: clk, ProbeEvery: time.Second, ProbeTimeout: time.Millisecond, FreshFor: time.Second, KeepFor: time.Second},
			nil
	})
	w := &Watcher{Fleet: fleet, Promises: inflight.NewLedger(), Karmada: plane, Secrets: secrets, FollowClusters: true, Clock: clk}
	watched := watching(plane, "clusters")
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	g.Eventually(watched, patience).Should(gomega.BeClosed())
	token := func(name string) string {
		fleet.mu.RLock()
		defer fleet.mu.RUnlock()
		if member, ok := fleet.members[name]; ok {
			return *member.bearer.token.Load()
		}
		return "none"
	}
	eventually := func(name, want, why string) {
		t.Helper()
		g.Eventually(func() string { return token(name) }, patience, 5*time.Millisecond).Should(gomega.Equal(want), why)
	}
	eventually("m1", "old", "m1 has joined")
	g.Expect(token("edge")).To(gomega.Equal("none"), "a pull-mode member has no secret to join by, and keeps nobody else out")
	g.Eventually(func() []Status { return fleet.Statuses() }, patience, 5*time.Millisecond).Should(gomega.ContainElement(gomega.And(
		gomega.HaveField("Name", "edge"), gomega.HaveField("State", mirror.Joining),
		gomega.HaveField("Problem", gomega.ContainSubstring("give its kubeconfig")))), "and is told, for an alert looks for it")
	_, err := fleet.Member("edge")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("member edge has not joined: cluster edge: spec.apiEndpoint")))
	_, err = fleet.Member("m1")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("member m1")), "joined and not read yet is an error, never a zero")

	_, err = plane.ClusterV1alpha1().Clusters().Create(ctx, cluster("m2"), metav1.CreateOptions{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = secrets.CoreV1().Secrets("karmada-cluster").Create(ctx, secret("m2", "late"), metav1.CreateOptions{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Eventually(func() string { clk.Step(soon); return token("m2") }, patience, 20*time.Millisecond).
		Should(gomega.Equal("late"), "tried again soon")

	mirrorOf := func(name string) *mirror.Mirror {
		fleet.mu.RLock()
		defer fleet.mu.RUnlock()
		return fleet.members[name].mirror
	}
	mirrored := mirrorOf("m1")
	renewed := secret("m1", "new")
	_, err = secrets.CoreV1().Secrets("karmada-cluster").Update(ctx, renewed, metav1.UpdateOptions{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Eventually(func() string { clk.Step(again); return token("m1") }, patience, 20*time.Millisecond).
		Should(gomega.Equal("new"), "a renewed token is noticed")
	g.Expect(mirrorOf("m1")).To(gomega.BeIdenticalTo(mirrored), "and the mirror goes on: no second one is filled for it")

	_, err = secrets.CoreV1().Secrets("karmada-cluster").Update(ctx, secret("m1", "newer"), metav1.UpdateOptions{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	steps := 0
	fleet.refusedToken()
	g.Eventually(func() string {
		if steps++; steps <= int(soon/time.Second) {
			clk.Step(time.Second)
		}
		return token("m1")
	}, patience, 20*time.Millisecond).Should(gomega.Equal("newer"), "a refused token is read anew within seconds")

	g.Expect(plane.ClusterV1alpha1().Clusters().Delete(ctx, "m1", metav1.DeleteOptions{})).To(gomega.Succeed())
	eventually("m1", "none", "m1 has left")
	_, err = fleet.Member("m1")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(`no member "m1" is mirrored`)))
	g.Expect(token("m2")).To(gomega.Equal("late"), "its neighbour stays")

	g.Expect(secrets.CoreV1().Secrets("karmada-cluster").Delete(ctx, "m2", metav1.DeleteOptions{})).To(gomega.Succeed())
	g.Expect(plane.ClusterV1alpha1().Clusters().Delete(ctx, "edge", metav1.DeleteOptions{})).To(gomega.Succeed())
	g.Eventually(func() []string {
		var names []string
		for _, status := range fleet.Statuses() {
			names = append(names, status.Name)
		}
		return names
	}, patience, 5*time.Millisecond).Should(gomega.Equal([]string{"m2"}), "who left is told no more, and who is mirrored once")

	cancel()
	g.Eventually(ended, patience).Should(gomega.Receive(gomega.BeNil()))
}

// Promises come from bindings as they change, not from those that were there before; those forgotten are forgotten.
func TestWatcherKeepsTheLedger(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	defer cancel()
	clk := testclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	binding := func(name string, replicas int32) *workv1alpha2.ResourceBinding {
		return &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec: workv1alpha2.ResourceBindingSpec{Resource: workv1alpha2.ObjectReference{Kind: "Deployment", Namespace: "shop", Name: name},
				Clusters: []workv1alpha2.TargetCluster{{Name: "m1", Replicas: replicas}}}}
	}
	plane := karmadafake.NewSimpleClientset(binding("old", 3))
	w := &Watcher{Fleet: New(nil), Promises: inflight.NewLedger(), Karmada: plane, Secrets: fake.NewClientset(), Clock: clk}
	watched := watching(plane, "resourcebindings")
	go func() { _ = w.Run(ctx) }()
	g.Eventually(watched, patience).Should(gomega.BeClosed())
	promised := func() int { return len(w.Promises.Ahead("m1", clk.Now())) }
	g.Consistently(promised, 200*time.Millisecond, 10*time.Millisecond).Should(gomega.BeZero(), "what was there before is no promise")
	bindings := plane.WorkV1alpha2().ResourceBindings("shop")
	_, err := bindings.Create(ctx, binding("new", 2), metav1.CreateOptions{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Eventually(promised, patience).Should(gomega.Equal(1))
	_, err = bindings.Update(ctx, binding("old", 5), metav1.UpdateOptions{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Eventually(promised, patience).Should(gomega.Equal(2))
	g.Expect(bindings.Delete(ctx, "new", metav1.DeleteOptions{})).To(gomega.Succeed())
	g.Eventually(promised, patience).Should(gomega.Equal(1))
}

// One member's configuration cannot stand: it is left out and says why, in metrics too, and once in the log; its neighbour is mirrored.
func TestMisconfiguredMember(t *testing.T) {
	var lines []string
	logger := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logger))
	clk := testclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	fleet := New(func(name string) (mirror.Config, error) {
		if name == "bad" {
			return mirror.Config{}, errors.New(`plugin "Wishful" is not compiled in`)
		}
		return mirror.Config{Clock: clk, ProbeTimeout: time.Millisecond}, nil
	})
	connection := Connection{Rest: &rest.Config{Host: "https://127.0.0.1:1"}}
	cancel() // the mirrors need not run
	for range 3 {
		fleet.Join(ctx, "bad", connection)
	}
	fleet.Join(ctx, "good", connection)
	if _, err := fleet.Member("bad"); err == nil || !strings.Contains(err.Error(), "Wishful") {
		t.Errorf("error = %v, want the plugin's name in it", err)
	}
	told := 0
	for _, line := range lines {
		if strings.Contains(line, "Misconfigured") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times in the log, want once: %q", told, lines)
	}
	const want = "# HELP argosy_estimator_member_state_info " +
		"1 for the state a member's mirror is in: Joining, Fresh, Stale, Lost or Misconfigured.\n" +
		`# TYPE argosy_estimator_member_state_info gauge
argosy_estimator_member_state_info{member="bad",state="Misconfigured"} 1
argosy_estimator_member_state_info{member="good",state="Joining"} 1
`
	if err := testutil.CollectAndCompare(NewCollector(fleet), strings.NewReader(want), "argosy_estimator_member_state_info"); err != nil {
		t.Error(err)
	}
	fleet.Leave(ctx, "bad")
	if statuses := fleet.Statuses(); len(statuses) != 1 {
		t.Errorf("after it left: %+v", statuses)
	}
}

// Several instances share a fleet by the labels of its Clusters: one registers and mirrors those it selects, as their labels change.
func TestSelectorSharesTheFleet(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	defer cancel()
	clk := testclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	ours, theirs := cluster("m1"), cluster("m2")
	ours.Labels, theirs.Labels = map[string]string{"region": "eu"}, map[string]string{"region": "us"}
	plane := karmadafake.NewSimpleClientset(ours, theirs)
	fleet := New(func(string) (mirror.Config, error) { return mirror.Config{}, errors.New("not asked about here") })
	registered := make(chan []string, 10)
	w := &Watcher{Fleet: fleet, Promises: inflight.NewLedger(), Karmada: plane, Secrets: fake.NewClientset(), FollowClusters: true,
		Selector: labels.SelectorFromSet(labels.Set{"region": "eu"}), Clock: clk,
		Register: func(_ context.Context, members []string) error { registered <- members; return nil }}
	watched := watching(plane, "clusters")
	go func() { _ = w.Run(ctx) }()
	g.Eventually(watched, patience).Should(gomega.BeClosed())
	g.Eventually(registered, patience).Should(gomega.Receive(gomega.Equal([]string{"m1"})))
	moved := theirs.DeepCopy()
	moved.Labels = ours.Labels
	_, err := plane.ClusterV1alpha1().Clusters().Update(ctx, moved, metav1.UpdateOptions{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Eventually(registered, patience).Should(gomega.Receive(gomega.Equal([]string{"m1", "m2"})))
}

// TestTheTokenThatIsSent is the newest, also through what was built before it was renewed.
func TestTheTokenThatIsSent(t *testing.T) {
	var sent []string
	server := httptest.NewServer(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = append(sent, r.Header.Get("Authorization")) }))
	defer server.Close()
	b := &bearer{}
	old, renewed := "old", "new"
	b.token.Store(&old)
	client, err := rest.HTTPClientFor(b.carry(&rest.Config{Host: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range []*string{&renewed, &renewed} {
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		b.token.Store(next)
	}
	if diff := cmp.Diff([]string{"Bearer old", "Bearer new"}, sent); diff != "" {
		t.Errorf("(-want +sent)\n%s", diff)
	}
}

// TestTheBudgetIsTold beside the number of pods, and not where nobody gave one.
func TestTheBudgetIsTold(t *testing.T) {
	fleet := New(nil)
	if err := testutil.CollectAndCompare(NewCollector(fleet), strings.NewReader(""), "argosy_estimator_pod_budget"); err != nil {
		t.Error(err)
	}
	fleet.PodBudget = 50000
	const want = `# HELP argosy_estimator_pod_budget How many pods this process is meant for (podBudget of its configuration).
# TYPE argosy_estimator_pod_budget gauge
argosy_estimator_pod_budget 50000
# HELP argosy_estimator_pods Pods of all members in memory.
# TYPE argosy_estimator_pods gauge
argosy_estimator_pods 0
`
	if err := testutil.CollectAndCompare(NewCollector(fleet), strings.NewReader(want), "argosy_estimator_pod_budget",
		"argosy_estimator_pods"); err != nil {
		t.Error(err)
	}
}
