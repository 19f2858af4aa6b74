package fedhpa

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
)

// Alias keeps a FedHPA of the same name for every native HorizontalPodAutoscaler of the control plane that bears the annotation
// fedhpa.argosy.dev/federate: "true", and shows the FedHPA's counts in that HPA's status. The control plane runs no HPA controller,
// so nothing else acts on such an object. Removing the annotation, or the HPA, removes the FedHPA, which changes no replica.
type Alias struct {
	client   client.Client
	recorder record.EventRecorder
}

func (a *Alias) setup(mgr manager.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).Named("fedhpa-alias").For(&autoscalingv2.HorizontalPodAutoscaler{}).Owns(&api.FedHPA{}).
		WithOptions(controller.Options{RateLimiter: retry.Limiter()}).
		Complete(a)
	if err != nil {
		return fmt.Errorf("setting up the FedHPA alias controller: %w", err)
	}
	return nil
}

// Reconcile mirrors one HPA.
func (a *Alias) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := a.client.Get(ctx, req.NamespacedName, hpa); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	fed := &api.FedHPA{}
	err := a.client.Get(ctx, req.NamespacedName, fed)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("reading FedHPA %s: %w", req, err)
	}
	exists := err == nil
	federate := hpa.Annotations[api.FederateAnnotation] == "true" && hpa.DeletionTimestamp.IsZero()
	switch {
	case exists && !metav1.IsControlledBy(fed, hpa):
		if federate {
			a.recorder.Eventf(hpa, "Warning", api.FedHPAReasonNameTaken,
				"FedHPA %s exists and was not made from this HorizontalPodAutoscaler: delete one of the two", fed.Name)
		}
		return ctrl.Result{}, nil
	case exists && !federate:
		return ctrl.Result{}, client.IgnoreNotFound(a.client.Delete(ctx, fed, client.Preconditions{UID: &fed.UID}))
	case !federate:
		return ctrl.Result{}, nil
	case !exists:
		return ctrl.Result{}, a.create(ctx, hpa)
	}
	if err := a.update(ctx, hpa, fed); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, a.reflect(ctx, hpa, fed)
}

func specFrom(hpa *autoscalingv2.HorizontalPodAutoscaler) api.FedHPASpec {
	hpa = hpa.DeepCopy()
	return api.FedHPASpec{
		ScaleTargetRef: hpa.Spec.ScaleTargetRef,
		MinReplicas:    max(ptr.Deref(hpa.Spec.MinReplicas, 1), 1),
		MaxReplicas:    hpa.Spec.MaxReplicas,
		Metrics:        hpa.Spec.Metrics,
		Behavior:       hpa.Spec.Behavior,
		MetricScope:    api.MetricScope(hpa.Annotations[api.MetricScopeAnnotation]),
	}
}

func (a *Alias) create(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	fed := &api.FedHPA{ObjectMeta: metav1.ObjectMeta{Name: hpa.Name, Namespace: hpa.Namespace}, Spec: specFrom(hpa)}
	if err := controllerutil.SetControllerReference(hpa, fed, a.client.Scheme()); err != nil {
		return fmt.Errorf("owning FedHPA %s: %w", hpa.Name, err)
	}
	if err := a.client.Create(ctx, fed); err != nil {
		a.recorder.Eventf(hpa, "Warning", api.FedHPAReasonWriteFailed, "creating its FedHPA: %v", err)
		return fmt.Errorf("creating FedHPA %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	return nil
}

// update follows the HPA's spec. What an HPA cannot say, the distribution and a pause, stays as it was set on the FedHPA.
func (a *Alias) update(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, fed *api.FedHPA) error {
	before := fed.DeepCopy()
	fed.Spec = specFrom(hpa)
	fed.Spec.Distribution, fed.Spec.Suspend = before.Spec.Distribution, before.Spec.Suspend
	if equality.Semantic.DeepEqual(before.Spec, fed.Spec) {
		return nil
	}
	if err := a.client.Patch(ctx, fed, client.MergeFrom(before)); err != nil {
		a.recorder.Eventf(hpa, "Warning", api.FedHPAReasonWriteFailed, "updating its FedHPA: %v", err)
		return fmt.Errorf("updating FedHPA %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	return nil
}

// reflect shows the federation's counts where people look for them.
func (a *Alias) reflect(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, fed *api.FedHPA) error {
	before := hpa.DeepCopy()
	hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = fed.Status.CurrentReplicas, fed.Status.DesiredReplicas
	if equality.Semantic.DeepEqual(before.Status, hpa.Status) {
		return nil
	}
	if err := a.client.Status().Patch(ctx, hpa, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("patching status of HorizontalPodAutoscaler %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	return nil
}
