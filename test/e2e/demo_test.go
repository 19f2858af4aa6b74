package e2e

import (
	"testing"

	"github.com/argosy-dev/argosy/test/demo"
)

// TestDemo plays every scene of the demo: what a person is shown is what CI checks.
func TestDemo(t *testing.T) {
	for _, scene := range demo.Scenes() {
		t.Run(scene.Name, func(t *testing.T) {
			report, err := demo.Play(t.Context(), demo.Options{Lab: shared, Scenes: []demo.Scene{scene}, Out: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Rows) == 0 {
				t.Error("the scene states nothing a person should see")
			}
			for _, row := range report.Failed() {
				t.Errorf("%s: expected %s, seen %s", row.What, row.Expected, row.Seen)
			}
		})
	}
}
