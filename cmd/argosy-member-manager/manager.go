package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	componentv1beta1 "github.com/argosy-dev/argosy/api/component/v1beta1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/scrape"
	"github.com/argosy-dev/argosy/member/component"
	"github.com/argosy-dev/argosy/member/vm/deployments"
)

// The lease of the leader, and the event that names it, are in leaderElection.namespace of the configuration.
//
// A manager with a controllerID of its own has a Lease of its own beside it, whose name nobody knows beforehand.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=argosy-system,resources=leases,verbs=create;get;update
// +kubebuilder:rbac:groups="",namespace=argosy-system,resources=events,verbs=create;patch

// newScheme knows what this program reads and writes in a member: none of Karmada's kinds, which members have not.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, componentv1alpha1.AddToScheme, componentv1beta1.AddToScheme, vmv1alpha1.AddToScheme,
	} {
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
	options, err := managerOptions(scheme, cfg, profiles)
	if err != nil {
		return nil, err
	}
	if serves(cfg.Webhook) {
		if options.WebhookServer, err = webhookServer(cfg.Webhook); err != nil {
			return nil, err
		}
	}
	mgr, err := leading(cfg, profiles).Manager(restConfig, options)
	if err != nil || !serves(cfg.Webhook) {
		return mgr, err
	}
	return mgr, addAdmission(mgr, cfg.Namespace)
}

func leading(cfg *config.MemberManager, profiles string) program.Leading {
	// Each controller of Components has a Lease of its own, by which the others know that it lives.
	election := cfg.LeaderElection
	election.Name = component.LeaseName(election.Name, cfg.ControllerID)
	return program.Leading{
		Cluster: cluster, Election: election, Client: cfg.Client,
		Metrics: cfg.MetricsBindAddress, Health: cfg.HealthBindAddress, Profiles: profiles,
	}
}

func managerOptions(scheme *runtime.Scheme, cfg *config.MemberManager, profiles string) (ctrl.Options, error) {
	options := leading(cfg, profiles).Options(scheme)
	certificates := ""
	if serves(cfg.Webhook) {
		certificates = cfg.Webhook.CertDir
	}
	options.Metrics = scrape.Options(cfg.MetricsBindAddress, cfg.MetricsSecure, certificates)
	var err error
	options.Cache.ByObject, err = component.Cache(cfg.Namespace, cfg.LeaderElection.Namespace, deployments.Revisions())
	if err != nil {
		return ctrl.Options{}, err
	}
	// A standby fills the same caches and queues, so that it is at work as soon as it leads.
	options.Controller.EnableWarmup = ptr.To(true)
	return options, nil
}
