package main

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/internal/config"
)

// docs/decisions/0034 rests on it: a firing puts itself behind all that are due with it.
func TestControllersServeFirstComeFirst(t *testing.T) {
	cfg, err := config.LoadControllerManager("")
	if err != nil {
		t.Fatal(err)
	}
	if ptr.Deref(managerOptions(runtime.NewScheme(), cfg, "0").Controller.UsePriorityQueue, true) {
		t.Error("controllers use the priority queue, controller-runtime's default")
	}
}
