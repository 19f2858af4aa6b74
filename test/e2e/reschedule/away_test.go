package reschedule

import (
	"context"
	"slices"
	"strings"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/test/static"
)

// everywhere are the members an application of the story is in.
var everywhere = []string{"member1", "member2", "member4"}

// machines of the lab's IaaS, one in each member: what was made in a member stays there.
const machinesOfThree = `
apiVersion: v1
kind: Secret
metadata: {namespace: $NS, name: rack}
stringData: {token: lab}
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMReplicaSet
metadata: {namespace: $NS, name: rack}
spec:
  replicas: 3
  selector: {matchLabels: {app: rack}}
  template:
    metadata: {labels: {app: rack}}
    spec:
      machine: {driver: http, class: small, image: lab/debian-12, credentialsRef: {name: rack}}
---
`

// scaledFrom three replicas on: no load, so it stays there.
const scaledFrom = `
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: FedHPA
metadata: {namespace: $NS, name: auto}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: auto}
  minReplicas: 3
  maxReplicas: 9
  metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 50m}}}]
`

// rack are the machines, and auto the Deployment that a FedHPA scales.
var (
	rack = app{name: "rack", api: "vm.argosy.dev/v1alpha1", kind: "VMReplicaSet"}
	auto = app{name: "auto", api: "apps/v1", kind: "Deployment", seconds: "3"}
)

// servers of the machines, in some members.
func (f failing) servers(members ...string) map[types.UID]string {
	f.t.Helper()
	out := map[types.UID]string{}
	for _, member := range members {
		var list vmv1alpha1.ServerList
		f.Expect(f.members[member].List(f.t.Context(), &list, client.InNamespace(f.ns))).To(Succeed())
		for i := range list.Items {
			out[list.Items[i].UID] = member + "/" + list.Items[i].Name
		}
	}
	return out
}

// machines that run in the lab's IaaS for the story, by their keys.
func (f failing) machines() ([]string, error) {
	all, err := f.lab.Machines(f.t.Context())
	var out []string
	for _, m := range all {
		if strings.HasPrefix(m.Name, f.ns+"/") && m.State == "running" {
			out = append(out, m.Key)
		}
	}
	return out, err
}

// imported is an application that was in the members before; a Migration has it in hand, in its soak, until it is let go on.
func (f failing) imported() static.App {
	f.t.Helper()
	old := static.App{Namespace: f.ns + "-static", Name: "old", Kind: "Deployment", Image: "old:1",
		Replicas: map[string]int64{"member1": 1, "member2": 1, "member4": 1}}
	f.Expect(old.Release(f.t.Context(), f.members)).To(Succeed())
	whitelist := &migrationv1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: f.ns}}
	whitelist.Spec.Strategy.SoakSeconds, whitelist.Spec.Strategy.RequiredApprovals = ptr.To[int32](24*60*60), ptr.To[int32](0)
	whitelist.Spec.Entries = []migrationv1alpha1.WhitelistEntry{{
		Namespace: old.Namespace, Environment: migrationv1alpha1.EnvironmentTest,
		WorkloadReference: migrationv1alpha1.WorkloadReference{APIVersion: old.APIVersion(), Kind: old.Kind, Name: old.Name},
	}}
	f.Expect(f.karmada.Create(f.t.Context(), whitelist)).To(Succeed())
	f.t.Cleanup(func() {
		f.edit(func(spec *migrationv1alpha1.MigrationWhitelistSpec) { spec.Entries = nil })
	})
	return old
}

func (f failing) edit(change func(*migrationv1alpha1.MigrationWhitelistSpec)) {
	f.t.Helper()
	ctx := context.WithoutCancel(f.t.Context())
	// The whitelist's status is written at the same time.
	busy := wait.Backoff{Steps: 30, Duration: 50 * time.Millisecond, Jitter: 1}
	if err := retry.RetryOnConflict(busy, func() error {
		whitelist := &migrationv1alpha1.MigrationWhitelist{}
		if err := f.karmada.Get(ctx, client.ObjectKey{Name: f.ns}, whitelist); err != nil {
			return err
		}
		change(&whitelist.Spec)
		return f.karmada.Update(ctx, whitelist)
	}); err != nil {
		f.t.Errorf("editing the whitelist: %v", err)
	}
}

// phase of the migration of an application.
func (f failing) phase(old static.App) func() (migrationv1alpha1.Phase, error) {
	return func() (migrationv1alpha1.Phase, error) {
		m := &migrationv1alpha1.Migration{}
		err := f.karmada.Get(f.t.Context(), client.ObjectKey{Namespace: old.Namespace, Name: "deployment-" + old.Name}, m)
		return m.Status.Phase, client.IgnoreNotFound(err)
	}
}

// oldPods of what is migrated, by UID.
func (f failing) oldPods(old static.App, members ...string) map[types.UID]string {
	f.t.Helper()
	out := map[types.UID]string{}
	for _, member := range members {
		for _, pod := range podsIn(f.t, f.members[member], old.Namespace) {
			out[pod.UID] = member + "/" + pod.Name
		}
	}
	return out
}

// booked is what the binding of an application gives each member.
func (f failing) booked(a app) func() map[string]int32 {
	return func() map[string]int32 { return division(f.t, f.planes, f.ns, a.binding()) }
}

// stay is what a lost member must not change, and what was made where: machines, and what is migrated.
type stay struct {
	old      static.App
	servers  map[types.UID]string
	machines []string
	pods     map[types.UID]string
}

// setUpStay makes them.
func (f failing) setUpStay() stay {
	f.t.Helper()
	old := f.imported()
	f.apply(f.t, f.ns, machinesOfThree+strings.Replace(rack.policy(), "spec:", "spec:\n  propagateDeps: true", 1))
	f.Eventually(func() int { return len(f.servers(everywhere...)) }, slow, "200ms").Should(Equal(3))
	f.Eventually(f.machines, slow, "200ms").Should(HaveLen(3))
	f.Expect(f.booked(rack)()).To(Equal(oneEach))
	f.Eventually(f.phase(old), slow, "200ms").Should(Equal(migrationv1alpha1.PhaseSoaking))
	machines, err := f.machines()
	f.Expect(err).NotTo(HaveOccurred())
	return stay{old: old, servers: f.servers(everywhere...), machines: machines, pods: f.oldPods(old, everywhere...)}
}

// stayed: while member4 is away nothing of them is made elsewhere, and nothing is evicted; with all members there they are who they were.
func (f failing) stayed(s stay, members ...string) {
	f.t.Helper()
	f.Expect(f.booked(rack)()).To(Equal(oneEach), "machines are not made elsewhere")
	f.Expect(f.evicting(rack.binding())).To(BeZero())
	f.Expect(f.machines()).To(ConsistOf(s.machines))
	among := func(all map[types.UID]string) map[types.UID]string {
		out := map[types.UID]string{}
		for uid, name := range all {
			for _, member := range members {
				if strings.HasPrefix(name, member+"/") {
					out[uid] = name
				}
			}
		}
		return out
	}
	f.Expect(f.servers(members...)).To(Equal(among(s.servers)))
	f.Expect(f.oldPods(s.old, members...)).To(Equal(among(s.pods)), "what is migrated runs as it did")
	binding := &workv1alpha2.ResourceBinding{}
	f.Expect(f.karmada.Get(f.t.Context(), client.ObjectKey{Namespace: s.old.Namespace, Name: "old-deployment"}, binding)).To(Succeed())
	f.Expect(binding.Spec.GracefulEvictionTasks).To(BeEmpty(), "a Migration has it in hand")
}

// goesOn: the migration ends once all members are there, and nothing of the application was touched for it.
func (f failing) goesOn(s stay) {
	f.t.Helper()
	f.edit(func(spec *migrationv1alpha1.MigrationWhitelistSpec) { spec.Strategy.SoakSeconds = ptr.To[int32](1) })
	f.Eventually(f.phase(s.old), slow, "200ms").Should(Equal(migrationv1alpha1.PhaseFederated))
	f.stayed(s, everywhere...)
}

// flap: a member that is away for less than what is there tolerates. Nothing moves, nobody is evicted, and every pod is who it was.
func (f failing) flap(s stay, ran map[types.UID]string) {
	f.t.Helper()
	f.Expect(shared.Stop(f.t.Context(), "member4")).To(Succeed())
	f.ready(false)
	f.stayed(s, survivors...)
	f.Expect(shared.Start(f.t.Context(), "member4")).To(Succeed())
	f.ready(true)
	f.Eventually(f.tainted, slow, "200ms").Should(BeFalse(), "the taint is taken off again")
	for _, a := range staying {
		f.Expect(f.booked(a)()).To(Equal(oneEach), a.name)
		f.Expect(f.evicting(a.binding())).To(BeZero(), a.name)
	}
	f.Expect(f.all()).To(Equal(ran), "nobody moved")
	f.stayed(s, everywhere...)
}

// tainted reports whether member4 still bears a taint of a member that is not Ready.
func (f failing) tainted() (bool, error) {
	cluster := &clusterv1alpha1.Cluster{}
	err := f.karmada.Get(f.t.Context(), client.ObjectKey{Name: "member4"}, cluster)
	return slices.ContainsFunc(cluster.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Key == clusterv1alpha1.TaintClusterNotReady && taint.Effect == corev1.TaintEffectNoExecute
	}), err
}

// scaled is Deployment auto under its FedHPA.
func (f failing) scaled() {
	f.t.Helper()
	f.apply(f.t, f.ns, auto.manifests())
	f.Eventually(f.booked(auto), slow, "200ms").Should(Equal(oneEach))
	f.apply(f.t, f.ns, scaledFrom)
	fed := &autoscalingv1alpha1.FedHPA{ObjectMeta: metav1.ObjectMeta{Namespace: f.ns, Name: "auto"}}
	f.t.Cleanup(func() { // no autoscaler outlives the story
		ctx := context.WithoutCancel(f.t.Context())
		if err := client.IgnoreNotFound(f.karmada.Delete(ctx, fed.DeepCopy())); err != nil {
			f.t.Errorf("deleting the FedHPA: %v", err)
		}
		NewWithT(f.t).Eventually(func() error {
			return f.karmada.Get(ctx, client.ObjectKeyFromObject(fed), fed.DeepCopy())
		}, slow, "500ms").ShouldNot(Succeed(), "the FedHPA lets go")
	})
	f.Eventually(f.agrees(fed), slow, "200ms").Should(Equal("True"))
	f.Expect(f.booked(auto)()).To(Equal(oneEach), "taking over changed nothing")
}

// agrees is what the FedHPA says of its books.
func (f failing) agrees(fed *autoscalingv1alpha1.FedHPA) func() (string, error) {
	return func() (string, error) {
		err := f.karmada.Get(f.t.Context(), client.ObjectKeyFromObject(fed), fed)
		for _, c := range fed.Status.Conditions {
			if c.Type == autoscalingv1alpha1.FedHPABooksAgree {
				return string(c.Status), err
			}
		}
		return "not looked at", err
	}
}
