package main

import (
	"cmp"
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
	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/member/component"
	componentbalance "github.com/argosy-dev/argosy/member/component/balance"
	"github.com/argosy-dev/argosy/member/component/balance/httpbalance"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/balance/haproxy"
	"github.com/argosy-dev/argosy/member/vm/balance/service"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/deploy/httpdeploy"
	"github.com/argosy-dev/argosy/member/vm/deployments"
	"github.com/argosy-dev/argosy/member/vm/gates"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/machine/libvirtdriver"
	"github.com/argosy-dev/argosy/member/vm/monitor"
	"github.com/argosy-dev/argosy/member/vm/pools"
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
		options := component.Options{Concurrency: section.Concurrency, Namespace: cfg.Namespace, ID: cfg.ControllerID}
		if cfg.LeaderElection.Enabled {
			options.Election = &component.Election{
				Namespace: cfg.LeaderElection.Namespace, Name: cfg.LeaderElection.Name,
				Length: time.Duration(cfg.LeaderElection.LeaseDurationSeconds) * time.Second,
			}
		}
		if err := component.AddToManager(ctx, mgr, options); err != nil {
			return err
		}
		if cfg.ControllerID != component.DefaultControllerID {
			return nil // load balancers are the default manager's
		}
		providers, err := providers(cfg.LoadBalancers)
		if err != nil {
			return err
		}
		return componentbalance.AddToManager(mgr, componentbalance.Options{
			Concurrency: section.Concurrency, Drivers: providers, Period: time.Duration(cfg.LoadBalancers.PeriodSeconds) * time.Second,
		})
	}
}

// providers is every provider of load balancers that is configured.
func providers(cfg config.LoadBalancers) (map[string]componentbalance.Driver, error) {
	out := map[string]componentbalance.Driver{}
	for _, provider := range cfg.Providers {
		options := httpbalance.Options{URL: provider.URL, TokenFile: provider.TokenFile}
		if provider.CAFile != "" {
			var err error
			if options.CA, err = os.ReadFile(provider.CAFile); err != nil {
				return nil, fmt.Errorf("reading the authority of load balancer provider %s: %w", provider.Name, err)
			}
		}
		driver, err := httpbalance.New(options)
		if err != nil {
			return nil, fmt.Errorf("setting up load balancer provider %s: %w", provider.Name, err)
		}
		out[provider.Name] = driver
	}
	return out, nil
}

// addVM adds the controllers of VMReplicaSets, VMDeployments, Servers, their pools and their monitors.
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
		systems, err := systems(cfg.Deployments)
		if err != nil {
			return err
		}
		alerts, err := prometheusOf(cfg.Monitoring)
		if err != nil {
			return err
		}
		measures, err := sets.NewMeasures(metrics.Registry)
		if err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
		calls := gates.Options{AllowedURLs: cfg.Gates.AllowedURLs, Calls: gates.NewCalls()}
		if err := metrics.Registry.Register(calls.Calls); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
		every := control.Options{Concurrency: section.Concurrency}
		err = servers.AddToManager(mgr, servers.Options{
			Options: every, Drivers: drivers, Period: time.Duration(cfg.Machines.PeriodSeconds) * time.Second,
			Holder: holder + "_" + string(uuid.NewUUID()), Systems: systems, Gates: calls,
			Alerts: alerts, AlertPeriod: time.Duration(cfg.Monitoring.PeriodSeconds) * time.Second,
		})
		if err != nil {
			return err
		}
		if err := deployments.AddToManager(mgr, deployments.Options{Options: every, Gates: calls}); err != nil {
			return err
		}
		balancers, err := balancers(mgr, cfg.LoadBalancers)
		if err != nil {
			return err
		}
		err = pools.AddToManager(mgr, pools.Options{
			Concurrency: section.Concurrency, Drivers: balancers, Period: time.Duration(cfg.LoadBalancers.PeriodSeconds) * time.Second,
		})
		if err != nil {
			return err
		}
		if err := monitor.AddToManager(mgr, monitor.Options{Concurrency: section.Concurrency}); err != nil {
			return err
		}
		err = sets.AddToManager(mgr, sets.Options{
			Options: every, Drivers: slices.Sorted(maps.Keys(drivers)), Balancers: slices.Sorted(maps.Keys(balancers)),
			AlertQueries: alerts != nil, Gates: calls, Metrics: measures,
		})
		if err != nil {
			return err
		}
		return addVMMetrics(mgr, cfg, drivers)
	}
}

// prometheusOf is the Prometheus that alert queries are asked of; nil: there is none.
func prometheusOf(cfg config.Monitoring) (servers.Alerts, error) {
	if cfg.Prometheus == nil {
		return nil, nil
	}
	out, err := prometheus.NewInstance(cfg.Prometheus.URL, cfg.Prometheus.CAFile, cfg.Prometheus.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("setting up monitoring.prometheus: %w", err)
	}
	return out, nil
}

// balancers is every driver of load balancers that is built in, and configured where it needs to be.
func balancers(mgr manager.Manager, cfg config.LoadBalancers) (map[string]balance.Driver, error) {
	out := map[string]balance.Driver{service.Name: service.New(mgr.GetAPIReader(), mgr.GetClient())}
	if cfg.HAProxy == nil {
		return out, nil
	}
	driver, err := haproxy.New(cfg.HAProxy.Addresses)
	if err != nil {
		return nil, fmt.Errorf("setting up load balancer driver %s: %w", haproxy.Name, err)
	}
	out[haproxy.Name] = driver
	return out, nil
}

// drivers is every machine driver that is configured.
func drivers(cfg config.Machines) (map[string]machine.Driver, error) {
	out := map[string]machine.Driver{}
	if l := cfg.Libvirt; l != nil {
		driver, err := libvirtdriver.New(libvirtdriver.Options{
			Address: l.Address, Certificates: l.Certificates, URI: cmp.Or(l.URI, "qemu:///system"), Type: cmp.Or(l.Type, "kvm"),
			Images: cmp.Or(l.Images, "default"), Pool: cmp.Or(l.Pool, "default"), Network: cmp.Or(l.Network, "default"),
		})
		if err != nil {
			return nil, fmt.Errorf("setting up machine driver %s: %w", libvirtdriver.Name, err)
		}
		out[libvirtdriver.Name] = driver
	}
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

// systems is every deploy system that is configured; ssh needs nothing.
func systems(cfg config.Deployments) (map[string]deploy.System, error) {
	out := map[string]deploy.System{}
	if cfg.HTTP == nil {
		return out, nil
	}
	options := httpdeploy.Options{URL: cfg.HTTP.URL, TokenFile: cfg.HTTP.TokenFile}
	if cfg.HTTP.CAFile != "" {
		var err error
		if options.CA, err = os.ReadFile(cfg.HTTP.CAFile); err != nil {
			return nil, fmt.Errorf("reading the authority of deployments: %w", err)
		}
	}
	system, err := httpdeploy.New(options)
	if err != nil {
		return nil, fmt.Errorf("setting up deploy system %s: %w", deploy.SystemHTTP, err)
	}
	out[deploy.SystemHTTP] = system
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
				Name: "VMDeployment", List: func() client.ObjectList { return &vmv1alpha1.VMDeploymentList{} },
				Conditions: func(o runtime.Object) []metav1.Condition { return o.(*vmv1alpha1.VMDeployment).Status.Conditions },
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
