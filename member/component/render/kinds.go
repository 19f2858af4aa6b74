package render

import (
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

const (
	kindComponent = "Component"
	kindTemplate  = "ComponentTemplate"

	kindService    v1alpha1.TemplateObjectKind = "Service"
	kindIngress    v1alpha1.TemplateObjectKind = "Ingress"
	kindAutoscaler v1alpha1.TemplateObjectKind = "HorizontalPodAutoscaler"
	kindDisruption v1alpha1.TemplateObjectKind = "PodDisruptionBudget"
)

// kind is what is known of a kind that can be rendered.
type kind struct {
	apiVersion string
	// order in which objects are applied: what others need comes first.
	order int
	typ   reflect.Type
	// schema says how lists merge.
	schema strategicpatch.LookupPatchMeta
}

// kinds that can be rendered. All are namespaced, and none gives rights.
var kinds = map[v1alpha1.TemplateObjectKind]kind{
	"ServiceAccount": kindOf("v1", 1, corev1.ServiceAccount{}),
	"ConfigMap":      kindOf("v1", 2, corev1.ConfigMap{}),
	kindService:      kindOf("v1", 3, corev1.Service{}),
	"Deployment":     kindOf("apps/v1", 4, appsv1.Deployment{}),
	"StatefulSet":    kindOf("apps/v1", 5, appsv1.StatefulSet{}),
	kindAutoscaler:   kindOf("autoscaling/v2", 6, autoscalingv2.HorizontalPodAutoscaler{}),
	kindDisruption:   kindOf("policy/v1", 7, policyv1.PodDisruptionBudget{}),
	kindIngress:      kindOf("networking.k8s.io/v1", 8, networkingv1.Ingress{}),
}

func kindOf(apiVersion string, order int, object any) kind {
	t := reflect.TypeOf(object)
	return kind{apiVersion: apiVersion, order: order, typ: t, schema: strategicpatch.PatchMetaFromStruct{T: t}}
}
