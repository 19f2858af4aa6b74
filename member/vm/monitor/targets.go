package monitor

import (
	"cmp"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/pool"
)

// Group is one element of the answer, as Prometheus' http_sd asks for it.
type Group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// LabelTemplate bears the monitor's template; as a meta label it is there for relabeling, and not stored.
const LabelTemplate = "__meta_argosy_template"

// Targets of servers, by name; template, where it is not empty, leaves out monitors of others.
func Targets(servers []v1alpha1.Server, template string) []Group {
	out := []Group{} // an empty list, not null
	for i := range servers {
		server := &servers[i]
		address := pool.Address(server)
		if address == "" || !apimeta.IsStatusConditionTrue(server.Status.Conditions, v1alpha1.ConditionMonitored) {
			continue
		}
		for _, m := range server.Spec.Monitors {
			if m.Port == 0 || template != "" && m.Template != template {
				continue
			}
			out = append(out, Group{Targets: []string{net.JoinHostPort(address, strconv.Itoa(int(m.Port)))}, Labels: labels(server, m)})
		}
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Labels["server"], b.Labels["server"]), cmp.Compare(a.Labels["monitor"], b.Labels["monitor"]))
	})
	return out
}

func labels(server *v1alpha1.Server, m v1alpha1.Monitor) map[string]string {
	out := map[string]string{}
	for name, value := range m.Labels {
		if name = label(name); name != "" {
			out[name] = string(value)
		}
	}
	for name, value := range map[string]string{
		"namespace": server.Namespace, "set": server.Labels[v1alpha1.LabelSet], "server": server.Name, "monitor": m.Name,
		LabelTemplate: m.Template, "__metrics_path__": cmp.Or(m.Path, "/metrics"),
	} {
		out[name] = value
	}
	return out
}

var notInLabels = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// label is a name that every Prometheus takes; one wrong name would cost it the whole answer. Names that begin with __ say where and how
// Prometheus scrapes, which is not for a template to say: they are left out.
func label(name string) string {
	name = notInLabels.ReplaceAllString(name, "_")
	if name == "" || strings.HasPrefix(name, "__") {
		return ""
	}
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}
