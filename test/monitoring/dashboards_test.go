package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// board is a dashboard of Grafana, as far as ours use its model. Decoding is strict: a field that is not here is a typo, or must be added
// on purpose.
type board struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	Timezone      string     `json:"timezone"`
	Editable      bool       `json:"editable"`
	GraphTooltip  int        `json:"graphTooltip"`
	SchemaVersion int        `json:"schemaVersion"`
	Refresh       string     `json:"refresh"`
	Time          timeRange  `json:"time"`
	Templating    templating `json:"templating"`
	Annotations   struct {
		List []any `json:"list"`
	} `json:"annotations"`
	Panels []panel `json:"panels"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []struct {
		Name    string         `json:"name"`
		Type    string         `json:"type"`
		Query   string         `json:"query"`
		Label   string         `json:"label"`
		Current map[string]any `json:"current"`
	} `json:"list"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int            `json:"id"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Type        string         `json:"type"`
	Datasource  source         `json:"datasource"`
	GridPos     grid           `json:"gridPos"`
	FieldConfig fieldConfig    `json:"fieldConfig"`
	Options     map[string]any `json:"options"`
	Targets     []target       `json:"targets"`
}

type grid struct{ H, W, X, Y int }

type fieldConfig struct {
	Defaults  fieldDefaults `json:"defaults"`
	Overrides []any         `json:"overrides"`
}

type fieldDefaults struct {
	Unit   string         `json:"unit"`
	Min    *float64       `json:"min"`
	Max    *float64       `json:"max"`
	Custom map[string]any `json:"custom"`
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Datasource   source `json:"datasource"`
}

func boards(t *testing.T) []board {
	t.Helper()
	files, err := filepath.Glob(root + "/deploy/chart/dashboards/*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	var out []board
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.DisallowUnknownFields()
		var b board
		if err := decoder.Decode(&b); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, b)
	}
	return out
}

// TestDashboards: what Grafana would show wrongly, or not at all, and say nothing of.
func TestDashboards(t *testing.T) {
	uids := map[string]bool{}
	for _, b := range boards(t) {
		t.Run(b.UID, func(t *testing.T) {
			if b.UID == "" || len(b.UID) > 40 || uids[b.UID] {
				t.Errorf("uid %q is empty, too long or taken", b.UID)
			}
			uids[b.UID] = true
			for _, problem := range append(b.problems(), overlaps(b.Panels)...) {
				t.Error(problem)
			}
		})
	}
}

func (b board) problems() []string {
	var out []string
	if b.Title == "" || b.Description == "" || b.SchemaVersion < 36 || b.Time.From == "" || b.Time.To == "" || len(b.Panels) == 0 {
		out = append(out, "the dashboard has no title, description, schema version of today, time or panels")
	}
	if len(b.Templating.List) != 1 || b.Templating.List[0].Name != "datasource" || b.Templating.List[0].Type != "datasource" ||
		b.Templating.List[0].Query != "prometheus" {
		out = append(out, "its one variable must be a Prometheus data source")
	}
	ids, titles := map[int]bool{}, map[string]bool{}
	for _, p := range b.Panels {
		if p.ID < 1 || ids[p.ID] {
			out = append(out, fmt.Sprintf("%s: id %d is taken or none", p.Title, p.ID))
		}
		if p.Title == "" || titles[p.Title] {
			out = append(out, fmt.Sprintf("panel %d: title %q is taken or empty", p.ID, p.Title))
		}
		ids[p.ID], titles[p.Title] = true, true
		for _, problem := range p.problems() {
			out = append(out, p.Title+": "+problem)
		}
	}
	return out
}

// units are those of Grafana's that we use: an unknown one is shown as a suffix of the number.
func units() []string {
	return []string{"short", "s", "reqps", "ops", "wps", "percentunit", "bytes", "dateTimeAsIso"}
}

func (p panel) problems() []string {
	var out []string
	if p.Type != "timeseries" && p.Type != "stat" {
		out = append(out, "panels of type "+p.Type+" are none that this test knows")
	}
	if p.Description == "" {
		out = append(out, "no description")
	}
	if !slices.Contains(units(), p.FieldConfig.Defaults.Unit) {
		out = append(out, fmt.Sprintf("unit %q", p.FieldConfig.Defaults.Unit))
	}
	chosen := source{Type: "prometheus", UID: "${datasource}"}
	if p.Datasource != chosen {
		out = append(out, fmt.Sprintf("data source %+v, want the chosen one", p.Datasource))
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		if target.RefID == "" || refs[target.RefID] {
			out = append(out, fmt.Sprintf("refId %q is taken or empty", target.RefID))
		}
		refs[target.RefID] = true
		if target.Datasource != chosen {
			out = append(out, fmt.Sprintf("query %s: data source %+v, want the chosen one", target.RefID, target.Datasource))
		}
		out = append(out, target.problems()...)
	}
	if len(p.Targets) == 0 {
		out = append(out, "it asks nothing")
	}
	return out
}

// problems of a legend: two lines of one name, or a name with a hole in it.
func (q target) problems() []string {
	expr, err := parser.ParseExpr(q.Expr)
	if err != nil {
		return []string{err.Error()}
	}
	var out, named []string
	for _, match := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
		named = append(named, match[1])
	}
	if q.LegendFormat == "" {
		out = append(out, q.Expr+" has no legend")
	}
	varies := dimensions(expr)
	for _, label := range varies {
		if !slices.Contains(named, label) {
			out = append(out, fmt.Sprintf("%s: legend %q does not tell lines of different %s apart", q.Expr, q.LegendFormat, label))
		}
	}
	for _, label := range named {
		if !slices.Contains(varies, label) {
			out = append(out, fmt.Sprintf("%s: legend %q names %s, which no line has", q.Expr, q.LegendFormat, label))
		}
	}
	return out
}

// dimensions are the labels in which the lines of an expression differ. A series that is not summed has one line for each replica.
func dimensions(expr parser.Expr) []string {
	switch e := expr.(type) {
	case *parser.AggregateExpr:
		return e.Grouping
	case *parser.ParenExpr:
		return dimensions(e.Expr)
	case *parser.MatrixSelector:
		return dimensions(e.VectorSelector)
	case *parser.Call:
		inner := dimensions(e.Args[len(e.Args)-1])
		if e.Func.Name == "histogram_quantile" {
			inner = slices.DeleteFunc(slices.Clone(inner), func(label string) bool { return label == "le" })
		}
		return inner
	case *parser.BinaryExpr:
		if left := dimensions(e.LHS); len(left) > 0 || e.RHS.Type() == parser.ValueTypeScalar {
			return left
		}
		return dimensions(e.RHS)
	case *parser.VectorSelector:
		// Labels of the series itself would be here too; ours always sum over some of them.
		out := []string{"instance"}
		for _, matcher := range e.LabelMatchers {
			if matcher.Name == "job" && matcher.Type != labels.MatchEqual {
				out = append(out, "job")
			}
		}
		return out
	}
	return nil
}

// overlaps are panels that lie on each other, or stick out of Grafana's 24 columns.
func overlaps(panels []panel) []string {
	var out []string
	for i, p := range panels {
		a := p.GridPos
		if a.W < 1 || a.H < 1 || a.X < 0 || a.Y < 0 || a.X+a.W > 24 {
			out = append(out, fmt.Sprintf("%s lies at %+v", p.Title, a))
		}
		for _, other := range panels[:i] {
			b := other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				out = append(out, p.Title+" lies on "+other.Title)
			}
		}
	}
	return out
}

// TestProblemsOfDashboardsAreSeen shows that the test above can fail.
func TestProblemsOfDashboardsAreSeen(t *testing.T) {
	for name, tc := range map[string]struct {
		query target
		want  int
	}{
		"well": {target{Expr: `sum by (a) (rate(x{job="j"}[5m]))`, LegendFormat: "{{a}}"}, 0},
		"a quantile": {
			target{Expr: `histogram_quantile(0.5, sum by (le) (rate(x_bucket{job="j"}[5m])))`, LegendFormat: "p50"}, 0,
		},
		"a line for each replica":      {target{Expr: `rate(x{job="j"}[5m])`, LegendFormat: "all"}, 1},
		"no legend":                    {target{Expr: `sum(x{job="j"})`}, 1},
		"a legend that names too much": {target{Expr: `sum(x{job="j"})`, LegendFormat: "{{a}}"}, 1},
		"no query":                     {target{Expr: `sum(`, LegendFormat: "a"}, 1},
	} {
		if got := tc.query.problems(); len(got) != tc.want {
			t.Errorf("%s: %q, want %d problems", name, got, tc.want)
		}
	}
	if got := overlaps([]panel{{GridPos: grid{W: 12, H: 8}}, {GridPos: grid{W: 12, H: 8, X: 11}},
		{GridPos: grid{W: 12, H: 8, X: 16, Y: 8}}}); len(got) != 2 {
		t.Errorf("overlaps: %q, want two", got)
	}
}
