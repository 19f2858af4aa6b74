package hook

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter"
)

// AutoscalersPath is where argosy-webhook serves Autoscalers.
const AutoscalersPath = "/warn-autoscaling-horizontalpodautoscaler"

// Autoscalers warns whoever writes an HPA that goes to members while Karmada writes the replicas of its target there: each would put back
// what the other wrote, without end. It refuses nothing, and what it cannot read it says nothing of: argosyctl doctor looks at all of them.
type Autoscalers struct {
	Decoder admission.Decoder
	// Reader must not be a cache.
	Reader  client.Reader
	Catalog interpreter.Catalog
}

// +kubebuilder:rbac:groups=policy.karmada.io,resources=propagationpolicies;clusterpropagationpolicies,verbs=list
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=get
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets,verbs=get
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components,verbs=get

// Handle one admission request.
func (a *Autoscalers) Handle(ctx context.Context, req admission.Request) admission.Response {
	// The rule has the API server convert every version to this one.
	var hpa autoscalingv1.HorizontalPodAutoscaler
	if err := a.Decoder.Decode(req, &hpa); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding HorizontalPodAutoscaler: %w", err))
	}
	hpa.Namespace = req.Namespace
	warning, err := a.warning(ctx, &hpa)
	if err != nil || warning == "" {
		return admission.Allowed("")
	}
	return admission.Allowed("").WithWarnings(warning)
}

func (a *Autoscalers) warning(ctx context.Context, hpa *autoscalingv1.HorizontalPodAutoscaler) (string, error) {
	of := hpa.Spec.ScaleTargetRef
	kind := schema.FromAPIVersionAndKind(of.APIVersion, of.Kind)
	if f := a.Catalog[kind.GroupKind()]; !divided(kind) && (f == nil || f.ReviseReplica == nil) {
		return "", nil
	}
	target := &metav1.PartialObjectMetadata{}
	target.SetGroupVersionKind(kind)
	err := a.Reader.Get(ctx, client.ObjectKey{Namespace: hpa.Namespace, Name: of.Name}, target)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || err == nil && target.Labels[mark.RetainReplicas] == "true" {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if goes, err := a.propagated(ctx, hpa); err != nil || !goes {
		return "", err
	}
	return fmt.Sprintf(
		"this HPA goes to the members, where Karmada writes the replicas of %s %s too: each puts back what the other wrote, without end. "+
			"Either label the target (kubectl -n %s label %s %s %s=true) or use a FedHPA",
		of.Kind, of.Name, hpa.Namespace, strings.ToLower(kind.Kind)+"."+kind.Group, of.Name, mark.RetainReplicas), nil
}

// divided: Karmada divides the replicas of a Deployment by itself, and honours the label there.
func divided(kind schema.GroupVersionKind) bool {
	return kind.Group == "apps" && kind.Kind == "Deployment"
}

// propagated: a policy has claimed the HPA, or selects it and will.
func (a *Autoscalers) propagated(ctx context.Context, hpa *autoscalingv1.HorizontalPodAutoscaler) (bool, error) {
	for _, claim := range []string{policyv1alpha1.PropagationPolicyNameAnnotation, policyv1alpha1.ClusterPropagationPolicyAnnotation} {
		if hpa.Annotations[claim] != "" {
			return true, nil
		}
	}
	var own policyv1alpha1.PropagationPolicyList
	if err := a.Reader.List(ctx, &own, client.InNamespace(hpa.Namespace)); err != nil {
		return false, fmt.Errorf("listing PropagationPolicies: %w", err)
	}
	var all policyv1alpha1.ClusterPropagationPolicyList
	if err := a.Reader.List(ctx, &all); err != nil {
		return false, fmt.Errorf("listing ClusterPropagationPolicies: %w", err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(hpa)
	if err != nil {
		return false, fmt.Errorf("reading the HorizontalPodAutoscaler: %w", err)
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetKind("HorizontalPodAutoscaler")
	for _, selectors := range selectorsOf(own, all) {
		for _, version := range []string{"autoscaling/v1", "autoscaling/v2"} {
			object.SetAPIVersion(version)
			if util.ResourceMatchSelectors(object, selectors...) {
				return true, nil
			}
		}
	}
	return false, nil
}

func selectorsOf(own policyv1alpha1.PropagationPolicyList,
	all policyv1alpha1.ClusterPropagationPolicyList) (out [][]policyv1alpha1.ResourceSelector) {
	for i := range own.Items {
		out = append(out, own.Items[i].Spec.ResourceSelectors)
	}
	for i := range all.Items {
		out = append(out, all.Items[i].Spec.ResourceSelectors)
	}
	return out
}
