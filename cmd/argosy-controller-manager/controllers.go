package main

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/argosy-dev/argosy/cronhpa"
	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/migration"
	"github.com/argosy-dev/argosy/scalein"
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
		{"fedHPA", cfg.Controllers.FedHPA.Controller, addFedHPA(cfg.Controllers.FedHPA)},
		{"podScaleIn", cfg.Controllers.PodScaleIn, addPodScaleIn},
		{"migration", cfg.Controllers.Migration, addMigration},
	}
}

func addCronHPA(ctx context.Context, mgr manager.Manager, section config.Controller) error {
	return cronhpa.AddToManager(ctx, mgr, cronhpa.Options{Concurrency: section.Concurrency})
}

func addPodScaleIn(_ context.Context, mgr manager.Manager, section config.Controller) error {
	return scalein.AddToManager(mgr, scalein.Options{
		Concurrency: section.Concurrency, Members: &members.Members{Reader: mgr.GetAPIReader()},
	})
}

func addMigration(_ context.Context, mgr manager.Manager, section config.Controller) error {
	return migration.AddToManager(mgr, migration.Options{Concurrency: section.Concurrency})
}

func addFedHPA(section config.FedHPA) func(context.Context, manager.Manager, config.Controller) error {
	return func(ctx context.Context, mgr manager.Manager, _ config.Controller) error {
		return fedhpa.AddToManager(ctx, mgr, section, metrics.Registry)
	}
}
