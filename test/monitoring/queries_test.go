package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	root     = "../.."
	rulesAt  = root + "/deploy/chart/alerts/argosy.yaml"
	runbooks = root + "/docs/runbooks"
)

// libraries is what the programs export by way of client_golang, client-go and controller-runtime, and Prometheus itself.
// test/e2e/install demands that a running argosy-webhook and argosy-controller-manager really do.
func libraries() []string {
	return []string{
		"up", "process_resident_memory_bytes", "leader_election_master_status", "rest_client_requests_total", "workqueue_depth",
		"controller_runtime_reconcile_total", "controller_runtime_reconcile_errors_total",
	}
}

// exported is every series name of docs/reference/metrics.md, with its labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs/reference/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([a-z]+) \\| ([a-z_, ]*) \\|")
	for _, match := range row.FindAllStringSubmatch(string(content), -1) {
		var names []string
		for _, label := range strings.Split(match[3], ",") {
			if label = strings.TrimSpace(label); label != "" {
				names = append(names, label)
			}
		}
		if match[2] != "histogram" {
			out[match[1]] = names
			continue
		}
		out[match[1]+"_bucket"] = append(slices.Clone(names), "le")
		out[match[1]+"_sum"], out[match[1]+"_count"] = names, names
	}
	if len(out) < 10 {
		t.Fatalf("the reference lists %d series: it cannot be read any more", len(out))
	}
	return out
}

func ruleGroups(t *testing.T) []rulefmt.RuleGroup {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesAt, false, model.UTF8Validation)
	if len(errs) > 0 {
		t.Fatalf("the rules: %v", errs)
	}
	return groups.Groups
}

// panels is each query of each dashboard, by a name that a person finds.
func panels(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(root + "/deploy/chart/dashboards/*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	out := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			UID    string `json:"uid"`
			Panels []struct {
				Title   string `json:"title"`
				Targets []struct {
					RefID string `json:"refId"`
					Expr  string `json:"expr"`
				} `json:"targets"`
			} `json:"panels"`
		}
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if board.UID == "" || len(board.Panels) == 0 {
			t.Errorf("%s has no uid or no panels", file)
		}
		for _, panel := range board.Panels {
			if len(panel.Targets) == 0 {
				t.Errorf("%s: %s asks nothing", board.UID, panel.Title)
			}
			for _, target := range panel.Targets {
				out[board.UID+"/"+panel.Title+"/"+target.RefID] = target.Expr
			}
		}
	}
	return out
}

// TestQueriesAskForWhatIsExported walks every expression of alerts and dashboards.
func TestQueriesAskForWhatIsExported(t *testing.T) {
	queries := panels(t)
	for _, group := range ruleGroups(t) {
		for _, rule := range group.Rules {
			queries["alert/"+rule.Alert] = rule.Expr
		}
	}
	known := exported(t)
	used := map[string]bool{}
	for name, query := range queries {
		t.Run(name, func(t *testing.T) {
			expr, err := parser.ParseExpr(query)
			if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			for _, problem := range problems(expr, known, used) {
				t.Errorf("%s: %s", query, problem)
			}
		})
	}
	for series := range known {
		base := regexp.MustCompile("_(bucket|sum|count)$").ReplaceAllString(series, "")
		if !used[base] && !used[base+"_bucket"] && !used[series] {
			t.Errorf("no dashboard and no alert shows %s", base)
		}
	}
}

// problems of an expression: series that nobody exports, labels they do not have.
func problems(expr parser.Expr, known map[string][]string, used map[string]bool) []string {
	var out []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		used[selector.Name] = true
		names, ours := known[selector.Name]
		if !ours && !slices.Contains(libraries(), selector.Name) {
			out = append(out, selector.Name+" is exported by nobody")
		}
		for _, matcher := range selector.LabelMatchers {
			if ours && matcher.Name != labels.MetricName && matcher.Name != "job" && !slices.Contains(names, matcher.Name) {
				out = append(out, selector.Name+" has no label "+matcher.Name)
			}
		}
		return nil
	})
	return out
}

func TestEveryAlertHasItsRunbook(t *testing.T) {
	want := map[string]bool{"README.md": true}
	for _, group := range ruleGroups(t) {
		for _, rule := range group.Rules {
			page := rule.Alert + ".md"
			want[page] = true
			if rule.Annotations["runbook_url"] != "RUNBOOKS/"+page {
				t.Errorf("%s: runbook_url %q", rule.Alert, rule.Annotations["runbook_url"])
			}
			for _, field := range []string{"summary", "description"} {
				if rule.Annotations[field] == "" {
					t.Errorf("%s has no %s", rule.Alert, field)
				}
			}
			if severity := rule.Labels["severity"]; severity != "warning" && severity != "critical" {
				t.Errorf("%s: severity %q", rule.Alert, severity)
			}
			text, err := os.ReadFile(filepath.Join(runbooks, page))
			if err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
				continue
			}
			for _, heading := range []string{"# " + rule.Alert, "## What it means", "## What to look at", "## What to do"} {
				if !strings.Contains(string(text), heading+"\n") {
					t.Errorf("%s has no %q", page, heading)
				}
			}
		}
	}
	pages, err := os.ReadDir(runbooks)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if !want[page.Name()] {
			t.Errorf("runbook %s belongs to no alert", page.Name())
		}
	}
}
