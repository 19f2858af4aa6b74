package e2e

import (
	"testing"

	"github.com/argosy-dev/argosy/test/demo"
)

// TestDemo plays the demo's scenes: what a person is shown is what CI checks. Here are those that need the federation to themselves.
func TestDemo(t *testing.T) {
	for _, scene := range demo.Scenes() {
		if scene.Alone {
			t.Run(scene.Name, func(t *testing.T) { play(t, scene) })
		}
	}
}

// TestDemoBesideStories plays the others, with whatever else runs at that time.
func TestDemoBesideStories(t *testing.T) {
	t.Parallel()
	for _, scene := range demo.Scenes() {
		if !scene.Alone {
			t.Run(scene.Name, func(t *testing.T) {
				t.Parallel()
				play(t, scene)
			})
		}
	}
}

func play(t *testing.T, scene demo.Scene) {
	t.Helper()
	report, err := demo.Play(t.Context(), demo.Options{Lab: shared, Scenes: []demo.Scene{scene}, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) == 0 {
		t.Error("the scene states nothing a person should see")
	}
	for _, row := range report.Wrong() {
		t.Errorf("%s: expected %s, seen %s", row.What, row.Expected, row.Seen)
	}
}
