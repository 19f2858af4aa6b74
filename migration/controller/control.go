package controller

import (
	"context"
	"fmt"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// policies of the namespace, and those of the whole control plane.
func (c *Controller) policies(ctx context.Context, world *plan.World) error {
	control := plan.Control{
		Kinds: map[string]bool{}, Templates: map[plan.Ref]*unstructured.Unstructured{}, Unread: map[plan.Ref]string{},
		Policies:        map[string]*policyv1alpha1.PropagationPolicy{},
		Overrides:       map[string]*policyv1alpha1.OverridePolicy{},
		ClusterPolicies: map[string]*policyv1alpha1.ClusterPropagationPolicy{},
		Bindings:        map[plan.Ref]*workv1alpha2.ResourceBinding{},
	}
	var policies policyv1alpha1.PropagationPolicyList
	if err := c.Reader.List(ctx, &policies, client.InNamespace(world.Namespace)); err != nil {
		return fmt.Errorf("listing propagation policies: %w", err)
	}
	for i := range policies.Items {
		control.Policies[policies.Items[i].Name] = &policies.Items[i]
	}
	var overrides policyv1alpha1.OverridePolicyList
	if err := c.Reader.List(ctx, &overrides, client.InNamespace(world.Namespace)); err != nil {
		return fmt.Errorf("listing override policies: %w", err)
	}
	for i := range overrides.Items {
		control.Overrides[overrides.Items[i].Name] = &overrides.Items[i]
	}
	var clusterPolicies policyv1alpha1.ClusterPropagationPolicyList
	if err := c.Reader.List(ctx, &clusterPolicies); err != nil {
		return fmt.Errorf("listing cluster propagation policies: %w", err)
	}
	for i := range clusterPolicies.Items {
		control.ClusterPolicies[clusterPolicies.Items[i].Name] = &clusterPolicies.Items[i]
	}
	world.Control = control
	return nil
}

// home is the application's namespace.
func (c *Controller) home(ctx context.Context, world *plan.World) error {
	namespace := &corev1.Namespace{}
	if err := c.Reader.Get(ctx, client.ObjectKey{Name: world.Namespace}, namespace); err != nil {
		return fmt.Errorf("reading namespace %s: %w", world.Namespace, err)
	}
	world.Home = plan.Home{
		Protected: namespace.Labels[workv1alpha2.DeletionProtectionLabelKey] == workv1alpha2.DeletionProtectionAlways,
		Ours:      namespace.Annotations[v1alpha1.AnnotationProtected] != "",
		Version:   namespace.ResourceVersion,
	}
	return nil
}

func (c *Controller) template(ctx context.Context, namespace string, ref plan.Ref, control *plan.Control) error {
	template := &unstructured.Unstructured{}
	template.SetAPIVersion(ref.APIVersion)
	template.SetKind(ref.Kind)
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, template)
	switch {
	case meta.IsNoMatchError(err):
		return nil
	case err == nil:
		control.Templates[ref] = template
	case !apierrors.IsNotFound(err):
		// Whatever cannot be read, a kind that our rights do not cover, say, must not stop a rollback: policy, binding and Work suffice for it.
		control.Unread[ref] = err.Error()
	}
	control.Kinds[ref.APIVersion+"/"+ref.Kind] = true
	found, err := binding.Of(ctx, c.Reader, client.ObjectKey{Namespace: namespace, Name: ref.Name},
		schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind())
	if err != nil {
		return fmt.Errorf("reading the binding of %s: %w", policy.User(ref), err)
	}
	if found != nil && found.Spec.Resource.APIVersion == ref.APIVersion {
		control.Bindings[ref] = found
	}
	return nil
}
