package doctor

import (
	"fmt"
	"strings"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
)

// Overrides is one OverridePolicy or ClusterOverridePolicy.
type Overrides struct {
	// Object names it: OverridePolicy/shop/mirror.
	Object string
	Spec   policyv1alpha1.OverrideSpec
}

// Propagation is one PropagationPolicy or ClusterPropagationPolicy.
type Propagation struct {
	Object    string
	Selectors []policyv1alpha1.ResourceSelector
	Placement policyv1alpha1.Placement
	Failover  *policyv1alpha1.FailoverBehavior
}

// rollouts: what is asked against what is. A template whose members fall short says so in conditions of ours.
func rollouts(f Facts, now time.Time) []Finding {
	var out []Finding
	for _, w := range f.Workloads {
		conditions, _, _ := unstructured.NestedSlice(w.Object, "status", "conditions")
		for _, item := range conditions {
			condition, _ := item.(map[string]any)
			kind, _ := condition["type"].(string)
			if kind != aggregate.ConditionRolloutAsAsked && kind != aggregate.ConditionMembersReported || condition["status"] != "False" {
				continue
			}
			message := fmt.Sprint(condition["message"])
			if condition["reason"] == aggregate.ReasonFewerUpdated {
				still := "an unknown time"
				if since, err := time.Parse(time.RFC3339, fmt.Sprint(condition["lastTransitionTime"])); err == nil {
					if now.Sub(since) < aggregate.StandsStillAfter {
						continue
					}
					still = now.Sub(since).Round(time.Minute).String()
				}
				message += "; it has stood still for " + still
			}
			out = append(out, Finding{
				Severity: Warning, Object: nameOf(w), Message: message, Remedy: rolloutRemedies[fmt.Sprint(condition["reason"])],
			})
		}
	}
	return out
}

// rolloutRemedies are by the reasons of our conditions.
var rolloutRemedies = map[string]string{
	aggregate.ReasonMoreUpdated: "go on with the rollout or put the template back: what a new member has is not taken back",
	aggregate.ReasonFewerUpdated: "look at the members named: pods that are not ready, a Work that is not applied, or a pause set " +
		"there hold it back",
	aggregate.ReasonStatusUnreadable: "look at status.aggregatedStatus of its ResourceBinding, and bring the member's CRD to the control " +
		"plane's version",
	aggregate.ReasonMemberUnreachable: "look at the Cluster's condition Ready; nothing of the template need change",
}

// findsImages are the groups in whose kinds Karmada finds image fields itself.
var findsImages = sets.New("apps", "batch")

// imageOverrides: Karmada finds the image fields of its own kinds alone.
func imageOverrides(f Facts, _ time.Time) []Finding {
	catalog := interpreter.NewCatalog(f.Families)
	var out []Finding
	for _, o := range f.Overrides {
		for _, selector := range o.Spec.ResourceSelectors {
			kind := schema.FromAPIVersionAndKind(selector.APIVersion, selector.Kind)
			if findsImages.Has(kind.Group) || catalog[kind.GroupKind()] == nil || !overridesImages(o.Spec) {
				continue
			}
			out = append(out, Finding{Severity: Problem, Object: o.Object,
				Message: fmt.Sprintf("its imageOverrider does nothing on %s %s: Karmada finds image fields of its own kinds alone", kindName(kind),
					selector.Name),
				Remedy: "say where the image stands, one entry for each container: predicate: {path: /spec/template/spec/containers/0/image}"})
		}
	}
	return out
}

func overridesImages(spec policyv1alpha1.OverrideSpec) bool {
	for _, rule := range spec.OverrideRules {
		for _, image := range rule.Overriders.ImageOverrider {
			if image.Predicate == nil {
				return true
			}
		}
	}
	return false
}

// autoscalers: an HPA in a member and Karmada write the same replicas, each over the other's.
func autoscalers(f Facts, _ time.Time) []Finding {
	owned := map[string]bool{}
	known := map[string]bool{}
	for _, w := range f.Workloads {
		key := strings.Join([]string{w.GroupVersionKind().GroupKind().String(), w.GetNamespace(), w.GetName()}, "/")
		known[key] = true
		owned[key] = w.GetLabels()[mark.RetainReplicas] == "true"
	}
	var out []Finding
	for _, hpa := range f.Autoscalers {
		if !propagated(hpa) {
			continue
		}
		target := hpa.Spec.ScaleTargetRef
		kind := schema.FromAPIVersionAndKind(target.APIVersion, target.Kind)
		key := strings.Join([]string{kind.GroupKind().String(), hpa.Namespace, target.Name}, "/")
		if !known[key] || owned[key] {
			continue
		}
		out = append(out, Finding{Severity: Problem, Object: "HorizontalPodAutoscaler/" + hpa.Namespace + "/" + hpa.Name,
			Message: fmt.Sprintf("members scale %s %s and Karmada writes its replicas back, each over the other's, without end", kindName(kind),
				target.Name),
			Remedy: fmt.Sprintf("kubectl -n %s label %s %s %s=true, or use a FedHPA", hpa.Namespace, strings.ToLower(kind.Kind)+"."+kind.Group,
				target.Name, mark.RetainReplicas)})
	}
	return out
}

// propagated is true for an object a policy has claimed.
func propagated(hpa autoscalingv2.HorizontalPodAutoscaler) bool {
	for key := range hpa.Annotations {
		if key == policyv1alpha1.PropagationPolicyNameAnnotation || key == policyv1alpha1.ClusterPropagationPolicyAnnotation {
			return true
		}
	}
	return false
}

// selectors: Karmada watches a kind in the version karmada-apiserver prefers, and a selector of another one selects nothing.
func selectors(f Facts, _ time.Time) []Finding {
	var out []Finding
	for _, p := range f.Propagations {
		for _, selector := range p.Selectors {
			kind := schema.FromAPIVersionAndKind(selector.APIVersion, selector.Kind)
			preferred, ok := f.Preferred[kind.GroupKind()]
			if !ok || preferred == kind.Version {
				continue
			}
			out = append(out, Finding{Severity: Problem, Object: p.Object,
				Message: fmt.Sprintf("it selects %s %s, which Karmada does not see: it watches version %s", kindName(kind), selector.Name, preferred),
				Remedy:  fmt.Sprintf("write apiVersion: %s/%s in the policy", kind.Group, preferred)})
		}
	}
	return out
}

func nameOf(w *unstructured.Unstructured) string {
	return w.GetKind() + "/" + w.GetNamespace() + "/" + w.GetName()
}
