package scalein

import (
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/internal/mark"
)

// TestRefusedOrders: what cannot be done as written ends at once, with a reason, what to do, an event, and nothing changed.
func TestRefusedOrders(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prepare              func(*world)
		order                func(*v1alpha1.PodScaleIn)
		wantReason, wantSays string
	}{
		"an unknown pod": {
			order:      func(o *v1alpha1.PodScaleIn) { o.Spec.Pods[0].Name = "web-9" },
			wantReason: v1alpha1.ReasonPodNotFound, wantSays: "pod web-9 of member1 does not exist",
		},
		"a cluster that runs none of it": {
			order:      func(o *v1alpha1.PodScaleIn) { o.Spec.Pods[0].Cluster = "member7" },
			wantReason: v1alpha1.ReasonPodNotFound, wantSays: "web runs no replicas in cluster member7; it runs in member1, ",
		},
		"a pod of another CloneSet": {
			prepare: func(w *world) {
				other := w.cloneSet(1)
				other.Name = "other"
				w.create(member, other)
				w.pod("other-0", other)
			},
			order:      func(o *v1alpha1.PodScaleIn) { o.Spec.Pods[0].Name = "other-0" },
			wantReason: v1alpha1.ReasonPodNotOwned, wantSays: "pod other-0 of member1 belongs to CloneSet other, not to CloneSet web",
		},
		"a pod on its way out": {
			prepare: func(w *world) {
				in := w.cloneSet(0)
				w.get(member, in)
				pod := w.pod("web-3", in)
				pod.Finalizers = []string{"test.argosy.dev/held"}
				w.Expect(member.Update(w.ctx, pod)).To(gomega.Succeed())
				w.Expect(member.Delete(w.ctx, pod)).To(gomega.Succeed())
			},
			order:      func(o *v1alpha1.PodScaleIn) { o.Spec.Pods[0].Name = "web-3" },
			wantReason: v1alpha1.ReasonPodTerminating, wantSays: "terminating already",
		},
		"one named twice": {
			order:      func(o *v1alpha1.PodScaleIn) { o.Spec.Pods = append(o.Spec.Pods, o.Spec.Pods[0]) },
			wantReason: v1alpha1.ReasonPodDuplicate, wantSays: "named twice",
		},
		"below a disruption budget": {
			prepare: func(w *world) {
				budget := &policyv1.PodDisruptionBudget{ObjectMeta: w.meta("keep"), Spec: policyv1.PodDisruptionBudgetSpec{
					MinAvailable: &intstr.IntOrString{IntVal: 3}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
				}}
				w.create(member, budget)
				budget.Status = policyv1.PodDisruptionBudgetStatus{CurrentHealthy: 3, DesiredHealthy: 3, ExpectedPods: 3}
				w.Expect(member.Status().Update(w.ctx, budget)).To(gomega.Succeed())
			},
			wantReason: v1alpha1.ReasonDisruptionBudget,
			wantSays:   "PodDisruptionBudget keep of member1 allows 0 disruptions, 1 healthy pods are named",
		},
		"a workload that is cut off": {
			prepare: func(w *world) {
				template := w.cloneSet(0)
				w.get(plane, template)
				template.Annotations = map[string]string{migration.AnnotationCutOff: "cloneset-web"}
				w.Expect(plane.Update(w.ctx, template)).To(gomega.Succeed())
			},
			wantReason: v1alpha1.ReasonCutOff, wantSays: "web is cut off from the federation: nothing is dispatched to its members",
		},
		"replicas of an HPA": {
			prepare: func(w *world) {
				w.create(plane, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta("keeper"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
					ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1beta1", Kind: "CloneSet", Name: "web"},
					MaxReplicas:    9,
				}})
			},
			wantReason: v1alpha1.ReasonTargetOwned,
			wantSays:   "belong to HorizontalPodAutoscaler keeper: it would put the removed ones back; lower its maxReplicas or delete it first",
		},
		"replicas of the members": {
			prepare: func(w *world) {
				change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) { c.Labels = map[string]string{mark.RetainReplicas: "true"} })
			},
			wantReason: v1alpha1.ReasonTargetOwned, wantSays: "argosyctl scalein adopt",
		},
		"duplicated replicas": {
			prepare: func(w *world) {
				change(w, w.binding(), func(b *workv1alpha2.ResourceBinding) {
					b.Spec.Placement.ReplicaScheduling.ReplicaSchedulingType = "Duplicated"
				})
				w.observe()
			},
			wantReason: v1alpha1.ReasonTargetNotDivided, wantSays: "only replicaSchedulingType Divided",
		},
		"no CloneSet": {
			prepare:    func(w *world) { w.Expect(plane.Delete(w.ctx, w.cloneSet(0))).To(gomega.Succeed()) },
			wantReason: v1alpha1.ReasonTargetNotFound, wantSays: "CloneSet web does not exist in namespace",
		},
		"the last replica": {
			prepare: func(w *world) {
				change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) { *c.Spec.Replicas = 1 })
				change(w, w.binding(), func(b *workv1alpha2.ResourceBinding) {
					b.Spec.Replicas, b.Spec.Clusters = 1, []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 1}}
				})
				w.observe()
			},
			wantReason: v1alpha1.ReasonNoReplicaLeft, wantSays: "use kubectl scale --replicas=0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			order := w.order("order", "web-0")
			if tc.order != nil {
				tc.order(order)
			}
			before := w.books()
			w.create(plane, order)
			w.lead(nil)
			w.Eventually(func() string { phase, reason, _ := w.complete(); return phase + " " + reason }).
				Should(gomega.Equal("Refused " + tc.wantReason))
			_, _, message := w.complete()
			w.Expect(message).To(gomega.ContainSubstring(tc.wantSays))
			w.Eventually(func() []string { return w.told(tc.wantReason) }).Should(gomega.ConsistOf(gomega.ContainSubstring(tc.wantSays)))
			w.Eventually(func() []string { w.get(plane, order); return order.Finalizers }).Should(gomega.BeEmpty())
			w.Expect(w.books()).To(gomega.Equal(before), "a refused order changed something")
		})
	}
}

// TestAScaledObjectOwnsItsReplicas: KEDA makes an HPA of it in members, which would put the removed ones back.
func TestAScaledObjectOwnsItsReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(plane, fixture.ScaledObjectKind())
	scaled := autoscalers.NewScaledObject()
	scaled.SetNamespace(w.namespace)
	scaled.SetName("queue")
	scaled.Object["spec"] = map[string]any{
		"scaleTargetRef": map[string]any{"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet", "name": "web"},
	}
	w.Eventually(func() error { return plane.Create(w.ctx, scaled) }).Should(gomega.Succeed())
	w.create(plane, w.order("order", "web-0"))
	w.lead(nil)
	w.Eventually(func() string { phase, reason, _ := w.complete(); return phase + " " + reason }).
		Should(gomega.Equal("Refused " + v1alpha1.ReasonTargetOwned))
	_, _, message := w.complete()
	w.Expect(message).To(gomega.ContainSubstring("the replicas of web belong to KEDA's ScaledObject queue"))
}

// books are the resourceVersions of whatever an order could have written.
func (w *world) books() []string {
	var out []string
	for _, o := range []struct {
		client client.Client
		object client.Object
	}{{plane, w.cloneSet(0)}, {plane, w.binding()}, {member, w.cloneSet(0)}} {
		if err := o.client.Get(w.ctx, client.ObjectKeyFromObject(o.object), o.object); client.IgnoreNotFound(err) != nil {
			w.t.Error(err)
		}
		out = append(out, o.object.GetResourceVersion())
	}
	return out
}

// TestWaitingOrders: what may pass by itself is waited for, and said; it is refused when its time is over.
func TestWaitingOrders(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prepare              func(*world)
		order                func(*v1alpha1.PodScaleIn)
		wantReason, wantSays string
	}{
		"a member that cannot be asked": {
			order:      func(o *v1alpha1.PodScaleIn) { o.Spec.Pods[0].Cluster = "member2" },
			wantReason: v1alpha1.ReasonMemberUnreachable, wantSays: "cluster member2 cannot be asked for its pods: " + errNoAnswer.Error(),
		},
		"a pod that may be in a member that cannot be asked": {
			order:      func(o *v1alpha1.PodScaleIn) { o.Spec.Pods[0].Cluster = "" },
			wantReason: v1alpha1.ReasonMemberUnreachable, wantSays: "naming the pod's cluster would help",
		},
		"not propagated": {
			prepare:    func(w *world) { w.Expect(plane.Delete(w.ctx, w.binding())).To(gomega.Succeed()) },
			wantReason: v1alpha1.ReasonBindingUnsettled, wantSays: "not propagated yet",
		},
		"not divided yet": {
			prepare: func(w *world) {
				change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) { *c.Spec.Replicas = 7 })
			},
			wantReason: v1alpha1.ReasonBindingUnsettled, wantSays: "has not divided the 7 replicas of web yet (5 are)",
		},
		"an eviction": {
			prepare: func(w *world) {
				change(w, w.binding(), func(b *workv1alpha2.ResourceBinding) {
					b.Spec.GracefulEvictionTasks = []workv1alpha2.GracefulEvictionTask{
						{FromCluster: "member3", Reason: "TaintUntolerated", Producer: "TaintManager"},
					}
				})
				w.observe()
			},
			wantReason: v1alpha1.ReasonBindingUnsettled, wantSays: "Karmada is evicting web",
		},
		"another order": {
			prepare: func(w *world) {
				change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) {
					c.Annotations = map[string]string{v1alpha1.ScaleInRequestAnnotation: "first;member1:2=web-2"}
				})
			},
			wantReason: v1alpha1.ReasonTargetBusy, wantSays: "another order is at work on web",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			order := w.order("order", "web-0")
			if tc.order != nil {
				tc.order(order)
			}
			w.create(plane, order)
			kill := w.lead(nil)
			w.Eventually(func() string { phase, reason, _ := w.complete(); return phase + " " + reason }).
				Should(gomega.Equal("Checking " + tc.wantReason))
			_, _, message := w.complete()
			w.Expect(message).To(gomega.ContainSubstring(tc.wantSays))
			w.Eventually(func() int { return len(w.told(tc.wantReason)) }).Should(gomega.Equal(1))
			kill()

			w.clock.SetTime(w.clock.Now().Add(time.Hour))
			w.lead(nil)
			w.Eventually(func() string { phase, reason, _ := w.complete(); return phase + " " + reason }).
				Should(gomega.Equal("Refused " + tc.wantReason))
		})
	}
}
