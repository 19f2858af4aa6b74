package scalein

import (
	"context"
	"strconv"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/conditions"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/internal/served"
	"github.com/argosy-dev/argosy/internal/text"
)

// cloneSetKind is the version the adopter reads; OpenKruise serves every version of one object.
var cloneSetKind = schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"}

// adopter brings binding and template into line with members that hold less: CloneSets that were scaled in there by hand, for templates
// that ask for it, and VMReplicaSets that gave servers up.
type adopter struct {
	*Reconciler
	followed followed
	// waits are what its templates wait for.
	waits *conditions.Lasting
}

// followed is a kind that an adopter follows.
type followed struct {
	// controller is the name of its adopter, without what nobody does while the kind is not served.
	controller, without string
	kind                schema.GroupVersionKind
	// watched is what is read of every template, and concerned says of which it is worth a look.
	watched   func() client.Object
	options   []builder.ForOption
	concerned func(client.Object) bool
	// read is one member; it is asked of those that seen names.
	read func(a adopter, ctx context.Context, seen gathered, cluster string) member
}

// cloneSets are followed by their metadata.
func cloneSets() followed {
	return followed{
		controller: "scalein-adopter", without: "no scale-in by hand is adopted", kind: cloneSetKind,
		watched: func() client.Object { return &metav1.PartialObjectMetadata{} },
		options: []builder.ForOption{builder.OnlyMetadata},
		concerned: func(o client.Object) bool {
			return o.GetAnnotations()[v1alpha1.ScaleInAdoptAnnotation] != ""
		},
		read: func(a adopter, ctx context.Context, seen gathered, cluster string) member {
			m, _, err := a.readWorkload(ctx, seen.order, cluster)
			if err != nil {
				return member{unreachable: err.Error()}
			}
			return m
		},
	}
}

// adopterStart adds an adopter once karmada-apiserver serves its kind: OpenKruise may be installed there after us.
type adopterStart struct {
	mgr     manager.Manager
	adopter adopter
	options Options
}

// Start waits for the CRD; while there is none, nothing asks to be adopted.
func (a adopterStart) Start(ctx context.Context) error {
	err := served.Wait(ctx, a.mgr, a.adopter.followed.kind, a.adopter.followed.without)
	if err == nil {
		err = addAdopter(a.mgr, a.adopter, a.options)
	}
	if ctx.Err() != nil {
		return nil // A manager that stops takes nothing on.
	}
	return err
}

// addAdopter watches the templates of one kind.
func addAdopter(mgr manager.Manager, a adopter, options Options) error {
	template := a.followed.watched()
	template.GetObjectKind().SetGroupVersionKind(a.followed.kind)
	// An adoption that has begun is ended, whatever became of the annotation that asked for it.
	concerned := predicate.NewPredicateFuncs(func(o client.Object) bool {
		return a.followed.concerned(o) || o.GetAnnotations()[v1alpha1.ScaleInLoweredAnnotation] == adoptMark
	})
	return builder.ControllerManagedBy(mgr).Named(a.followed.controller).
		For(template, append(a.followed.options, builder.WithPredicates(concerned))...).
		WithOptions(controller.Options{MaxConcurrentReconciles: options.Concurrency, RateLimiter: retry.Limiter()}).
		Complete(a)
}

// Reconcile does the next step for one template.
func (a adopter) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	// The gathering of an order reads just what is needed here.
	order := &v1alpha1.PodScaleIn{}
	order.Namespace = request.Namespace
	order.Spec.TargetRef = v1alpha1.ScaleInTarget{
		APIVersion: a.followed.kind.GroupVersion().String(), Kind: a.followed.kind.Kind, Name: request.Name,
	}
	wait, err := a.step(ctx, gathered{facts: facts{order: order, now: a.clock.Now(), members: map[string]member{}}})
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	}
	return reconcile.Result{RequeueAfter: wait}, err
}

// step gathers, decides and writes once; the result is when to look again.
func (a adopter) step(ctx context.Context, seen gathered) (time.Duration, error) {
	if err := a.gatherTemplate(ctx, &seen); err != nil {
		return 0, err
	}
	if seen.template == nil || seen.template.adopt == "" && seen.template.lowered != adoptMark {
		a.waits.Forget(templateOf(seen))
		return 0, nil
	}
	if err := a.gatherForAdoption(ctx, &seen); err != nil {
		return 0, err
	}
	next := nextAdoption(seen.facts)
	if err := a.write(ctx, seen, next); err != nil {
		return 0, err
	}
	// Of one that goes on following, only what changes is news.
	if next.message != "" && (seen.template.adopt == v1alpha1.AdoptOnce || !next.settled) {
		a.tell(ctx, seen.templateObject, next)
	}
	a.tellWait(seen, next)
	switch {
	case (next.settled || next.refused) && seen.template.adopt != v1alpha1.AdoptAlways:
		return 0, nil
	case next.refused:
		return lookRarely, nil
	case next.settled, next.unknown:
		return lookLater, nil
	}
	return lookSoon, nil
}

func (a adopter) tell(ctx context.Context, template *unstructured.Unstructured, next adoption) {
	kind := corev1.EventTypeNormal
	if next.refused {
		kind = corev1.EventTypeWarning
	}
	a.recorder.Event(template, kind, next.reason, text.Cut(next.message, longestEvent))
	log.FromContext(ctx).Info("Compared the books with the members", "kind", template.GetKind(), "template", klog.KObj(template),
		"reason", next.reason, "message", next.message)
}

func templateOf(seen gathered) types.NamespacedName {
	return types.NamespacedName{Namespace: seen.order.Namespace, Name: seen.order.Spec.TargetRef.Name}
}

// tellWait tells of what an adoption has waited for so long that somebody may ask.
func (a adopter) tellWait(seen gathered, next adoption) {
	var waits []metav1.Condition
	if next.why != "" {
		waits = []metav1.Condition{{Status: metav1.ConditionFalse, Reason: next.why, Message: next.waitsFor}}
	}
	untold, _ := a.waits.Look(templateOf(seen), waits, nil, seen.now)
	for _, one := range untold {
		a.recorder.Event(seen.templateObject, corev1.EventTypeNormal, one.Reason, text.Cut("the adoption waits: "+one.Message, longestEvent))
	}
}

func (a adopter) gatherForAdoption(ctx context.Context, seen *gathered) error {
	if err := a.gatherBinding(ctx, seen); err != nil || seen.binding == nil {
		return err
	}
	ref := autoscalingv2.CrossVersionObjectReference{
		APIVersion: a.followed.kind.GroupVersion().String(), Kind: a.followed.kind.Kind, Name: seen.order.Spec.TargetRef.Name,
	}
	owner, err := autoscalers.Find(ctx, a.cache, seen.order.Namespace, ref, autoscalers.Indexed(ref))
	if err != nil {
		return err
	}
	if owner != nil {
		seen.owner = owner.Kind + " " + owner.Name
	}
	var clusters []string
	for _, cluster := range seen.binding.clusters {
		clusters = append(clusters, cluster.name)
	}
	seen.members = eachMember(ctx, clusters, func(cluster string) member { return a.followed.read(a, ctx, *seen, cluster) })
	return nil
}

func (a adopter) write(ctx context.Context, seen gathered, next adoption) error {
	switch next.do {
	case markTemplate:
		return a.patchTemplate(ctx, seen, func(t *unstructured.Unstructured) error {
			annotate(t, v1alpha1.ScaleInLoweredAnnotation, adoptMark)
			annotate(t, v1alpha1.ScaleInLoweredFromAnnotation, "")
			return nil
		})
	case lowerBinding:
		return a.patchBinding(ctx, seen, func(b *workv1alpha2.ResourceBinding) {
			lowerClusters(b, next.clusters)
			annotate(b, v1alpha1.ScaleInLoweredAnnotation, adoptMark)
			annotate(b, v1alpha1.ScaleInLoweredOfAnnotation, strconv.Itoa(int(seen.template.replicas)))
		})
	case lowerTemplate:
		return a.patchTemplate(ctx, seen, func(t *unstructured.Unstructured) error {
			return lowerReplicas(t, next.replicas)
		})
	case release:
		return a.patchBinding(ctx, seen, func(b *workv1alpha2.ResourceBinding) {
			releaseScheduler(b)
			annotate(b, v1alpha1.ScaleInLoweredAnnotation, "")
			annotate(b, v1alpha1.ScaleInLoweredOfAnnotation, "")
		})
	case endAdoption:
		return a.patchTemplate(ctx, seen, func(t *unstructured.Unstructured) error {
			if seen.template.adopt == v1alpha1.AdoptOnce {
				annotate(t, v1alpha1.ScaleInAdoptAnnotation, "")
			}
			if seen.template.lowered == adoptMark {
				unmarkLowered(t)
			}
			return nil
		})
	case nothing, acceptPlan, announce:
	}
	return nil
}
