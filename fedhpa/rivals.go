package fedhpa

import (
	"context"
	"fmt"
	"slices"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/binding"
)

// rivals finds what would make autoscaling this target a fight: another autoscaler, or a kind whose members' replicas Karmada would
// write over.
func (g *gatherer) rivals(ctx context.Context, v *view) error {
	if v.world.Problem != nil || v.world.Deleting || v.fed.Spec.Suspend {
		return nil
	}
	rival, err := rivalOf(ctx, g.client, v.fed, autoscalers.Indexed(v.fed.Spec.ScaleTargetRef))
	if err != nil {
		return err
	}
	if rival == "" {
		scaled, err := g.keda.Of(ctx, v.fed.Namespace, v.fed.Spec.ScaleTargetRef)
		if err != nil {
			return err
		}
		if scaled != "" {
			rival = fmt.Sprintf(
				"KEDA's ScaledObject %s names the same target: in each member it is propagated to KEDA makes a HorizontalPodAutoscaler of it, "+
					"and Kubernetes switches off two of the same pods. Delete it, or delete this FedHPA", scaled)
		}
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
		"register argosy-webhook's interpreter, or a ResourceInterpreterCustomization with a retention rule for this "+
		"kind", gvk.GroupVersion(), gvk.Kind)
}

// rivalOf names another autoscaler of the same target and what to do about it, or nothing. Of two FedHPAs the older one stays. The options
// narrow the lists where the reader has an index.
func rivalOf(ctx context.Context, reader client.Reader, fed *api.FedHPA, narrow ...client.ListOption) (string, error) {
	all, err := autoscalers.All(ctx, reader, fed.Namespace, fed.Spec.ScaleTargetRef, narrow...)
	if err != nil {
		return "", err
	}
	for _, one := range all {
		switch other := one.Object.(type) {
		case *api.FedHPA:
			if other.Name != fed.Name && older(other, fed) {
				return fmt.Sprintf("FedHPA %s scales the same target: delete one of the two", one.Name), nil
			}
		case *autoscalingv2.HorizontalPodAutoscaler:
			if by := binding.ClaimedBy(other); by != "" && aliasOf(other, fed) {
				return fmt.Sprintf("HorizontalPodAutoscaler %s is annotated with %s and propagated by %s as well, so that every member has the "+
					"whole of its limits: take it out of that policy",
					one.Name, api.FederateAnnotation, by), nil
			}
			if !aliasOf(other, fed) {
				return fmt.Sprintf("HorizontalPodAutoscaler %s of the control plane names the same target: delete it, or delete this FedHPA and "+
					"annotate that one with %s=true",
					one.Name, api.FederateAnnotation), nil
			}
		default:
			return fmt.Sprintf("Karmada's %s %s scales the same target: delete it", one.Kind, one.Name), nil
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
	operation := slices.Contains(r.Operations,
		configv1alpha1.InterpreterOperationRetain) || slices.Contains(r.Operations, configv1alpha1.InterpreterOperationAll)
	return operation && has(r.APIGroups, gvk.Group) && has(r.APIVersions, gvk.Version) && has(r.Kinds, gvk.Kind)
}
