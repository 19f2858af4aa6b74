package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/karmada-io/karmada/pkg/util/names"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscaling "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
)

// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=fedhpas,verbs=list
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=list

// scalers are the Works of autoscalers that name the workload and are none of the application's objects. Which there are may be unknown:
// that stops no rollback.
func (c *Controller) scalers(ctx context.Context, world *plan.World) error {
	found, err := c.scalersOf(ctx, world)
	if err != nil {
		world.Control.ScalersUnread = err.Error()
		return nil
	}
	labels := map[string]string{}
	for name, label := range found {
		labels[names.GenerateWorkName("HorizontalPodAutoscaler", name, world.Namespace)] = label
	}
	works, err := c.worksNamed(ctx, world, slices.Sorted(maps.Keys(labels)))
	if err != nil {
		return err
	}
	for cluster, seen := range world.Clusters {
		seen.Scalers = map[string]plan.Work{}
		for name, work := range works[cluster] {
			seen.Scalers[labels[name]] = workOf(work)
		}
		world.Clusters[cluster] = seen
	}
	return nil
}

// scalersOf are the names that members' autoscalers of the workload may have, and what they come from.
func (c *Controller) scalersOf(ctx context.Context, world *plan.World) (map[string]string, error) {
	out := map[string]string{}
	var native autoscalingv2.HorizontalPodAutoscalerList
	if err := c.Reader.List(ctx, &native, client.InNamespace(world.Namespace)); err != nil {
		return nil, fmt.Errorf("listing HorizontalPodAutoscalers: %w", err)
	}
	for i := range native.Items {
		if scales(world, native.Items[i].Spec.ScaleTargetRef) {
			out[native.Items[i].Name] = "HorizontalPodAutoscaler " + native.Items[i].Name
		}
	}
	var federated autoscaling.FedHPAList
	if err := c.Reader.List(ctx, &federated, client.InNamespace(world.Namespace)); err != nil && !meta.IsNoMatchError(err) &&
		!apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("listing FedHPAs: %w", err)
	}
	for i := range federated.Items {
		if scales(world, federated.Items[i].Spec.ScaleTargetRef) {
			out[federated.Items[i].Name] = "the autoscaler of FedHPA " + federated.Items[i].Name
		}
	}
	for _, resource := range world.Status.Resources {
		if resource.Kind == "HorizontalPodAutoscaler" && resource.Policy != "" {
			delete(out, resource.Name) // fenced with the application's objects
		}
	}
	return out, nil
}

// scales reports whether a reference is to the workload, in whatever version of its API.
func scales(world *plan.World, ref autoscalingv2.CrossVersionObjectReference) bool {
	group := func(apiVersion, kind string) schema.GroupKind {
		return schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind()
	}
	return ref.Name == world.Spec.Name && group(ref.APIVersion, ref.Kind) == group(world.Spec.APIVersion, world.Spec.Kind)
}
