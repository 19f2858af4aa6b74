package main

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/scrape"
	"github.com/argosy-dev/argosy/migration/whitelist"
)

// The lease of the leader, and the event that names it, are in leaderElection.namespace of the configuration.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=argosy-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=argosy-system,resources=leases,resourceNames=argosy-controller-manager,verbs=get;update
// +kubebuilder:rbac:groups="",namespace=argosy-system,resources=events,verbs=create;patch

func newManager(ctx context.Context, restConfig *rest.Config, cfg *config.ControllerManager, profiles string) (manager.Manager, error) {
	scheme, err := program.Scheme()
	if err != nil {
		return nil, err
	}
	mgr, err := leading(cfg, profiles).Manager(restConfig, managerOptions(scheme, cfg, profiles))
	if err != nil {
		return nil, err
	}
	return mgr, autoscalers.AddIndexes(ctx, mgr.GetFieldIndexer())
}

func leading(cfg *config.ControllerManager, profiles string) program.Leading {
	return program.Leading{
		Cluster: cluster, Election: cfg.LeaderElection, Client: cfg.Client,
		Metrics: cfg.MetricsBindAddress, Health: cfg.HealthBindAddress, Profiles: profiles,
	}
}

func managerOptions(scheme *runtime.Scheme, cfg *config.ControllerManager, profiles string) ctrl.Options {
	options := leading(cfg, profiles).Options(scheme)
	options.MapperProvider = newMapper
	options.Metrics = scrape.Options(cfg.MetricsBindAddress, cfg.MetricsSecure, "")
	options.Cache.DefaultTransform = whitelist.Light(options.Cache.DefaultTransform)
	return options
}
