package main

import (
	"errors"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/member/vm/gauges"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/orphans"
)

// addVMMetrics counts Servers, and looks for machines that none of them knows.
func addVMMetrics(mgr manager.Manager, cfg *config.MemberManager, drivers map[string]machine.Driver) error {
	counted, err := gauges.New(mgr.GetClient(), clock.RealClock{}, metrics.Registry)
	if err != nil {
		return err
	}
	looker, err := orphans.New(orphans.Options{
		Drivers: drivers, Namespace: cfg.Namespace, Clock: clock.RealClock{}, Metrics: metrics.Registry,
	}, mgr.GetClient(), mgr.GetAPIReader(), mgr.GetClient())
	if err != nil {
		return err
	}
	return errors.Join(mgr.Add(counted), mgr.Add(looker))
}
