package fleet

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	karmadafake "github.com/karmada-io/karmada/pkg/generated/clientset/versioned/fake"
	"github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	testclock "k8s.io/utils/clock/testing"

	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/mirror"
)

// silent accepts connections and never says a word.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return "http://" + listener.Addr().String()
}

// A new replica is asked in the place of an old one only when it knows as much: until then a Service must not send it questions. A member
// that refuses is known to be away; one that says nothing is waited for, not for ever.
func TestReadyOnceEveryMemberWasTried(t *testing.T) {
	for name, tc := range map[string]struct {
		endpoint string
		waits    bool
	}{
		"a member that refuses":      {"http://127.0.0.1:1", false},
		"a member that says nothing": {silent(t), true},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), klog.Logger{}))
			defer cancel()
			clk := testclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			plane := karmadafake.NewSimpleClientset(
				cluster("m1", func(s *clusterv1alpha1.ClusterSpec) { s.APIEndpoint, s.InsecureSkipTLSVerification = tc.endpoint, true }))
			w := &Watcher{Fleet: New(func(string) (mirror.Config, error) {
				return mirror.Config{Clock: clk, ProbeEvery: time.Second, ProbeTimeout: time.Minute, FreshFor: time.Second, KeepFor: time.Second}, nil
			}), Promises: inflight.NewLedger(), Karmada: plane, Secrets: fake.NewClientset(secret("m1", "t")), FollowClusters: true, Clock: clk}
			g.Expect(w.Ready()).To(gomega.MatchError(gomega.ContainSubstring("not known yet")))
			go func() { _ = w.Run(ctx) }()
			if tc.waits {
				g.Eventually(w.Ready, patience, 5*time.Millisecond).Should(gomega.MatchError("still reading m1"))
				clk.Step(firstReading)
			}
			g.Eventually(w.Ready, patience, 5*time.Millisecond).Should(gomega.Succeed())
			w.Fleet.Join(ctx, "later", Connection{Rest: w.Fleet.members["m1"].connection.Rest})
			g.Expect(w.Ready()).To(gomega.Succeed(), "a member that joins later makes nobody unready")
		})
	}
}

func TestHealth(t *testing.T) {
	var condition error
	server := httptest.NewServer(HealthHandler(New(nil), func() error { return condition }))
	defer server.Close()
	for _, tc := range []struct {
		path      string
		condition error
		want      int
	}{
		{"/readyz", nil, http.StatusOK}, {"/readyz", errors.New("told to stop"), http.StatusServiceUnavailable}, {
			"/healthz", errors.New("told to stop"), http.StatusOK,
		},
	} {
		condition = tc.condition
		response, err := http.Get(server.URL + tc.path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != tc.want {
			t.Errorf("%s while %v: %s, want %d", tc.path, tc.condition, response.Status, tc.want)
		}
	}
}
