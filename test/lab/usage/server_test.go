package usage

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	clocktesting "k8s.io/utils/clock/testing"
)

func pod(namespace, name, app, cpu string, phase corev1.PodPhase) *corev1.Pod {
	out := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}, Status: corev1.PodStatus{Phase: phase},
	}
	if cpu != "" {
		out.Annotations = map[string]string{"kwok.x-k8s.io/usage-cpu": cpu}
	}
	return out
}

func TestUsage(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	server := Server{Clock: clocktesting.NewFakePassiveClock(now), Client: fake.NewSimpleClientset(
		pod("shop", "web-0", "web", "90m", corev1.PodRunning), pod("shop", "web-1", "web", "", corev1.PodRunning),
		pod("shop", "web-2", "web", "90m", corev1.PodPending), pod("shop", "db-0", "db", "5m", corev1.PodRunning),
		pod("bad", "bad-0", "web", "much", corev1.PodRunning),
	)}
	for name, tc := range map[string]struct {
		path     string
		wantCode int
		want     map[string]string
	}{
		"one application": {
			path: path + "/namespaces/shop/pods?labelSelector=app%3Dweb", wantCode: http.StatusOK,
			want: map[string]string{"web-0": "90m", "web-1": "1m"},
		},
		"a namespace": {
			path: path + "/namespaces/shop/pods", wantCode: http.StatusOK, want: map[string]string{"web-0": "90m", "web-1": "1m", "db-0": "5m"},
		},
		"a figure that is none":     {path: path + "/namespaces/bad/pods", wantCode: http.StatusInternalServerError},
		"all, and one is no figure": {path: path + "/pods", wantCode: http.StatusInternalServerError},
		"what is not served":        {path: path + "/nodes", wantCode: http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			server.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, tc.path, nil))
			if recorder.Code != tc.wantCode {
				t.Fatalf("answers %d, want %d: %s", recorder.Code, tc.wantCode, recorder.Body)
			}
			if tc.want == nil {
				return
			}
			var list metricsv1beta1.PodMetricsList
			if err := json.Unmarshal(recorder.Body.Bytes(), &list); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, item := range list.Items {
				got[item.Name] = item.Containers[0].Usage.Cpu().String()
				if !item.Timestamp.Time.Equal(now) || item.Window.Duration != window {
					t.Errorf("%s was measured at %s over %s", item.Name, item.Timestamp, item.Window.Duration)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("CPU (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	recorder := httptest.NewRecorder()
	Server{}.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	var list metav1.APIResourceList
	if err := json.Unmarshal(recorder.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if list.GroupVersion != "metrics.k8s.io/v1beta1" || len(list.APIResources) != 1 || list.APIResources[0].Name != "pods" {
		t.Errorf("discovery says %+v", list)
	}
}
