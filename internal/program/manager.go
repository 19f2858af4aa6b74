package program

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argosy-dev/argosy/internal/config"
)

// Leading is what the configurations of the programs with controllers have in common: several replicas run, and one is at work.
type Leading struct {
	// Cluster that the controllers work against, in people's words.
	Cluster  string
	Election config.LeaderElection
	Client   config.Client
	// Metrics, Health and Profiles are host:port; "0" is none, and of Profiles empty too.
	Metrics, Health, Profiles string
}

// Options of the manager: what it keeps and how its controllers wait is as in every program of ours.
func (l Leading) Options(scheme *runtime.Scheme) ctrl.Options {
	seconds := func(n int32) *time.Duration { return ptr.To(time.Duration(n) * time.Second) }
	return ctrl.Options{
		Scheme:                  scheme,
		Cache:                   Cache(),
		Controller:              Queues(),
		Metrics:                 metricsserver.Options{BindAddress: l.Metrics},
		HealthProbeBindAddress:  l.Health,
		PprofBindAddress:        l.Profiles,
		LeaderElection:          l.Election.Enabled,
		LeaderElectionNamespace: l.Election.Namespace,
		LeaderElectionID:        l.Election.Name,
		LeaseDuration:           seconds(l.Election.LeaseDurationSeconds),
		RenewDeadline:           seconds(l.Election.RenewDeadlineSeconds),
		RetryPeriod:             seconds(l.Election.RetryPeriodSeconds),
		// The process ends as soon as the manager stops, so a lease given back early is never held by two.
		LeaderElectionReleaseOnCancel: true,
	}
}

// Manager of the options, which asks no more than the client's bounds allow, and is ready once its caches are. Where no leader is elected
// it keeps the Lease all the same, to be seen.
func (l Leading) Manager(config *rest.Config, options ctrl.Options) (manager.Manager, error) {
	config.QPS, config.Burst = l.Client.QPS, l.Client.Burst
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", cachesSynced(mgr, l.Cluster)); err != nil {
		return nil, fmt.Errorf("adding readiness check: %w", err)
	}
	if l.Election.Enabled {
		return mgr, nil
	}
	seen, err := newPresence(config, l.Election)
	if err != nil {
		return nil, err
	}
	if err := mgr.Add(seen); err != nil {
		return nil, fmt.Errorf("adding the renewal of the Lease: %w", err)
	}
	return mgr, nil
}

// cachesSynced is ready once the informers have listed what they watch. A standby is ready too: it can take over.
func cachesSynced(mgr manager.Manager, cluster string) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return fmt.Errorf("caches have not synced with %s", cluster)
		}
		return nil
	}
}

// Controller is one line of a program's list of them.
type Controller struct {
	// Name and Section are those of the configuration file.
	Name    string
	Section config.Controller
	Add     func(context.Context, manager.Manager, config.Controller) error
}

// Run adds the controllers that are not switched off, and works until ctx ends.
func Run(ctx context.Context, mgr manager.Manager, controllers []Controller) error {
	for _, c := range controllers {
		if c.Section.Mode == config.Disabled {
			mgr.GetLogger().Info("Controller is disabled by the configuration", "controller", c.Name)
			continue
		}
		if err := c.Add(ctx, mgr, c.Section); err != nil {
			return fmt.Errorf("setting up controller %s: %w", c.Name, err)
		}
	}
	return mgr.Start(ctx)
}
