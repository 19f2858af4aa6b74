package monitoring

import (
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

// series is one that a query may ask for.
type series struct {
	labels []string
	// programs that export it; none where Prometheus makes it itself.
	programs []string
	ours     bool
}

// exported is every series name of docs/reference/metrics.md. Tests of cmd/ and test/e2e/install hold that page against the programs.
func exported(t *testing.T) map[string]series {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs/reference/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]series{"up": {}}
	heading := regexp.MustCompile(`^## .* \((.*)\)$`)
	row := regexp.MustCompile("^\\| `([a-z0-9_]+)` \\| ([a-z]+) \\| ([a-z_, ]*) \\|")
	var programs []string
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if match := heading.FindStringSubmatch(line); match != nil {
			programs = list(match[1])
		}
		match := row.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		found := series{labels: list(match[3]), programs: programs, ours: strings.HasPrefix(match[1], "argosy_")}
		if match[2] != "histogram" {
			out[match[1]] = found
			continue
		}
		out[match[1]+"_sum"], out[match[1]+"_count"] = found, found
		found.labels = append(slices.Clone(found.labels), "le")
		out[match[1]+"_bucket"] = found
	}
	if len(out) < 40 {
		t.Fatalf("the reference lists %d series: it cannot be read any more", len(out))
	}
	return out
}

func list(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
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

// TestQueriesAskForWhatIsExported walks every expression of alerts and dashboards.
func TestQueriesAskForWhatIsExported(t *testing.T) {
	queries := map[string]string{}
	for _, board := range boards(t) {
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				queries[board.UID+"/"+panel.Title+"/"+target.RefID] = target.Expr
			}
		}
	}
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
	for name, series := range known {
		base := regexp.MustCompile("_(bucket|sum|count)$").ReplaceAllString(name, "")
		if series.ours && !used[base] && !used[base+"_bucket"] && !used[name] {
			t.Errorf("no dashboard and no alert shows %s", base)
		}
	}
}

// problems of an expression: series that nobody exports, labels they do not have, programs that do not export them.
func problems(expr parser.Expr, known map[string]series, used map[string]bool) []string {
	var out []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		used[selector.Name] = true
		asked, ok := known[selector.Name]
		if !ok {
			out = append(out, selector.Name+" is exported by nobody")
			return nil
		}
		ofJob := false
		for _, matcher := range selector.LabelMatchers {
			switch {
			case matcher.Name == labels.MetricName:
			case matcher.Name == "job":
				ofJob = true
				out = append(out, jobs(selector.Name, asked, matcher)...)
			case matcher.Name != "instance" && !slices.Contains(asked.labels, matcher.Name):
				out = append(out, selector.Name+" has no label "+matcher.Name)
			}
		}
		if !ofJob && !asked.ours {
			out = append(out, selector.Name+" is asked of every program of the cluster: give the job")
		}
		return nil
	})
	return out
}

// jobs that a matcher names, ours, and that do not export the series.
func jobs(name string, asked series, matcher *labels.Matcher) []string {
	var out []string
	some := false
	for _, program := range []string{"argosy-webhook", "argosy-controller-manager", "argosy-estimator", "argosy-member-manager"} {
		if !matcher.Matches(program) {
			continue
		}
		some = true
		if len(asked.programs) > 0 && !slices.Contains(asked.programs, program) {
			out = append(out, program+" does not export "+name)
		}
	}
	if !some {
		out = append(out, matcher.String()+" is none of our programs")
	}
	return out
}

// TestProblemsAreSeen shows that the test above can fail.
func TestProblemsAreSeen(t *testing.T) {
	for query, want := range map[string]string{
		`argosy_nothing_total`:                                       "argosy_nothing_total is exported by nobody",
		`argosy_interpreter_overridden{kin="CloneSet"}`:              "argosy_interpreter_overridden has no label kin",
		`argosy_interpreter_overridden{job="argosy-estimator"}`:      "argosy-estimator does not export argosy_interpreter_overridden",
		`leader_election_master_status{job=~"argosy-.*"}`:            "argosy-webhook does not export leader_election_master_status",
		`workqueue_depth`:                                            "workqueue_depth is asked of every program of the cluster: give the job",
		`up{job="argosy-webhok"} == 1 or absent(nobody_has_this)`:    `job="argosy-webhok" is none of our programs`,
		`sum(rate(rest_client_requests_total{job="x",cod="4"}[5m]))`: "rest_client_requests_total has no label cod",
	} {
		expr, err := parser.ParseExpr(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := problems(expr, exported(t), map[string]bool{}); !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q among them", query, got, want)
		}
	}
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
