package install

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// estimator is the part that may be left out: karmada-scheduler does without.
const estimator = "argosy-estimator"

// withoutEstimator removes what the estimator made for itself. Its rights are gone by then, so that a replica which is still
// about to end makes nothing anew. A Service that stayed would make karmada-scheduler wait for its timeout at each scheduling.
func (i *Installer) withoutEstimator(ctx context.Context, c client.Client) error {
	services := &corev1.ServiceList{}
	if err := c.List(ctx, services, client.MatchingLabels{managedBy: estimator}); err != nil {
		return fmt.Errorf("listing the estimator's Services: %w", err)
	}
	for k := range services.Items {
		service := &services.Items[k]
		if err := c.Delete(ctx, service); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting Service %s/%s: %w", service.Namespace, service.Name, err)
		}
		i.deleted(fmt.Sprintf("Service %s/%s", service.Namespace, service.Name))
	}
	return i.deleteSecret(ctx, KubeconfigSecret(estimator))
}
