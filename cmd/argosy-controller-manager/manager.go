package main

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/owners"
	"github.com/argosy-dev/argosy/internal/program"
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
	return mgr, owners.AddIndexes(ctx, mgr.GetFieldIndexer())
}

func leading(cfg *config.ControllerManager, profiles string) program.Leading {
	return program.Leading{
		Cluster: cluster, Election: cfg.LeaderElection, Client: cfg.Client,
		Metrics: cfg.MetricsBindAddress, Health: cfg.HealthBindAddress, Profiles: profiles,
	}
}

func managerOptions(scheme *runtime.Scheme, cfg *config.ControllerManager, profiles string) ctrl.Options {
	seconds := func(n int32) *time.Duration {
		d := time.Duration(n) * time.Second
		return &d
	}
	election := cfg.LeaderElection
	cache := program.Cache()
	cache.DefaultTransform = whitelist.Light(cache.DefaultTransform)
	return ctrl.Options{
		Scheme:                  scheme,
		MapperProvider:          newMapper,
		Cache:                   cache,
		Controller:              program.Queues(),
		Metrics:                 metricsserver.Options{BindAddress: cfg.MetricsBindAddress},
		HealthProbeBindAddress:  cfg.HealthBindAddress,
		PprofBindAddress:        profiles,
		LeaderElection:          election.Enabled,
		LeaderElectionNamespace: election.Namespace,
		LeaderElectionID:        election.Name,
		LeaseDuration:           seconds(election.LeaseDurationSeconds),
		RenewDeadline:           seconds(election.RenewDeadlineSeconds),
		RetryPeriod:             seconds(election.RetryPeriodSeconds),
		// The process ends as soon as the manager stops, so a lease given back early is never held by two.
		LeaderElectionReleaseOnCancel: true,
	}
}

// cachesSynced is ready once the informers have listed what they watch. A standby is ready too: it can take over.
func cachesSynced(mgr manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("caches have not synced with karmada-apiserver")
		}
		return nil
	}
}
