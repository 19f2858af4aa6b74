package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// metric is one that a program of ours defines.
type metric struct {
	name, kind, help string
	labels           []string
}

const metricsIntro = `# Metrics

Every program serves Prometheus' text format at ` + "`/metrics`" + ` of its metrics address. A histogram ` +
	"`x`" + ` is exported as ` + "`x_bucket`, `x_sum` and `x_count`" + `.
A metric with labels appears once something happened that has a value for them.

`

// metricsOutro tells of those metrics of libraries that alerts and dashboards ask for. No code of ours names them: test/e2e/install reads
// each from the running programs.
const metricsOutro = `
## libraries (argosy-webhook, argosy-controller-manager, argosy-estimator, argosy-member-manager)

| metric | type | labels | meaning |
|---|---|---|---|
| ` + "`process_cpu_seconds_total`" + ` | counter |  | Time of processors that the process has used. |
| ` + "`process_resident_memory_bytes`" + ` | gauge |  | Memory that the process holds. |
| ` + "`rest_client_requests_total`" + ` | counter | code, host, method | ` +
	`Answers of API servers: karmada-apiserver, and the members of those who ask them. |

## libraries (argosy-webhook, argosy-controller-manager, argosy-member-manager)

| metric | type | labels | meaning |
|---|---|---|---|
| ` + "`controller_runtime_reconcile_errors_total`" + ` | counter | controller | Runs of a controller that failed. |
| ` + "`controller_runtime_reconcile_total`" + ` | counter | controller, result | Runs of a controller, by how they ended. |
| ` + "`workqueue_depth`" + ` | gauge | controller, name, priority | Objects that wait for a controller. |

## libraries (argosy-controller-manager, argosy-member-manager)

| metric | type | labels | meaning |
|---|---|---|---|
| ` + "`leader_election_master_status`" + ` | gauge | name | 1 in the replica that leads, 0 in the others. |

Each program exports more of what its libraries measure: ` +
	"`go_*`, `process_*`, `controller_runtime_*`, `workqueue_*`, `rest_client_*`, `certwatcher_*`" + `.
`

func metricsPage(all source) (string, error) {
	var page strings.Builder
	page.WriteString(generated + metricsIntro)
	for _, area := range []struct{ folder, program string }{
		{"interpreter", "argosy-webhook"},
		{"cronhpa", "argosy-controller-manager"}, {"fedhpa", "argosy-controller-manager"},
		{"scalein", "argosy-controller-manager"}, {"reschedule", "argosy-controller-manager"}, {"migration", "argosy-controller-manager"},
		{"internal/conditions", "argosy-controller-manager, argosy-member-manager"},
		{"estimator", "argosy-estimator"},
		{"member/component", "argosy-member-manager"}, {"member/vm", "argosy-member-manager"},
	} {
		found, err := metricsOf(all.in(area.folder))
		if err != nil {
			return "", err
		}
		if len(found) == 0 {
			continue
		}
		fmt.Fprintf(&page, "## %s (%s)\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", area.folder, area.program)
		for _, m := range found {
			labels := strings.Join(m.labels, ", ")
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, labels, cell(m.help))
		}
		page.WriteString("\n")
	}
	return strings.TrimRight(page.String(), "\n") + "\n" + metricsOutro, nil
}

// metricsOf finds every metric that is made with the client library's constructors.
func metricsOf(files source) ([]metric, error) {
	var out []metric
	var failure error
	for _, f := range files {
		ast.Inspect(f.File, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			m, found, err := metricOf(call)
			if err != nil {
				failure = fmt.Errorf("%s: %w", f.path, err)
			}
			if found {
				out = append(out, m)
			}
			return true
		})
	}
	slices.SortFunc(out, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	return out, failure
}

func metricOf(call *ast.CallExpr) (metric, bool, error) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return metric{}, false, nil
	}
	if pkg, ok := selector.X.(*ast.Ident); !ok || pkg.Name != "prometheus" {
		return metric{}, false, nil
	}
	switch name := selector.Sel.Name; name {
	case "NewDesc":
		m := metric{name: text(call.Args[0]), help: text(call.Args[1]), labels: list(call.Args[2]), kind: "gauge"}
		return m, true, m.complete()
	case "NewCounter", "NewCounterVec", "NewCounterFunc", "NewGauge", "NewGaugeVec", "NewGaugeFunc",
		"NewHistogram", "NewHistogramVec", "NewSummary", "NewSummaryVec":
		m := metric{kind: strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "New"), "Vec"), "Func"))}
		options, ok := call.Args[0].(*ast.CompositeLit)
		if !ok {
			return metric{}, false, fmt.Errorf("%s without its options in place cannot be documented", name)
		}
		for _, element := range options.Elts {
			if field, ok := element.(*ast.KeyValueExpr); ok {
				switch field.Key.(*ast.Ident).Name {
				case "Name":
					m.name = text(field.Value)
				case "Help":
					m.help = text(field.Value)
				}
			}
		}
		if strings.HasSuffix(name, "Vec") {
			m.labels = list(call.Args[1])
		}
		return m, true, m.complete()
	}
	return metric{}, false, nil
}

func (m metric) complete() error {
	if m.name == "" || m.help == "" {
		return fmt.Errorf("a %s %q whose name or help is no literal cannot be documented", m.kind, m.name)
	}
	return nil
}

// text of a literal, or of literals that are added.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return s
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return text(e.X) + text(e.Y)
		}
	}
	return ""
}

func list(e ast.Expr) []string {
	literal, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	var out []string
	for _, element := range literal.Elts {
		out = append(out, text(element))
	}
	return out
}
