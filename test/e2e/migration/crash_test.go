package migration

import (
	"testing"
	"time"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/static"
)

// The controller is killed whenever the record of the application changed, on the way in and on the way out:
// each time another takes over where it stood, and no member object is deleted, restarted or changed.
func TestControllerKilledAtEveryStep(t *testing.T) {
	app := static.App{
		Namespace: "crash", Name: "crash", Kind: "CloneSet", Image: "crash:1", Replicas: map[string]int64{"member1": 2, "member2": 3},
	}
	s := newStory(t, app)
	s.list(0)
	kills := 0
	// A machine that stood still may have let the controller go through several steps between two looks: then it goes that way again.
	for round := 1; kills < 8 && round <= 4; round++ {
		s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = []v1alpha1.WhitelistEntry{entryOf(app)} })
		kills = s.killUntil(app, v1alpha1.PhaseFederated)
		s.unchanged()
		s.drop(app)
		kills += s.killUntil(app, v1alpha1.PhaseCutOff)
		s.unchanged()
		t.Logf("the controller was killed %d times", kills)
	}
	if kills < 8 {
		t.Errorf("the controller was killed %d times only: the steps were not met", kills)
	}
}

const component = "argosy/controller-manager"

// killUntil kills and starts the controller at every change of the record until the phase is reached.
func (s *story) killUntil(app static.App, phase v1alpha1.Phase) int {
	s.Helper()
	kills, seen := 0, s.migration(app).ResourceVersion
	deadline := time.After(25 * time.Minute)
	for {
		migration := s.migration(app)
		switch {
		case migration.Status.Phase == phase:
			return kills
		case migration.ResourceVersion == seen:
			select {
			case <-deadline:
				s.Fatalf("%s was not reached after %d kills: %s", phase, kills, describe(migration))
			case <-time.After(20 * time.Millisecond):
			}
			continue
		}
		if err := world.lab.Stop(s.Context(), component); err != nil {
			s.Fatal(err)
		}
		kills++
		seen = s.migration(app).ResourceVersion
		if err := world.lab.Start(s.Context(), component); err != nil {
			s.Fatal(err)
		}
	}
}
