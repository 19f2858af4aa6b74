package scalein

import (
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vm "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/test/nemesis/transport"
)

// set is the VMReplicaSet vms of the world.
func (w *world) set(replicas int32) *vm.VMReplicaSet {
	labels := map[string]vm.LabelValue{"app": "vms"}
	set := &vm.VMReplicaSet{ObjectMeta: w.meta("vms")}
	set.Spec.Replicas, set.Spec.Selector.MatchLabels = &replicas, labels
	set.Spec.Template.Metadata.Labels = labels
	set.Spec.Template.Spec.Machine = vm.Machine{Driver: "http", Image: "debian"}
	set.Spec.Failover = vm.Failover{Policy: vm.FailoverAuto, OnUnrepairable: vm.Abandon}
	return set
}

func (w *world) setBinding() *workv1alpha2.ResourceBinding {
	return &workv1alpha2.ResourceBinding{ObjectMeta: w.meta("vms-vmreplicaset"), Spec: workv1alpha2.ResourceBindingSpec{
		Resource: workv1alpha2.ObjectReference{
			APIVersion: vm.GroupVersion.String(), Kind: "VMReplicaSet", Namespace: w.namespace, Name: "vms",
		},
		Replicas: 5, Clusters: []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 3}, {Name: "member2", Replicas: 2}},
		Placement: &policyv1alpha1.Placement{ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{
			ReplicaSchedulingType: policyv1alpha1.ReplicaSchedulingTypeDivided,
		}},
	}}
}

// givenUp makes the set of five, of which member1 keeps three and has given one up; member2 answers nobody.
func (w *world) givenUp(labels map[string]string) {
	w.t.Helper()
	template := w.set(5)
	template.Labels = labels
	w.create(plane, template)
	w.create(plane, w.setBinding())
	w.create(member, w.set(3))
	w.observeSet()
	in := w.set(0)
	w.get(member, in)
	in.Status = vm.VMReplicaSetStatus{ObservedGeneration: in.Generation, AbandonedReplicas: 1}
	in.Status.Abandoned = []vm.AbandonedServer{{Server: "vms-2", Replicas: 3}}
	w.Expect(member.Status().Update(w.ctx, in)).To(gomega.Succeed())
	w.collect(in)
}

// collect is the part of Karmada and our interpreter: the member's word in the template's status.
func (w *world) collect(in *vm.VMReplicaSet) {
	w.t.Helper()
	w.Eventually(func() error {
		template := w.set(0)
		if err := plane.Get(w.ctx, client.ObjectKeyFromObject(template), template); err != nil {
			return err
		}
		template.Status.AbandonedReplicas, template.Status.Abandoned = in.Status.AbandonedReplicas, nil
		for _, entry := range in.Status.Abandoned {
			entry.Cluster = "member1"
			template.Status.Abandoned = append(template.Status.Abandoned, entry)
		}
		return plane.Status().Update(w.ctx, template)
	}).Should(gomega.Succeed())
}

func (w *world) observeSet() {
	w.t.Helper()
	w.Eventually(func() error {
		binding := w.setBinding()
		if err := plane.Get(w.ctx, client.ObjectKeyFromObject(binding), binding); err != nil {
			return err
		}
		binding.Status.SchedulerObservedGeneration = binding.Generation
		return plane.Status().Update(w.ctx, binding)
	}).Should(gomega.Succeed())
}

// turn is one turn of Karmada and of the set's controller in member1: the template's total into the binding, the share into the member,
// whose entry is over once it was lowered by it, and its word into the template's status.
func (w *world) turn() {
	w.t.Helper()
	template, binding := w.set(0), w.setBinding()
	w.get(plane, template)
	change(w, binding, func(b *workv1alpha2.ResourceBinding) {
		b.Spec.Replicas, b.Spec.Resource.ResourceVersion = *template.Spec.Replicas, template.ResourceVersion
	})
	w.observeSet()
	in := w.set(0)
	w.get(member, in)
	if share := binding.Spec.Clusters[0].Replicas; *in.Spec.Replicas != share {
		in.Spec.Replicas = ptr.To(share)
		w.Expect(member.Update(w.ctx, in)).To(gomega.Succeed())
		if share < 3 {
			in.Status.AbandonedReplicas, in.Status.Abandoned = 0, nil
		}
		in.Status.ObservedGeneration = in.Generation
		w.Expect(member.Status().Update(w.ctx, in)).To(gomega.Succeed())
	}
	w.collect(in)
}

// setBooks are what template, binding and member1 say, and how many marks are left.
func (w *world) setBooks() []int32 {
	w.t.Helper()
	template, binding, in := w.set(0), w.setBinding(), w.set(0)
	w.get(plane, template)
	w.get(plane, binding)
	w.get(member, in)
	left := len(template.Annotations) + len(binding.Annotations)
	if binding.Spec.SchedulingSuspended() {
		left++
	}
	shares := binding.Spec.Clusters
	return []int32{*template.Spec.Replicas, shares[0].Replicas, shares[1].Replicas, *in.Spec.Replicas, int32(left)}
}

// TestAbandoned: a server given up without replacement lowers the share of the member it was in, once, though any one write of the
// controller fails, meets a conflict, is answered to nobody, or is seen late.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	transport.Sweep{Least: 5, InTurn: true}.EachWrite(t, func(t *testing.T, wrap func(*rest.Config) *rest.Config) {
		w := newWorld(t)
		w.givenUp(nil)
		w.leadOf(wrap(planeConfig), nil)
		w.Eventually(func() []int32 {
			w.turn()
			return w.setBooks()
		}).Should(gomega.Equal([]int32{4, 2, 2, 2, 0}))
	})
}

// TestAbandonedIsNotFollowed: where the members own their numbers nothing is lowered, and the event says what to do.
func TestAbandonedIsNotFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givenUp(map[string]string{mark.RetainReplicas: "true"})
	w.lead(nil)
	w.Eventually(func() []string { return w.told(vm.ReasonAbandonedNotLowered) }).
		Should(gomega.ContainElement(gomega.ContainSubstring("lower spec.replicas there")))
	w.Expect(w.setBooks()).To(gomega.Equal([]int32{5, 3, 2, 3, 0}))
}
