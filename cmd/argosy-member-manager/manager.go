package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/member/component"
)

// The lease of the leader, and the event that names it, are in leaderElection.namespace of the configuration.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=argosy-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=argosy-system,resources=leases,resourceNames=argosy-member-manager,verbs=get;update
// +kubebuilder:rbac:groups="",namespace=argosy-system,resources=events,verbs=create;patch

// newScheme knows what this program reads and writes in a member: none of Karmada's kinds, which members have not.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, componentv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	return scheme, nil
}

func newManager(restConfig *rest.Config, cfg *config.MemberManager, profiles string) (manager.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	restConfig.QPS, restConfig.Burst = cfg.Client.QPS, cfg.Client.Burst
	options, err := managerOptions(scheme, cfg, profiles)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(restConfig, options)
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", cachesSynced(mgr)); err != nil {
		return nil, fmt.Errorf("adding readiness check: %w", err)
	}
	return mgr, nil
}

func managerOptions(scheme *runtime.Scheme, cfg *config.MemberManager, profiles string) (ctrl.Options, error) {
	seconds := func(n int32) *time.Duration { return ptr.To(time.Duration(n) * time.Second) }
	objects := program.Cache()
	var err error
	if objects.ByObject, err = component.Cache(cfg.Namespace); err != nil {
		return ctrl.Options{}, err
	}
	queues := program.Queues()
	// A standby fills the same caches and queues, so that it is at work as soon as it leads.
	queues.EnableWarmup = ptr.To(true)
	election := cfg.LeaderElection
	return ctrl.Options{
		Scheme:                  scheme,
		Cache:                   objects,
		Controller:              queues,
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
	}, nil
}

// cachesSynced is ready once the informers have listed what they watch. A standby is ready too: it can take over.
func cachesSynced(mgr manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("caches have not synced with the member's API server")
		}
		return nil
	}
}
