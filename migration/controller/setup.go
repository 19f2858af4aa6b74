package controller

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Options of the migration controllers.
type Options struct {
	// Concurrency is how many applications move at a time.
	Concurrency int
	// Carried are kinds beside the built-in ones that applications may consist of.
	Carried []schema.GroupVersionKind
}

// AddToManager adds the controller to a manager of karmada-apiserver.
func AddToManager(mgr manager.Manager, options Options) error {
	if err := registerMetrics(); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	interpreter := &interpreter{config: mgr.GetConfig(), ready: make(chan struct{})}
	if err := mgr.Add(interpreter); err != nil {
		return fmt.Errorf("adding Karmada's resource interpreter: %w", err)
	}
	controller := &Controller{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Members: &members.Members{Reader: mgr.GetAPIReader()},
		Kinds: policy.Carried(options.Carried...), Retainer: interpreter,
		Clock: clock.RealClock{}, Events: program.Events(mgr, "argosy-migration"),
		Gates: &prometheus.Gates{Reader: mgr.GetAPIReader()},
	}
	return controller.SetupWithManager(mgr, options.Concurrency)
}
