package main

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/conditions"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/member/component"
)

// controllers is every controller of this binary.
func controllers(cfg *config.MemberManager) []program.Controller {
	return []program.Controller{
		{Name: "component", Section: cfg.Controllers.Component, Add: addComponent(cfg)},
		{Name: "conditions", Section: config.Controller{}, Add: addConditions(cfg)},
	}
}

func addComponent(cfg *config.MemberManager) func(context.Context, manager.Manager, config.Controller) error {
	return func(ctx context.Context, mgr manager.Manager, section config.Controller) error {
		return component.AddToManager(ctx, mgr, component.Options{
			Concurrency: section.Concurrency, Namespace: cfg.Namespace,
		})
	}
}

// addConditions exports what the conditions of the kinds say whose controllers run.
func addConditions(cfg *config.MemberManager) func(context.Context, manager.Manager, config.Controller) error {
	return func(_ context.Context, mgr manager.Manager, _ config.Controller) error {
		var kinds []conditions.Kind
		if cfg.Controllers.Component.Mode != config.Disabled {
			kinds = append(kinds, conditions.Kind{
				Name: "Component", List: func() client.ObjectList { return &componentv1alpha1.ComponentList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*componentv1alpha1.Component).Status.Conditions },
			})
		}
		gauges, err := conditions.New(mgr.GetClient(), clock.RealClock{}, metrics.Registry, kinds)
		if err != nil {
			return err
		}
		return mgr.Add(gauges)
	}
}
