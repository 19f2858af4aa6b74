package fedhpa

import (
	"context"
	"fmt"
	"sync/atomic"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/owners"
)

// scaledObjects are KEDA's, of a control plane that serves them. Most do not, and are not asked.
type scaledObjects struct {
	// cache holds them once they are served and watched.
	cache  client.Reader
	served atomic.Bool
}

// of says which ScaledObject names the target, and what to do about it; nothing for none.
func (s *scaledObjects) of(ctx context.Context, namespace string, target autoscalingv2.CrossVersionObjectReference) (string, error) {
	if !s.served.Load() {
		return "", nil
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(owners.ScaledObject.GroupVersion().WithKind(owners.ScaledObject.Kind + "List"))
	if err := s.cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("listing ScaledObjects: %w", err)
	}
	for i := range list.Items {
		ref, ok := owners.Target(&list.Items[i])
		if ok && owners.TargetKey(ref) == owners.TargetKey(target) {
			return fmt.Sprintf(
				"KEDA's ScaledObject %s names the same target: in each member it is propagated to KEDA makes a HorizontalPodAutoscaler of it, "+
					"and Kubernetes switches off two of the same pods. Delete it, or delete this FedHPA", list.Items[i].GetName()), nil
		}
	}
	return "", nil
}
