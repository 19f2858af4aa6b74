package main

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/cronhpa"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/migration"
)

// controller is one line of the list below.
type controller struct {
	// name and section are those of the configuration file.
	name    string
	section config.Controller
	add     func(context.Context, manager.Manager, config.Controller) error
}

// controllers is every controller of this binary.
func controllers(cfg *config.ControllerManager) []controller {
	return []controller{
		{"cronHPA", cfg.Controllers.CronHPA, addCronHPA},
		{"migration", cfg.Controllers.Migration, addMigration},
	}
}

func addCronHPA(ctx context.Context, mgr manager.Manager, section config.Controller) error {
	return cronhpa.AddToManager(ctx, mgr, cronhpa.Options{Concurrency: section.Concurrency})
}

func addMigration(_ context.Context, mgr manager.Manager, section config.Controller) error {
	return migration.AddToManager(mgr, migration.Options{Concurrency: section.Concurrency})
}
