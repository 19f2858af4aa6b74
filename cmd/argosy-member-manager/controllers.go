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
	"github.com/argosy-dev/argosy/member/component"
)

// controller is one line of the list below.
type controller struct {
	// name and section are those of the configuration file.
	name    string
	section config.Controller
	add     func(context.Context, manager.Manager) error
}

// controllers is every controller of this binary.
func controllers(cfg *config.MemberManager) []controller {
	return []controller{
		{"component", cfg.Controllers.Component, addComponent(cfg)},
		{"conditions", config.Controller{}, addConditions(cfg)},
	}
}

func addComponent(cfg *config.MemberManager) func(context.Context, manager.Manager) error {
	return func(ctx context.Context, mgr manager.Manager) error {
		return component.AddToManager(ctx, mgr, component.Options{
			Concurrency: cfg.Controllers.Component.Concurrency, Namespace: cfg.Namespace,
		})
	}
}

// addConditions exports what the conditions of the kinds say whose controllers run.
func addConditions(cfg *config.MemberManager) func(context.Context, manager.Manager) error {
	return func(_ context.Context, mgr manager.Manager) error {
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
