package program_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/internal/program"
)

func TestCacheKeepsNoManagedFields(t *testing.T) {
	fixture.KeepsNoManagedFields(t, program.Cache())
}

func leading() program.Leading {
	return program.Leading{
		Cluster: "karmada-apiserver", Client: config.Client{QPS: 7, Burst: 9}, Metrics: "0", Health: "0", Profiles: "127.0.0.1:6060",
		Election: config.LeaderElection{
			Enabled: true, Namespace: "argosy-system", Name: "lease",
			LeaseDurationSeconds: 15, RenewDeadlineSeconds: 10, RetryPeriodSeconds: 2,
		},
	}
}

func TestLeadingOptions(t *testing.T) {
	options := leading().Options(runtime.NewScheme())
	if !options.LeaderElection || options.LeaderElectionNamespace != "argosy-system" || options.LeaderElectionID != "lease" ||
		*options.LeaseDuration != 15*time.Second || *options.RenewDeadline != 10*time.Second || *options.RetryPeriod != 2*time.Second ||
		!options.LeaderElectionReleaseOnCancel {
		t.Errorf("a leader is elected otherwise than the configuration says: %+v", options)
	}
	if options.PprofBindAddress != "127.0.0.1:6060" || options.Metrics.BindAddress != "0" || options.HealthProbeBindAddress != "0" {
		t.Errorf("serves profiles at %q, metrics at %q, health at %q",
			options.PprofBindAddress, options.Metrics.BindAddress, options.HealthProbeBindAddress)
	}
	if ptr.Deref(options.Controller.UsePriorityQueue, true) {
		t.Error("controllers use the priority queue, controller-runtime's default")
	}
	fixture.KeepsNoManagedFields(t, options.Cache)
}

// TestRun adds what is not switched off, in order, and names what cannot be set up.
func TestRun(t *testing.T) {
	scheme, err := program.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	of := leading()
	of.Election.Enabled, of.Profiles = false, ""
	options := of.Options(scheme)
	options.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
		return testrestmapper.TestOnlyStaticRESTMapper(scheme), nil
	}
	to := &rest.Config{Host: "http://127.0.0.1:1"}
	mgr, err := of.Manager(to, options)
	if err != nil {
		t.Fatal(err)
	}
	if to.QPS != 7 || to.Burst != 9 {
		t.Errorf("asks %v a second, %d at once, want 7 and 9", to.QPS, to.Burst)
	}
	var added []string
	adds := func(name, mode string, err error) program.Controller {
		return program.Controller{Name: name, Section: config.Controller{Mode: mode, Concurrency: 3},
			Add: func(_ context.Context, _ manager.Manager, section config.Controller) error {
				if section.Concurrency != 3 {
					t.Errorf("%s is told %+v", name, section)
				}
				added = append(added, name)
				return err
			}}
	}
	err = program.Run(t.Context(), mgr, []program.Controller{
		adds("first", config.Enabled, nil), adds("off", config.Disabled, nil), adds("broken", "", errors.New("no kind")),
	})
	if err == nil || err.Error() != "setting up controller broken: no kind" {
		t.Errorf("got %v", err)
	}
	if len(added) != 2 || added[0] != "first" || added[1] != "broken" {
		t.Errorf("added %v, want first and broken", added)
	}
}
