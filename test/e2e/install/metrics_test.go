package install

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// documented holds docs/reference/metrics.md against what the running programs export after all that happened: types and labels as they
// say, nothing of ours that the page does not know, and everything that is there from the start. Tests of cmd/ hold it against what is
// registered and has no value yet.
func (r *release) documented(t *testing.T) {
	page := fixture.MetricsPage(t, r.lab.Root)
	// It works in members, where the chart puts nothing.
	delete(page, "argosy-member-manager")
	NewWithT(t).Eventually(r.leader).WithContext(t.Context()).WithTimeout(machine.Patience).ShouldNot(BeEmpty())
	for _, program := range slices.Sorted(maps.Keys(page)) {
		t.Run(program, func(t *testing.T) {
			live := map[string]*dto.MetricFamily{}
			for _, p := range r.pods {
				if p.program != program {
					continue
				}
				var text string
				NewWithT(t).Eventually(func(ctx context.Context) (err error) {
					text, err = scrape(ctx, p)
					return err
				}).WithContext(t.Context()).WithTimeout(machine.Patience).Should(Succeed())
				parser := expfmt.NewTextParser(model.UTF8Validation)
				families, err := parser.TextToMetricFamilies(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				maps.Copy(live, families)
			}
			for name, family := range live {
				documented, ok := page[program][name]
				if !ok {
					if strings.HasPrefix(name, "argosy_") {
						t.Errorf("%s is exported and not documented", name)
					}
					continue
				}
				compare(t, documented, family)
			}
			for name, documented := range page[program] {
				// Libraries' are there once a program has worked, and so are ours without labels.
				if live[name] == nil && (len(documented.Labels) == 0 || !strings.HasPrefix(name, "argosy_")) {
					t.Errorf("%s is documented and not exported", name)
				}
			}
		})
	}
}

func compare(t *testing.T, documented fixture.Metric, family *dto.MetricFamily) {
	t.Helper()
	if got := strings.ToLower(family.GetType().String()); got != documented.Type {
		t.Errorf("%s is a %s, documented as %s", documented.Name, got, documented.Type)
	}
	for _, metric := range family.GetMetric() {
		var labels []string
		for _, pair := range metric.GetLabel() {
			labels = append(labels, pair.GetName())
		}
		slices.Sort(labels)
		want := slices.Sorted(slices.Values(documented.Labels))
		if !slices.Equal(labels, want) {
			t.Errorf("%s has labels %v, documented are %v", documented.Name, labels, want)
			return
		}
	}
}
