package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/conditions"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/member/component"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/servers"
	"github.com/argosy-dev/argosy/member/vm/sets"
)

// controllers is every controller of this binary.
func controllers(cfg *config.MemberManager) []program.Controller {
	return []program.Controller{
		{Name: "component", Section: cfg.Controllers.Component, Add: addComponent(cfg)},
		{Name: "vm", Section: cfg.Controllers.VM, Add: addVM(cfg)},
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

// addVM adds the controllers of VMReplicaSets and Servers.
func addVM(cfg *config.MemberManager) func(context.Context, manager.Manager, config.Controller) error {
	return func(_ context.Context, mgr manager.Manager, section config.Controller) error {
		drivers, err := drivers(cfg.Machines)
		if err != nil {
			return err
		}
		holder, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("reading this machine's name: %w", err)
		}
		concurrency := section.Concurrency
		err = servers.AddToManager(mgr, servers.Options{
			Concurrency: concurrency, Drivers: drivers, Period: time.Duration(cfg.Machines.PeriodSeconds) * time.Second,
			Holder: holder + "_" + string(uuid.NewUUID()),
		})
		if err != nil {
			return err
		}
		return sets.AddToManager(mgr, sets.Options{Concurrency: concurrency, Drivers: slices.Sorted(maps.Keys(drivers))})
	}
}

// drivers is every machine driver that is configured.
func drivers(cfg config.Machines) (map[string]machine.Driver, error) {
	out := map[string]machine.Driver{}
	if cfg.HTTP == nil {
		return out, nil
	}
	options := httpdriver.Options{URL: cfg.HTTP.URL}
	if cfg.HTTP.CAFile != "" {
		var err error
		if options.CA, err = os.ReadFile(cfg.HTTP.CAFile); err != nil {
			return nil, fmt.Errorf("reading the authority of machines: %w", err)
		}
	}
	driver, err := httpdriver.New(options)
	if err != nil {
		return nil, fmt.Errorf("setting up machine driver %s: %w", httpdriver.Name, err)
	}
	out[httpdriver.Name] = driver
	return out, nil
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
		if cfg.Controllers.VM.Mode != config.Disabled {
			kinds = append(kinds, conditions.Kind{
				Name: "VMReplicaSet", List: func() client.ObjectList { return &vmv1alpha1.VMReplicaSetList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*vmv1alpha1.VMReplicaSet).Status.Conditions },
			}, conditions.Kind{
				Name: "Server", List: func() client.ObjectList { return &vmv1alpha1.ServerList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*vmv1alpha1.Server).Status.Conditions },
			})
		}
		gauges, err := conditions.New(mgr.GetClient(), clock.RealClock{}, metrics.Registry, kinds)
		if err != nil {
			return err
		}
		return mgr.Add(gauges)
	}
}
