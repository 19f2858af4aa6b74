package policy

import (
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// RemakeInput is what is left of a policy that was deleted.
type RemakeInput struct {
	Namespace string
	Owner     string
	Resource  v1alpha1.ResourceStatus
	Binding   *workv1alpha2.ResourceBinding
}

// Remake a deleted policy from its binding, which keeps the placement, closed everywhere.
func Remake(in RemakeInput) *policyv1alpha1.PropagationPolicy {
	app := Application{Namespace: in.Namespace, Owner: in.Owner}
	resource := Resource{ResourceReference: in.Resource.ResourceReference, Clusters: in.Resource.Clusters, Users: in.Resource.Users}
	made := app.policy(&resource)
	if in.Binding != nil && in.Binding.Spec.Placement != nil {
		made.Spec.Placement = *in.Binding.Spec.Placement.DeepCopy()
	}
	made.Spec.Suspension = &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}
	Hold(&made.Spec.Placement)
	return made
}
