package doctor

import (
	"context"
	"fmt"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/argosy-dev/argosy/interpreter"
)

// workloads reads the templates of our kinds, and what users have written about them.
func (r *Reader) workloads(ctx context.Context, facts *Facts) error {
	var err error
	if facts.Preferred, err = r.preferred(); err != nil {
		return err
	}
	for kind, family := range interpreter.NewCatalog(r.families) {
		version, served := facts.Preferred[kind]
		if !served || family.AggregateStatus == nil {
			continue
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.WithVersion(version).GroupVersion().WithKind(kind.Kind + "List"))
		if err := r.client.List(ctx, list); err != nil {
			return fmt.Errorf("listing %s: %w", kind, err)
		}
		for i := range list.Items {
			facts.Workloads = append(facts.Workloads, &list.Items[i])
		}
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := r.client.List(ctx, &hpas); err != nil {
		return fmt.Errorf("listing HorizontalPodAutoscalers: %w", err)
	}
	facts.Autoscalers = hpas.Items
	return r.policies(ctx, facts)
}

func (r *Reader) policies(ctx context.Context, facts *Facts) error {
	var overrides policyv1alpha1.OverridePolicyList
	var clusterOverrides policyv1alpha1.ClusterOverridePolicyList
	var propagations policyv1alpha1.PropagationPolicyList
	var clusterPropagations policyv1alpha1.ClusterPropagationPolicyList
	if err := r.client.List(ctx, &overrides); err != nil {
		return fmt.Errorf("listing OverridePolicies: %w", err)
	}
	if err := r.client.List(ctx, &clusterOverrides); err != nil {
		return fmt.Errorf("listing ClusterOverridePolicies: %w", err)
	}
	if err := r.client.List(ctx, &propagations); err != nil {
		return fmt.Errorf("listing PropagationPolicies: %w", err)
	}
	if err := r.client.List(ctx, &clusterPropagations); err != nil {
		return fmt.Errorf("listing ClusterPropagationPolicies: %w", err)
	}
	for _, p := range overrides.Items {
		facts.Overrides = append(facts.Overrides, Overrides{Object: "OverridePolicy/" + p.Namespace + "/" + p.Name, Spec: p.Spec})
	}
	for _, p := range clusterOverrides.Items {
		facts.Overrides = append(facts.Overrides, Overrides{Object: "ClusterOverridePolicy/" + p.Name, Spec: p.Spec})
	}
	for _, p := range propagations.Items {
		facts.Propagations = append(facts.Propagations, Propagation{
			Object: "PropagationPolicy/" + p.Namespace + "/" + p.Name, Selectors: p.Spec.ResourceSelectors,
			Placement: p.Spec.Placement, Failover: p.Spec.Failover,
		})
	}
	for _, p := range clusterPropagations.Items {
		facts.Propagations = append(facts.Propagations, Propagation{
			Object: "ClusterPropagationPolicy/" + p.Name, Selectors: p.Spec.ResourceSelectors,
			Placement: p.Spec.Placement, Failover: p.Spec.Failover,
		})
	}
	return nil
}

// preferred is, for each kind the plane serves, the version in which Karmada watches it.
func (r *Reader) preferred() (map[schema.GroupKind]string, error) {
	lists, err := r.discovery.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("asking for the kinds served: %w", err)
	}
	out := map[schema.GroupKind]string{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			out[schema.GroupKind{Group: version.Group, Kind: resource.Kind}] = version.Version
		}
	}
	return out, nil
}
