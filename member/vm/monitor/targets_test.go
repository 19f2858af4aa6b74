package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/monitor"
)

func server(name, address string, monitored metav1.ConditionStatus, monitors ...v1alpha1.Monitor) v1alpha1.Server {
	out := v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{v1alpha1.LabelSet: "web"}}}
	out.Spec.Monitors = monitors
	out.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
	if monitored != "" {
		out.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionMonitored, Status: monitored}}
	}
	return out
}

var node = v1alpha1.Monitor{Name: "node", Template: "linux", Port: 9100}

func group(target, name, kind, path, template string, more map[string]string) monitor.Group {
	out := monitor.Group{Targets: []string{target}, Labels: map[string]string{
		"namespace": "shop", "set": "web", "server": name, "monitor": kind, "__metrics_path__": path, "__meta_argosy_template": template,
	}}
	for name, value := range more {
		out.Labels[name] = value
	}
	return out
}

func TestTargets(t *testing.T) {
	app := v1alpha1.Monitor{Name: "app", Template: "java", Port: 8081, Path: "/m", Labels: map[string]v1alpha1.LabelValue{
		"team": "a", "app.kubernetes.io/name": "shop", "7up": "x", "__address__": "elsewhere:1", "server": "another", "": "y",
	}}
	for name, tc := range map[string]struct {
		servers  []v1alpha1.Server
		template string
		want     []monitor.Group
	}{
		"nobody": {want: []monitor.Group{}},
		"only who is told of": {
			servers: []v1alpha1.Server{
				server("web-2", "10.0.0.2", metav1.ConditionTrue, node), server("web-1", "10.0.0.1", metav1.ConditionTrue, node),
				server("web-3", "10.0.0.3", metav1.ConditionFalse, node), server("web-4", "10.0.0.4", "", node),
				server("web-5", "10.0.0.5", metav1.ConditionUnknown, node),
			},
			want: []monitor.Group{
				group("10.0.0.1:9100", "web-1", "node", "/metrics", "linux", nil), group("10.0.0.2:9100", "web-2", "node", "/metrics", "linux", nil),
			},
		},
		"without an address, a port, or with one that is this very machine": {
			servers: []v1alpha1.Server{
				server("web-1", "", metav1.ConditionTrue, node), server("web-2", "127.0.0.1", metav1.ConditionTrue, node),
				server("web-3", "10.0.0.3", metav1.ConditionTrue, v1alpha1.Monitor{Name: "elsewhere", Template: "zabbix"}),
			},
			want: []monitor.Group{},
		},
		"labels that Prometheus takes, and none that say where it scrapes": {
			servers: []v1alpha1.Server{server("web-1", "fd00::1", metav1.ConditionTrue, app)},
			want: []monitor.Group{group("[fd00::1]:8081", "web-1", "app", "/m", "java", map[string]string{
				"team": "a", "app_kubernetes_io_name": "shop", "_7up": "x",
			})},
		},
		"of one template": {
			servers: []v1alpha1.Server{server("web-1", "10.0.0.1", metav1.ConditionTrue, node, app)}, template: "linux",
			want: []monitor.Group{group("10.0.0.1:9100", "web-1", "node", "/metrics", "linux", nil)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, monitor.Targets(tc.servers, tc.template)); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

var update = flag.Bool("update", false, "write the answer that Prometheus is tested with")

// TestAnswer holds the whole answer against the file that test/monitoring gives to Prometheus' own discovery and scrape.
func TestAnswer(t *testing.T) {
	app := v1alpha1.Monitor{Name: "app", Template: "java", Port: 8081, Path: "/actuator/prometheus", Labels: map[string]v1alpha1.LabelValue{
		"team": "shop", "app.kubernetes.io/name": "web",
	}}
	servers := reader{items: []v1alpha1.Server{
		server("web-1", "10.0.0.1", metav1.ConditionTrue, node, app), server("web-2", "fd00::2", metav1.ConditionTrue, node),
		server("web-3", "10.0.0.3", metav1.ConditionFalse, node),
	}}
	answer := httptest.NewRecorder()
	monitor.Handler(servers).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/sd/shop/web", nil))
	const path = "testdata/targets.json"
	if *update {
		if err := os.WriteFile(path, answer.Body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), answer.Body.String()); diff != "" {
		t.Errorf("the answer (-file +got):\n%s", diff)
	}
}

// reader of Servers that gives back what it is told.
type reader struct {
	client.Reader
	items []v1alpha1.Server
	err   error
}

func (r reader) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.ServerList).Items = r.items
	return r.err
}

func TestHandler(t *testing.T) {
	one := reader{items: []v1alpha1.Server{server("web-1", "10.0.0.1", metav1.ConditionTrue, node)}}
	for name, tc := range map[string]struct {
		reader       reader
		method, path string
		status       int
		groups       int
	}{
		"targets":                      {reader: one, path: "/sd/shop/web", status: 200, groups: 1},
		"of a template":                {reader: one, path: "/sd/shop/web?template=java", status: 200},
		"a set that is none":           {path: "/sd/shop/nobody", status: 200},
		"not known is not none":        {reader: reader{err: errors.New("no cache")}, path: "/sd/shop/web", status: 503},
		"no set":                       {path: "/sd/shop", status: 404},
		"a name that is none":          {path: "/sd/shop/We%20b", status: 400},
		"written":                      {method: http.MethodPost, path: "/sd/shop/web", status: 405},
		"names with a way out of here": {path: "/sd/shop/..%2f..", status: 400},
	} {
		t.Run(name, func(t *testing.T) {
			method := tc.method
			if method == "" {
				method = http.MethodGet
			}
			answer := httptest.NewRecorder()
			monitor.Handler(tc.reader).ServeHTTP(answer, httptest.NewRequest(method, tc.path, nil))
			if answer.Code != tc.status {
				t.Fatalf("%d: %s", answer.Code, answer.Body)
			}
			if tc.status != 200 {
				return
			}
			var groups []monitor.Group
			if err := json.Unmarshal(answer.Body.Bytes(), &groups); err != nil || groups == nil || len(groups) != tc.groups {
				t.Errorf("%v, %d groups in %s", err, len(groups), answer.Body)
			}
			if is := answer.Header().Get("Content-Type"); is != "application/json" {
				t.Errorf("Content-Type %q, and Prometheus takes application/json alone", is)
			}
		})
	}
}
