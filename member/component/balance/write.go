package balance

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// fieldManager of what is written here; the Service itself is applied by another.
const fieldManager = "argosy-load-balancer"

// Serves is true of a Service whose load balancer has its address and, where a provider of ours keeps it, was seen well.
func Serves(service *corev1.Service) bool {
	isOne := service.Spec.Type == corev1.ServiceTypeLoadBalancer && service.DeletionTimestamp == nil
	if !isOne || len(service.Status.LoadBalancer.Ingress) == 0 {
		return false
	}
	said := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionServiceLoadBalancer)
	return said == nil || said.Status == metav1.ConditionTrue
}

// mark the Service as one that a provider has a load balancer for.
func (r *Reconciler) mark(ctx context.Context, service *corev1.Service, provider string) error {
	base := service.DeepCopy()
	if !controllerutil.AddFinalizer(service, v1alpha1.FinalizerLoadBalancer) &&
		service.Annotations[v1alpha1.AnnotationLoadBalancerProvider] == provider {
		return nil
	}
	metav1.SetMetaDataAnnotation(&service.ObjectMeta, v1alpha1.AnnotationLoadBalancerProvider, provider)
	if err := r.patch(ctx, service, base); err != nil {
		return fmt.Errorf("marking Service %s as one of provider %s: %w", service.Name, provider, err)
	}
	return nil
}

// unmark a Service whose load balancer is gone.
func (r *Reconciler) unmark(ctx context.Context, service *corev1.Service, provider string) error {
	if service.DeletionTimestamp == nil {
		base := service.DeepCopy()
		service.Status.LoadBalancer.Ingress = nil
		meta.RemoveStatusCondition(&service.Status.Conditions, v1alpha1.ConditionServiceLoadBalancer)
		if err := r.patchStatus(ctx, service, base); err != nil {
			return err
		}
	}
	base := service.DeepCopy()
	controllerutil.RemoveFinalizer(service, v1alpha1.FinalizerLoadBalancer)
	delete(service.Annotations, v1alpha1.AnnotationLoadBalancerProvider)
	if err := r.patch(ctx, service, base); err != nil {
		return fmt.Errorf("letting Service %s go: %w", service.Name, err)
	}
	log.FromContext(ctx).Info("The load balancer is gone", "service", klog.KObj(service), "provider", provider)
	return nil
}

func (r *Reconciler) patch(ctx context.Context, service, base *corev1.Service) error {
	seen := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	return r.writer.Patch(ctx, service, seen, client.FieldOwner(fieldManager))
}

// tell what was heard.
func (r *Reconciler) tell(ctx context.Context, service *corev1.Service, told Telling) error {
	base := service.DeepCopy()
	was := meta.FindStatusCondition(base.Status.Conditions, told.Condition.Type)
	if was != nil && told.Retry && was.Status == told.Condition.Status && was.Reason == told.Condition.Reason {
		return nil // the words of one failed try are as good as those of the next, which may name another port
	}
	if told.Addresses != nil {
		service.Status.LoadBalancer.Ingress = told.Addresses
	}
	meta.SetStatusCondition(&service.Status.Conditions, told.Condition)
	if err := r.patchStatus(ctx, service, base); err != nil {
		return err
	}
	if was == nil || was.Reason != told.Condition.Reason {
		log.FromContext(ctx).Info("Told how a load balancer is", "service", klog.KObj(service),
			"status", told.Condition.Status, "reason", told.Condition.Reason)
	}
	return nil
}

func (r *Reconciler) patchStatus(ctx context.Context, service, base *corev1.Service) error {
	if equality.Semantic.DeepEqual(base.Status, service.Status) {
		return nil
	}
	err := r.writer.Status().Patch(ctx, service, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}),
		client.FieldOwner(fieldManager))
	if err != nil {
		return fmt.Errorf("writing the status of Service %s: %w", service.Name, err)
	}
	return nil
}

func notConfigured(provider string) Telling {
	return Telling{Condition: condition(metav1.ConditionUnknown, v1alpha1.ReasonProviderNotConfigured,
		"The load balancer was made by provider %s, which is no longer in loadBalancers.providers of argosy-member-manager's configuration: "+
			"nobody looks after it, and nobody removes it. Put the provider back, or remove the load balancer there and the finalizer %s here.",
		provider, v1alpha1.FinalizerLoadBalancer)}
}

func remains(provider, said string) Telling {
	return Telling{Retry: said != "", Condition: condition(metav1.ConditionFalse, v1alpha1.ReasonLoadBalancerRemoving,
		"The Service is to go, and waits until %s has removed the load balancer%s.", provider, said)}
}
