package plan

import (
	"strings"
	"testing"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// broken is a dry run of ConfigMaps in cluster b that came to no answer.
func broken(f *federation) {
	f.spoil = func(cluster string, ref Ref, run DryRun) DryRun {
		if cluster == "b" && ref.Kind == "ConfigMap" {
			return DryRun{Live: run.Live, Untried: "dial tcp 192.0.2.1:6443: connect: connection refused"}
		}
		return run
	}
}

// A dry run whose connection broke refused nothing: no plan is drawn up, what is said is that nothing is known, and it goes on by itself.
func TestAnUnansweredDryRunRefusesNothing(t *testing.T) {
	f := newFederation(t)
	broken(f)
	f.run(30)
	f.blocked(v1alpha1.ReasonUnproved, "what Karmada's write of configmap/web would change in cluster b is not known: dial tcp")
	if f.status.Plan != nil || f.status.Phase != v1alpha1.PhasePreparing {
		t.Errorf("phase %s, plan %+v", f.status.Phase, f.status.Plan)
	}
	f.spoil = nil
	f.settle(v1alpha1.PhaseFederated)
}

// Nor is it a reason to roll back what is open already.
func TestAnUnansweredDryRunRollsNothingBack(t *testing.T) {
	f := newFederation(t)
	for range 60 {
		if f.status.Phase == v1alpha1.PhaseOpening {
			break
		}
		f.run(1)
		if f.status.Phase == v1alpha1.PhaseAwaitingApproval {
			f.approve("anna", "bert")
		}
	}
	broken(f)
	f.run(10)
	f.blocked(v1alpha1.ReasonUnproved, "the cluster is not opened until it is")
	if f.status.Failure != nil || f.clusterState("b") != v1alpha1.ClusterSuspended {
		t.Fatalf("failure %+v, cluster b %s", f.status.Failure, f.clusterState("b"))
	}
	f.spoil = nil
	f.settle(v1alpha1.PhaseFederated)
}

func (f *federation) clusterState(name string) v1alpha1.ClusterState {
	for _, cluster := range f.status.Clusters {
		if cluster.Name == name {
			return cluster.State
		}
	}
	return ""
}

// On the way out no template is deleted by a plan that was not proved once more.
func TestAnUnansweredDryRunRemovesNothing(t *testing.T) {
	f := cutOffAndReleased(t)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	for range 60 {
		if f.status.Phase == v1alpha1.PhaseLeaving && f.status.Management == v1alpha1.ManagementChanging {
			break
		}
		f.run(1)
	}
	templates := len(f.control.Templates)
	broken(f)
	f.run(10)
	f.blocked(v1alpha1.ReasonUnproved, "templates are not deleted until it is")
	if len(f.control.Templates) != templates {
		t.Errorf("%d templates, there were %d", len(f.control.Templates), templates)
	}
	if said := f.advancing().Message; strings.Contains(said, "refuses") || strings.Contains(said, "changed at") {
		t.Errorf("it says %q", said)
	}
	f.spoil = nil
	f.settle(v1alpha1.PhaseLeft)
}
