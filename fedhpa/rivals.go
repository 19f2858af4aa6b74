package fedhpa

import (
	"context"
	"fmt"
	"slices"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// rivals finds what would make autoscaling this target a fight: another autoscaler, or a kind whose members' replicas Karmada would
// write over.
func (g *gatherer) rivals(ctx context.Context, v *view) error {
	if v.world.Problem != nil || v.world.Deleting {
		return nil
	}
	rival, err := rivalOf(ctx, g.client, v.fed, client.MatchingFields{targetIndex: targetKey(v.fed.Spec.ScaleTargetRef)})
	if err != nil {
		return err
	}
	if rival != "" {
		v.world.Problem = &decide.Problem{Reason: api.FedHPAReasonSecondAutoscaler, Message: rival}
		return nil
	}
	gvk := targetGVK(v.fed)
	retained, err := retains(ctx, g.client, gvk)
	if err != nil {
		return err
	}
	if !retained {
		v.world.Problem = &decide.Problem{Reason: api.FedHPAReasonTargetNotScalable, Message: notRetained(gvk)}
	}
	return nil
}

func notRetained(gvk schema.GroupVersionKind) string {
	return fmt.Sprintf("nothing tells Karmada to keep a member's replicas of %s %s, so it would write over every member's autoscaler: "+
		"register argosy-webhook's interpreter, or a ResourceInterpreterCustomization with a retention rule for this kind", gvk.GroupVersion(), gvk.Kind)
}

// rivalOf names another autoscaler of the same target and what to do about it, or nothing. Of two FedHPAs the older one stays. The options
// narrow the lists where the reader has an index.
func rivalOf(ctx context.Context, reader client.Reader, fed *api.FedHPA, opts ...client.ListOption) (string, error) {
	target := targetKey(fed.Spec.ScaleTargetRef)
	opts = append(opts, client.InNamespace(fed.Namespace))
	var feds api.FedHPAList
	if err := reader.List(ctx, &feds, opts...); err != nil {
		return "", fmt.Errorf("listing FedHPAs: %w", err)
	}
	for i := range feds.Items {
		if other := &feds.Items[i]; targetKey(other.Spec.ScaleTargetRef) == target && other.Name != fed.Name && older(other, fed) {
			return fmt.Sprintf("FedHPA %s scales the same target: delete one of the two", other.Name), nil
		}
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := reader.List(ctx, &hpas, opts...); err != nil {
		return "", fmt.Errorf("listing HorizontalPodAutoscalers: %w", err)
	}
	for i := range hpas.Items {
		if targetKey(hpas.Items[i].Spec.ScaleTargetRef) == target && !aliasOf(&hpas.Items[i], fed) {
			return fmt.Sprintf("HorizontalPodAutoscaler %s of the control plane names the same target: delete it, or delete this FedHPA and annotate that one with %s=true",
				hpas.Items[i].Name, api.FederateAnnotation), nil
		}
	}
	var federated karmadaautoscaling.FederatedHPAList
	if err := reader.List(ctx, &federated, opts...); err != nil {
		return "", fmt.Errorf("listing FederatedHPAs: %w", err)
	}
	for i := range federated.Items {
		if targetKey(federated.Items[i].Spec.ScaleTargetRef) == target {
			return fmt.Sprintf("Karmada's FederatedHPA %s scales the same target: delete it", federated.Items[i].Name), nil
		}
	}
	return "", nil
}

// aliasOf reports whether the FedHPA was made from the HPA.
func aliasOf(hpa *autoscalingv2.HorizontalPodAutoscaler, fed *api.FedHPA) bool {
	return hpa.Name == fed.Name && (hpa.Annotations[api.FederateAnnotation] == "true" || metav1.IsControlledBy(fed, hpa))
}

// older orders FedHPAs of one target; one that is being deleted still owns it until its members are released.
func older(a, b *api.FedHPA) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return b.CreationTimestamp.IsZero() || a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// targetKey names a target for the indexes: kind and name, since versions of one kind are one target.
func targetKey(ref autoscalingv2.CrossVersionObjectReference) string {
	return schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind().String() + "/" + ref.Name
}

// retains reports whether Karmada keeps a member's replicas of this kind: apps/v1 Deployments by itself
// (pkg/resourceinterpreter/default/native/retain.go), others by an interpreter's Retain.
func retains(ctx context.Context, reader client.Reader, gvk schema.GroupVersionKind) (bool, error) {
	if gvk == appsv1.SchemeGroupVersion.WithKind("Deployment") {
		return true, nil
	}
	var hooks configv1alpha1.ResourceInterpreterWebhookConfigurationList
	if err := reader.List(ctx, &hooks); err != nil {
		return false, fmt.Errorf("listing ResourceInterpreterWebhookConfigurations: %w", err)
	}
	for _, config := range hooks.Items {
		for _, hook := range config.Webhooks {
			if slices.ContainsFunc(hook.Rules, func(r configv1alpha1.RuleWithOperations) bool { return retainsByRule(r, gvk) }) {
				return true, nil
			}
		}
	}
	var customizations configv1alpha1.ResourceInterpreterCustomizationList
	if err := reader.List(ctx, &customizations); err != nil {
		return false, fmt.Errorf("listing ResourceInterpreterCustomizations: %w", err)
	}
	return slices.ContainsFunc(customizations.Items, func(c configv1alpha1.ResourceInterpreterCustomization) bool {
		return c.Spec.Target.Kind == gvk.Kind && c.Spec.Target.APIVersion == gvk.GroupVersion().String() && c.Spec.Customizations.Retention != nil
	}), nil
}

func retainsByRule(r configv1alpha1.RuleWithOperations, gvk schema.GroupVersionKind) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, "*")
	}
	operation := slices.Contains(r.Operations, configv1alpha1.InterpreterOperationRetain) || slices.Contains(r.Operations, configv1alpha1.InterpreterOperationAll)
	return operation && has(r.APIGroups, gvk.Group) && has(r.APIVersions, gvk.Version) && has(r.Kinds, gvk.Kind)
}
