package main

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa"
	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/internal/conditions"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/estimators"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/interpreter/reach"
	migrations "github.com/argosy-dev/argosy/migration/controller"
	"github.com/argosy-dev/argosy/migration/whitelist"
	"github.com/argosy-dev/argosy/release"
	"github.com/argosy-dev/argosy/reschedule"
	"github.com/argosy-dev/argosy/scalein"
)

// controllers is every controller of this binary.
func controllers(cfg *config.ControllerManager) []program.Controller {
	return []program.Controller{
		{Name: "cronHPA", Section: cfg.Controllers.CronHPA, Add: addCronHPA},
		{Name: "fedHPA", Section: cfg.Controllers.FedHPA.Controller, Add: addFedHPA(cfg.Controllers.FedHPA)},
		{Name: "podScaleIn", Section: cfg.Controllers.PodScaleIn, Add: addPodScaleIn},
		{Name: "migration", Section: cfg.Controllers.Migration.Controller, Add: addMigration(cfg.Controllers.Migration)},
		{Name: "release", Section: cfg.Controllers.Release, Add: addRelease},
		{Name: "reschedule", Section: cfg.Controllers.Reschedule.Controller, Add: addReschedule(cfg.Controllers)},
		{Name: "memberReachable", Section: config.Controller{}, Add: addMemberReachable},
		{Name: "conditions", Section: config.Controller{}, Add: addConditions(cfg)},
	}
}

// addConditions exports what the conditions of the kinds say whose controllers run.
func addConditions(cfg *config.ControllerManager) func(context.Context, manager.Manager, config.Controller) error {
	return func(_ context.Context, mgr manager.Manager, _ config.Controller) error {
		var kinds []conditions.Kind
		for _, of := range []struct {
			mode  string
			kinds []conditions.Kind
		}{
			{cfg.Controllers.FedHPA.Mode, []conditions.Kind{{
				Name: "FedHPA", List: func() client.ObjectList { return &autoscalingv1alpha1.FedHPAList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*autoscalingv1alpha1.FedHPA).Status.Conditions },
			}}},
			{cfg.Controllers.CronHPA.Mode, []conditions.Kind{{
				Name: "CronHPA", List: func() client.ObjectList { return &autoscalingv1alpha1.CronHPAList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*autoscalingv1alpha1.CronHPA).Status.Conditions },
			}}},
			{cfg.Controllers.PodScaleIn.Mode, []conditions.Kind{{
				Name: "PodScaleIn", List: func() client.ObjectList { return &appsv1alpha1.PodScaleInList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*appsv1alpha1.PodScaleIn).Status.Conditions },
			}}},
			{cfg.Controllers.Migration.Mode, []conditions.Kind{{
				Name: "Migration", List: func() client.ObjectList { return &migrationv1alpha1.MigrationList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*migrationv1alpha1.Migration).Status.Conditions },
			}, {
				Name: "MigrationWhitelist", List: func() client.ObjectList { return &migrationv1alpha1.MigrationWhitelistList{} },
				Conditions: func(o runtime.Object) []metav1.Condition {
					return o.(*migrationv1alpha1.MigrationWhitelist).Status.Conditions
				},
			}}},
			{cfg.Controllers.Release.Mode, []conditions.Kind{{
				Name: "Release", List: func() client.ObjectList { return &releasev1alpha1.ReleaseList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*releasev1alpha1.Release).Status.Conditions },
			}}},
		} {
			if of.mode != config.Disabled {
				kinds = append(kinds, of.kinds...)
			}
		}
		templates, err := templateKinds(mgr)
		if err != nil {
			return err
		}
		kinds = append(kinds, templates...)
		gauges, err := conditions.New(mgr.GetClient(), clock.RealClock{}, metrics.Registry, kinds)
		if err != nil {
			return err
		}
		return mgr.Add(gauges)
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

// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=work.karmada.io,resources=works,verbs=get;list
// +kubebuilder:rbac:groups=work.karmada.io,resources=works/status,verbs=patch

func addMemberReachable(_ context.Context, mgr manager.Manager, _ config.Controller) error {
	return reach.AddToManager(mgr)
}

func addMigration(section config.Migration) func(context.Context, manager.Manager, config.Controller) error {
	return func(_ context.Context, mgr manager.Manager, _ config.Controller) error {
		if err := whitelist.AddToManager(mgr, metrics.Registry, section.Kinds()); err != nil {
			return err
		}
		return migrations.AddToManager(mgr, migrations.Options{Concurrency: section.Concurrency, Carried: section.Kinds()})
	}
}

func addRelease(_ context.Context, mgr manager.Manager, section config.Controller) error {
	return release.AddToManager(mgr, release.Options{Concurrency: section.Concurrency})
}

func addFedHPA(section config.FedHPA) func(context.Context, manager.Manager, config.Controller) error {
	return func(ctx context.Context, mgr manager.Manager, _ config.Controller) error {
		return fedhpa.AddToManager(ctx, mgr, section, metrics.Registry)
	}
}

func addReschedule(section config.Controllers) func(context.Context, manager.Manager, config.Controller) error {
	return func(ctx context.Context, mgr manager.Manager, _ config.Controller) error {
		asker, err := estimators.New(mgr.GetAPIReader(), section.FedHPA.Estimators, clock.RealClock{})
		if err != nil {
			return err
		}
		return reschedule.AddToManager(ctx, mgr, reschedule.Options{
			Config: section.Reschedule, Members: &members.Members{Reader: mgr.GetAPIReader()}, Estimator: asker,
			Deaf: section.FedHPA.Estimators.Mode == config.Disabled, Metrics: metrics.Registry,
		})
	}
}
