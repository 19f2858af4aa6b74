package component

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/balance"
)

// rendered is a kind that a Component can become.
type rendered struct {
	gvk       schema.GroupVersionKind
	newObject func() client.Object
	newList   func() client.ObjectList
}

// kinds are those of package render.
func kinds() []rendered {
	return []rendered{
		{corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
			func() client.Object { return &corev1.ServiceAccount{} }, func() client.ObjectList { return &corev1.ServiceAccountList{} }},
		{corev1.SchemeGroupVersion.WithKind("ConfigMap"),
			func() client.Object { return &corev1.ConfigMap{} }, func() client.ObjectList { return &corev1.ConfigMapList{} }},
		{corev1.SchemeGroupVersion.WithKind("Service"),
			func() client.Object { return &corev1.Service{} }, func() client.ObjectList { return &corev1.ServiceList{} }},
		{appsv1.SchemeGroupVersion.WithKind("Deployment"),
			func() client.Object { return &appsv1.Deployment{} }, func() client.ObjectList { return &appsv1.DeploymentList{} }},
		{appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
			func() client.Object { return &appsv1.StatefulSet{} }, func() client.ObjectList { return &appsv1.StatefulSetList{} }},
		{autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"),
			func() client.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
			func() client.ObjectList { return &autoscalingv2.HorizontalPodAutoscalerList{} }},
		{policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
			func() client.Object { return &policyv1.PodDisruptionBudget{} },
			func() client.ObjectList { return &policyv1.PodDisruptionBudgetList{} }},
		{networkingv1.SchemeGroupVersion.WithKind("Ingress"),
			func() client.Object { return &networkingv1.Ingress{} }, func() client.ObjectList { return &networkingv1.IngressList{} }},
	}
}

// Cache keeps of the rendered kinds the objects that name a Component and nothing else, and the ConfigMap with the
// cluster's values, which is in namespace. Autoscalers are kept all: anybody's may set a workload's replicas. Of Leases it keeps those of
// namespace leases, where the controllers' are, and of nodes, which are read where a provider of load balancers is configured, their
// addresses. Revisions are those of other namespaces that a controller beside these reads; of the program's own it keeps all.
func Cache(namespace, leases string, revisions labels.Selector) (map[client.Object]cache.ByObject, error) {
	ours, err := labels.NewRequirement(v1alpha1.LabelComponent, selection.Exists, nil)
	if err != nil {
		return nil, fmt.Errorf("selecting rendered objects: %w", err)
	}
	selector := labels.NewSelector().Add(*ours)
	out := map[client.Object]cache.ByObject{}
	for _, kind := range kinds() {
		switch kind.gvk.Kind {
		case "HorizontalPodAutoscaler":
		case "ConfigMap":
			out[kind.newObject()] = cache.ByObject{Namespaces: map[string]cache.Config{
				cache.AllNamespaces: {LabelSelector: selector},
				namespace:           {FieldSelector: fields.OneTermEqualSelector("metadata.name", v1alpha1.ClusterValuesName)},
			}}
		default:
			out[kind.newObject()] = cache.ByObject{Label: selector}
		}
	}
	out[&appsv1.ControllerRevision{}] = cache.ByObject{Namespaces: map[string]cache.Config{
		cache.AllNamespaces: {LabelSelector: revisions}, namespace: {},
	}}
	out[&corev1.Node{}] = cache.ByObject{Transform: balance.Slim}
	out[&coordinationv1.Lease{}] = cache.ByObject{Namespaces: map[string]cache.Config{leases: {}}}
	return out, nil
}

// untyped is the object as package decide reads it.
func untyped(object client.Object, gvk schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", gvk.Kind, object.GetName(), err)
	}
	out := &unstructured.Unstructured{Object: content}
	out.SetGroupVersionKind(gvk)
	return out, nil
}
