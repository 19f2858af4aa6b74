package admission

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// CutOff refuses what Karmada would answer by writing a stale manifest into the members: the deletion of a template
// or policy of an application that is cut off, and the opening of its policy.
type CutOff struct {
	Decoder admission.Decoder
}

// Handle the deletion of a template, policy or override that bears our label, or the update of such a policy.
func (c *CutOff) Handle(_ context.Context, request admission.Request) admission.Response {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(request.OldObject.Raw); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	switch request.Operation {
	case admissionv1.Update:
		return c.update(request, object)
	case admissionv1.Delete:
	default:
		return admission.Allowed("")
	}
	owner := object.GetAnnotations()[v1alpha1.AnnotationCutOff]
	if owner == "" {
		owner = object.GetAnnotations()[v1alpha1.AnnotationGuarded]
	}
	if owner == "" || object.GetAnnotations()[v1alpha1.AnnotationLeaving] != "" {
		return admission.Allowed("")
	}
	return admission.Denied(
		fmt.Sprintf(
			"%s %s belongs to an application that is cut off from the federation: deleting it would make Karmada write its stale manifest back "+
				"into the members. To remove it safely run 'argosyctl migration leave -n %s %s'; to adopt it again put it back on the whitelist",
			object.GetKind(), object.GetName(), object.GetNamespace(), application(owner)))
}

// application as argosyctl takes it, from the name of its Migration; kinds hold no dash.
func application(owner string) string { return strings.Replace(owner, "-", "/", 1) }

// update of a policy: while its application is cut off it stays suspended everywhere and preserving.
func (c *CutOff) update(request admission.Request, old *unstructured.Unstructured) admission.Response {
	owner := old.GetAnnotations()[v1alpha1.AnnotationCutOff]
	if owner == "" || old.GetAnnotations()[v1alpha1.AnnotationReferrers] != "" {
		// Of a shared object, others may have clusters open.
		return admission.Allowed("")
	}
	next := &policyv1alpha1.PropagationPolicy{}
	if err := c.Decoder.DecodeRaw(request.Object, next); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	suspension := next.Spec.Suspension
	if suspension != nil && ptr.Deref(suspension.Dispatching, false) && ptr.Deref(next.Spec.PreserveResourcesOnDeletion, false) {
		return admission.Allowed("")
	}
	return admission.Denied(
		fmt.Sprintf(
			"PropagationPolicy %s belongs to an application that is cut off from the federation: spec.suspension.dispatching and "+
				"spec.preserveResourcesOnDeletion stay true, or Karmada would write a stale manifest into the members. To adopt the application "+
				"again put it back on the whitelist: 'argosyctl migration readopt -n %s %s'",
			next.Name, next.Namespace, application(owner)))
}
