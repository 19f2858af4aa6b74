package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// What a controller finds when it comes back late, or is woken by nobody.

// The record is deleted past admission while everything is open, and the base of the overrides is another cluster
// by then: nothing is rewritten before all is closed, and CI/CD waits that long.
func TestALostRecordClosesFirst(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.status = v1alpha1.MigrationStatus{}
	// The owners have moved most replicas to b through the control plane, so that b is the larger now.
	f.scaleFederated(map[string]int32{"a": 2, "b": 8})
	for range 40 {
		f.step(-1)
		open := false
		for name := range f.works {
			for _, work := range f.works[name] {
				open = open || !work.Suspended
			}
		}
		if open && f.status.Management == v1alpha1.ManagementStatic && f.status.Phase != v1alpha1.PhasePending {
			t.Fatalf("static management is open in phase %s while Works are dispatched", f.status.Phase)
		}
		for _, reaction := range reactions {
			reaction.run(f)
			f.invariants()
		}
	}
	f.settle(v1alpha1.PhaseFederated)
}

// scaleFederated moves replicas between clusters the way the federation does.
func (f *federation) scaleFederated(replicas map[string]int32) {
	binding := f.control.Bindings[f.app].DeepCopy()
	for i := range binding.Spec.Clusters {
		binding.Spec.Clusters[i].Replicas = replicas[binding.Spec.Clusters[i].Name]
	}
	f.control.Bindings[f.app] = binding
	f.bind()
	f.execute()
	for name := range f.members {
		f.startPods(name)
		f.expect(name)
	}
}

// The controller dies after it noted that it opens a cluster, and comes back when the member is another.
func TestOpeningIsProvedAgainAfterACrash(t *testing.T) {
	f := newFederation(t)
	for range 20 {
		before := f.status.Phase
		f.step(0) // notes, and dies before it writes
		if f.status.Phase == v1alpha1.PhaseOpening && before != v1alpha1.PhaseOpening {
			break
		}
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
	}
	if f.status.Phase != v1alpha1.PhaseOpening {
		t.Fatalf("phase %s", f.status.Phase)
	}
	f.put("a", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: eu-a, shared: edited}}`)
	f.now = f.now.Add(time.Minute)
	f.settle(v1alpha1.PhaseCutOff)
	if f.status.Failure == nil || f.status.Failure.Reason != v1alpha1.ReasonPlanHarmful {
		t.Errorf("failure %+v, want %s", f.status.Failure, v1alpha1.ReasonPlanHarmful)
	}
}

// What was asked for while the application was being cut off is not slept over: nothing else will wake the controller.
func TestNothingIsSleptOver(t *testing.T) {
	for name, ask := range map[string]func(*federation){
		"to leave":         func(f *federation) { f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave },
		"to be let in":     func(f *federation) { f.whitelist() },
		"nothing, to rest": func(*federation) {},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.settle(v1alpha1.PhaseFederated)
			f.entry = nil
			f.step(-1)
			ask(f)
			var last Decision
			for range 20 {
				if last = f.step(-1); f.status.Phase == v1alpha1.PhaseCutOff {
					break
				}
				for _, reaction := range reactions {
					reaction.run(f)
				}
			}
			if rests := last.Requeue == resting; rests != (name == "nothing, to rest") {
				t.Errorf("in phase %s it looks again after %s", f.status.Phase, last.Requeue)
			}
		})
	}
}

// Trigger OnRelease waits for a release after the last cut-off, not for one of the year before.
func TestOnReleaseWaitsForANewRelease(t *testing.T) {
	f := newFederation(t)
	f.entry.Trigger = v1alpha1.TriggerOnRelease
	released := metav1.NewTime(f.now)
	f.spec.ReleasedTime = &released
	f.settle(v1alpha1.PhaseFederated)
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.whitelist()
	f.entry.Trigger = v1alpha1.TriggerOnRelease
	f.run(10)
	if f.advancing().Reason != v1alpha1.ReasonTriggerPending || f.status.Phase != v1alpha1.PhaseCutOff {
		t.Fatalf("%s in phase %s", f.advancing().Reason, f.status.Phase)
	}
	released = metav1.NewTime(f.now)
	f.spec.ReleasedTime = &released
	f.settle(v1alpha1.PhaseFederated)
}

// A record that was restored without its status, as backups restore it, hides nothing from a rollback.
func TestARestoredRecordIsCutOff(t *testing.T) {
	for name, roll := range map[string]func(*federation){
		"by hand":            func(f *federation) { f.rollback(true) },
		"taken off the list": func(f *federation) { f.entry = nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.settle(v1alpha1.PhaseFederated)
			f.status = v1alpha1.MigrationStatus{}
			roll(f)
			f.settle(v1alpha1.PhaseCutOff)
			for cluster := range f.works {
				for ref, work := range f.works[cluster] {
					if !work.silent() || !work.Preserve {
						t.Errorf("%s in %s: %+v", ref.Name, cluster, work)
					}
				}
			}
		})
	}
}
