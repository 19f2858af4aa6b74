package main

import (
	"errors"
	"io/fs"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
)

func TestManagerOptions(t *testing.T) {
	options := managerOptions(runtime.NewScheme(), config.DefaultControllerManager(), "127.0.0.1:6060")
	// docs/decisions/0034 rests on it: a firing puts itself behind all that are due with it.
	if ptr.Deref(options.Controller.UsePriorityQueue, true) {
		t.Error("controllers use the priority queue, controller-runtime's default")
	}
	if options.PprofBindAddress != "127.0.0.1:6060" {
		t.Errorf("profiles at %q", options.PprofBindAddress)
	}
	fixture.KeepsNoManagedFields(t, options.Cache)
}

// The flag of the profiles is one of this program's: its start goes on to the configuration.
func TestProfilesFlag(t *testing.T) {
	if err := run([]string{"--pprof-bind-address=:6060", "--config=nosuch"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the configuration is not there", err)
	}
}
