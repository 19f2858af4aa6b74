package scalein

import (
	"context"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/mark"
)

// ValidatePath is where argosy-webhook serves Validator.
const ValidatePath = "/validate-apps-argosy-dev-v1alpha1-podscalein"

// Validator refuses a PodScaleIn that the control plane alone shows to be impossible. The members are asked by the
// controller: a webhook must not wait for them.
type Validator struct {
	Reader  client.Reader
	Decoder admission.Decoder
}

// Handle one admission request.
func (v *Validator) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.Operation != admissionv1.Create {
		return admission.Allowed("") // The spec cannot change.
	}
	order := &v1alpha1.PodScaleIn{}
	if err := v.Decoder.Decode(req, order); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding PodScaleIn: %w", err))
	}
	errs := duplicates(order)
	found, err := v.validateTarget(ctx, order)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if errs = append(errs, found...); len(errs) > 0 {
		return admission.Denied(errs.ToAggregate().Error())
	}
	return admission.Allowed("")
}

func duplicates(order *v1alpha1.PodScaleIn) field.ErrorList {
	var errs field.ErrorList
	seen := map[v1alpha1.PodReference]bool{}
	for i, ref := range order.Spec.Pods {
		if seen[ref] {
			errs = append(errs, field.Duplicate(field.NewPath("spec", "pods").Index(i), ref.Name))
		}
		seen[ref] = true
	}
	return errs
}

func (v *Validator) validateTarget(ctx context.Context, order *v1alpha1.PodScaleIn) (field.ErrorList, error) {
	path, target := field.NewPath("spec", "targetRef"), order.Spec.TargetRef
	object := workloadOf(order)
	err := v.Reader.Get(ctx, client.ObjectKeyFromObject(object), object)
	if meta.IsNoMatchError(err) {
		verdict := checkTarget(facts{order: order, kindUnknown: true})
		return field.ErrorList{field.Invalid(path.Child("apiVersion"), target.APIVersion, verdict.message)}, nil
	}
	if apierrors.IsNotFound(err) {
		verdict := checkTarget(facts{order: order})
		return field.ErrorList{field.Invalid(path.Child("name"), target.Name, verdict.message)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading CloneSet %s: %w", target.Name, err)
	}
	f := facts{order: order, template: &template{
		retained: object.GetLabels()[mark.RetainReplicas] == "true", cutOff: object.GetAnnotations()[migration.AnnotationCutOff] != "",
	}}
	owner, err := autoscalers.Find(ctx, v.Reader, order.Namespace, autoscalingv2.CrossVersionObjectReference{
		APIVersion: target.APIVersion, Kind: target.Kind, Name: target.Name,
	})
	if err != nil {
		return nil, err
	}
	if owner != nil {
		f.owner = owner.Kind + " " + owner.Name
	}
	// Of the rules only those that need nothing else than the template and its owner are asked here.
	if verdict := checkTarget(f); verdict.reason == v1alpha1.ReasonTargetOwned || verdict.reason == v1alpha1.ReasonCutOff {
		return field.ErrorList{field.Forbidden(path, verdict.message)}, nil
	}
	return nil, nil
}
