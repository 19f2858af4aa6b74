package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func TestForesee(t *testing.T) {
	tests := map[string]struct {
		change func(w *world)
		want   []Fate
	}{
		"nothing changes": {
			change: func(*world) {},
			want: []Fate{
				{Server: "payments-1", Outcome: Unchanged}, {Server: "payments-2", Outcome: Unchanged}, {Server: "payments-3", Outcome: Unchanged},
			},
		},
		"packages": {
			change: func(w *world) { w.revision = "r2" },
			want: []Fate{
				{Server: "payments-1", Outcome: InPlace, Turn: 1}, {Server: "payments-2", Outcome: InPlace, Turn: 2},
				{Server: "payments-3", Outcome: InPlace, Turn: 3},
			},
		},
		"packages, with a partition": {
			change: func(w *world) {
				w.revision = "r2"
				w.set.Spec.UpdateStrategy.Partition = ptr.To(intstr.FromInt32(2))
			},
			want: []Fate{
				{Server: "payments-1", Outcome: InPlace, Turn: 1}, {Server: "payments-2", Outcome: Partitioned},
				{Server: "payments-3", Outcome: Partitioned},
			},
		},
		"packages, by hand": {
			change: func(w *world) {
				w.revision = "r2"
				w.set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete
			},
			want: []Fate{
				{Server: "payments-1", Outcome: OnDelete}, {Server: "payments-2", Outcome: OnDelete}, {Server: "payments-3", Outcome: OnDelete},
			},
		},
		"the machine, held": {
			change: func(w *world) { w.set.Spec.Template.Spec.Machine.Image = "other" },
			want: []Fate{
				{Server: "payments-1", Outcome: MachineHeld}, {Server: "payments-2", Outcome: MachineHeld},
				{Server: "payments-3", Outcome: MachineHeld},
			},
		},
		"the machine, held, and packages": {
			change: func(w *world) {
				w.revision = "r2"
				w.set.Spec.Template.Spec.Machine.Image = "other"
				w.set.Spec.UpdateStrategy.Partition = ptr.To(intstr.FromInt32(2))
			},
			want: []Fate{
				{Server: "payments-1", Outcome: InPlace, HeldMachine: true, Turn: 1}, {Server: "payments-2", Outcome: Partitioned},
				{Server: "payments-3", Outcome: Partitioned},
			},
		},
		"the machine, replaced": {
			change: func(w *world) {
				w.set.Spec.Template.Spec.Machine.Image = "other"
				w.set.Spec.UpdateStrategy.OnMachineChange = v1alpha1.MachineChangeReplace
				w.set.Spec.UpdateStrategy.Partition = ptr.To(intstr.FromInt32(1))
			},
			want: []Fate{
				{Server: "payments-1", Outcome: Replaced, Turn: 1}, {Server: "payments-2", Outcome: Replaced, Turn: 2},
				{Server: "payments-3", Outcome: Partitioned}, {Server: "payments-4", Outcome: Made}, {Server: "payments-5", Outcome: Made},
			},
		},
		"fewer, a named one first": {
			change: func(w *world) {
				w.set.Spec.Replicas = ptr.To[int32](1)
				w.set.Spec.ServersToDelete = []string{"payments-1"}
			},
			want: []Fate{
				{Server: "payments-1", Outcome: Removed}, {Server: "payments-2", Outcome: Unchanged}, {Server: "payments-3", Outcome: Removed},
			},
		},
		"more": {
			change: func(w *world) { w.set.Spec.Replicas = ptr.To[int32](4) },
			want: []Fate{
				{Server: "payments-1", Outcome: Unchanged}, {Server: "payments-2", Outcome: Unchanged}, {Server: "payments-3", Outcome: Unchanged},
				{Server: "payments-4", Outcome: Made},
			},
		},
		"one leaves already": {
			change: func(w *world) { w.servers[1].Spec.Offline = true },
			want: []Fate{
				{Server: "payments-1", Outcome: Unchanged}, {Server: "payments-2", Outcome: Leaving}, {Server: "payments-3", Outcome: Unchanged},
				{Server: "payments-4", Outcome: Made},
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(3)
			w.settle()
			tc.change(w)
			if diff := cmp.Diff(tc.want, Foresee(w.input()).Fates); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

// TestForecastComesTrue: what is foreseen of a set at rest is what Decide then does, whatever is changed at once.
func TestForecastComesTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Int32Range(1, 6).Draw(t, "replicas"))
		w.settle()
		spec := &w.set.Spec
		spec.Replicas = ptr.To(rapid.Int32Range(0, 8).Draw(t, "then"))
		w.revision = rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "revision")
		spec.Template.Spec.Machine.Image = rapid.SampledFrom([]string{"debian", "other"}).Draw(t, "image")
		spec.UpdateStrategy.OnMachineChange = rapid.SampledFrom([]v1alpha1.OnMachineChange{
			v1alpha1.MachineChangeHold, v1alpha1.MachineChangeReplace,
		}).Draw(t, "change")
		spec.UpdateStrategy.Type = rapid.SampledFrom([]v1alpha1.UpdateStrategyType{v1alpha1.RollingUpdate, v1alpha1.OnDelete}).Draw(t, "type")
		spec.UpdateStrategy.Partition = ptr.To(intstr.FromInt32(rapid.Int32Range(0, 3).Draw(t, "partition")))
		spec.UpdateStrategy.MaxUnavailable = ptr.To(intstr.FromInt32(rapid.Int32Range(1, 3).Draw(t, "away")))
		forecast := Foresee(w.input())
		w.settle()
		there := map[string]Member{}
		for _, m := range w.servers {
			there[m.Name] = m
		}
		for _, fate := range forecast.Fates {
			m, stays := there[fate.Server]
			delete(there, fate.Server)
			goes := fate.Outcome == Removed || fate.Outcome == Replaced || fate.Outcome == Leaving
			if stays == goes {
				t.Fatalf("%s was foreseen to be %s, and is there: %t\n%v", fate.Server, fate.Outcome, stays, forecast.Fates)
			}
			if !stays {
				continue
			}
			updated, other := m.Revision == w.revision, m.Spec.Machine.Image != spec.Template.Spec.Machine.Image
			var agrees bool
			switch fate.Outcome {
			case Unchanged, Made:
				agrees = updated && !other
			case InPlace:
				agrees = updated && other == fate.HeldMachine
			case MachineHeld:
				agrees = updated && other
			case Partitioned, OnDelete:
				agrees = !updated || other
			}
			if !agrees {
				t.Fatalf("%s was foreseen to be %s; updated: %t, of another machine: %t\n%v",
					fate.Server, fate.Outcome, updated, other, forecast.Fates)
			}
		}
		if len(there) > 0 {
			t.Fatalf("nobody foresaw %v\n%v", w.names(), forecast.Fates)
		}
	})
}
