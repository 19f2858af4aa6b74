package fedhpa

import (
	"context"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	hpaconversion "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	hpavalidation "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/binding"
)

// ValidatePath is where argosy-webhook serves Validator.
const ValidatePath = "/validate-autoscaling-argosy-dev-v1alpha1-fedhpa"

// Validator refuses a FedHPA that could only fail later, each time with what to do. What one object shows by itself is checked
// by the CRD; here is what needs the rest of the control plane. Things that may come later are not refused: a target or a policy that
// does not exist yet shows as a condition.
type Validator struct {
	Reader  client.Reader
	Decoder admission.Decoder
}

// Handle one admission request.
func (h *Validator) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	fed := &api.FedHPA{}
	if err := h.Decoder.Decode(req, fed); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding FedHPA: %w", err))
	}
	settled, err := h.specStands(req, fed)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding the FedHPA as it was: %w", err))
	}
	if settled || !fed.DeletionTimestamp.IsZero() {
		return admission.Allowed("")
	}
	errs, err := h.validate(ctx, fed)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if len(errs) > 0 {
		return admission.Denied(errs.ToAggregate().Error())
	}
	return admission.Allowed("").WithWarnings(warnings(fed)...)
}

// specStands is whether an update leaves the spec alone. A label, or the controller's finalizer, is no matter of what has
// become of clusters and other autoscalers since.
func (h *Validator) specStands(req admission.Request, fed *api.FedHPA) (bool, error) {
	if req.Operation != admissionv1.Update {
		return false, nil
	}
	old := &api.FedHPA{}
	if err := h.Decoder.DecodeRaw(req.OldObject, old); err != nil {
		return false, err
	}
	return equality.Semantic.DeepEqual(old.Spec, fed.Spec), nil
}

func (h *Validator) validate(ctx context.Context, fed *api.FedHPA) (field.ErrorList, error) {
	errs := validateMember(fed)
	for _, check := range []func(context.Context, *api.FedHPA) (field.ErrorList, error){
		h.checkRivals, h.checkCronHPAs, h.checkPlacement, h.checkClusters,
	} {
		found, err := check(ctx, fed)
		if err != nil {
			return nil, err
		}
		errs = append(errs, found...)
	}
	return errs, nil
}

// validateMember asks Kubernetes' own rules whether a member would take the autoscaler.
func validateMember(fed *api.FedHPA) field.ErrorList {
	versioned := autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: fed.Name, Namespace: fed.Namespace},
		Spec:       specOf(fed, split.Range{Min: max(fed.Spec.MinReplicas, 1), Max: fed.Spec.MaxReplicas}),
	}
	internal := autoscaling.HorizontalPodAutoscaler{}
	if err := hpaconversion.Convert_v2_HorizontalPodAutoscaler_To_autoscaling_HorizontalPodAutoscaler(&versioned, &internal, nil); err != nil {
		return field.ErrorList{field.Invalid(field.NewPath("spec"), fed.Name, err.Error())}
	}
	return hpavalidation.ValidateHorizontalPodAutoscaler(&internal,
		hpavalidation.HorizontalPodAutoscalerSpecValidationOptions{MinReplicasLowerBound: 1})
}

func (h *Validator) checkRivals(ctx context.Context, fed *api.FedHPA) (field.ErrorList, error) {
	path := field.NewPath("spec", "scaleTargetRef")
	rival, err := rivalOf(ctx, h.Reader, fed)
	if err != nil {
		return nil, err
	}
	if rival != "" {
		return field.ErrorList{field.Forbidden(path, rival)}, nil
	}
	gvk := targetGVK(fed)
	retained, err := retains(ctx, h.Reader, gvk)
	if err != nil {
		return nil, err
	}
	if !retained {
		return field.ErrorList{field.Forbidden(path, notRetained(gvk))}, nil
	}
	return nil, nil
}

func (h *Validator) checkCronHPAs(ctx context.Context, fed *api.FedHPA) (field.ErrorList, error) {
	var crons api.CronHPAList
	if err := h.Reader.List(ctx, &crons, client.InNamespace(fed.Namespace)); err != nil {
		return nil, fmt.Errorf("listing CronHPAs: %w", err)
	}
	this := autoscalers.TargetKey(autoscalingv2.CrossVersionObjectReference{
		APIVersion: api.GroupVersion.String(), Kind: "FedHPA", Name: fed.Name,
	})
	for i := range crons.Items {
		cron := &crons.Items[i]
		if !cron.DeletionTimestamp.IsZero() {
			continue
		}
		switch autoscalers.TargetKey(cron.Spec.ScaleTargetRef) {
		case autoscalers.TargetKey(fed.Spec.ScaleTargetRef):
			return field.ErrorList{field.Forbidden(field.NewPath("spec", "scaleTargetRef"), fmt.Sprintf(
				"CronHPA %s sets the replicas of the same target: delete it, and create one aimed at this FedHPA instead, with targetMinReplicas and "+
					"targetMaxReplicas", cron.Name))}, nil
		case this:
			if wrong := autoscalers.Impossible(cron, fed); wrong != nil {
				return field.ErrorList{field.Forbidden(field.NewPath("spec"),
					fmt.Sprintf("CronHPA %s is aimed at this FedHPA, and its rule %s sets %s %d: %s",
						cron.Name, cron.Spec.Rules[wrong.Rule].Name, wrong.Field, wrong.Value, wrong.Why))}, nil
			}
		}
	}
	return nil, nil
}

func (h *Validator) checkPlacement(ctx context.Context, fed *api.FedHPA) (field.ErrorList, error) {
	ref := fed.Spec.ScaleTargetRef
	found, err := binding.Of(ctx, h.Reader, types.NamespacedName{Namespace: fed.Namespace, Name: ref.Name}, targetGVK(fed).GroupKind())
	if err != nil {
		return nil, err
	}
	if found != nil && !binding.Divided(found) {
		return field.ErrorList{field.Forbidden(field.NewPath("spec", "scaleTargetRef"),
			fmt.Sprintf(
				"the placement of %s %s duplicates its replicas: set placement.replicaScheduling.replicaSchedulingType to Divided in its policy first",
				ref.Kind, ref.Name))}, nil
	}
	return nil, nil
}

func (h *Validator) checkClusters(ctx context.Context, fed *api.FedHPA) (field.ErrorList, error) {
	if fed.Spec.Distribution == nil {
		return nil, nil
	}
	var errs field.ErrorList
	path := field.NewPath("spec", "distribution", "clusters")
	var least int64
	for i, c := range fed.Spec.Distribution.Clusters {
		err := h.Reader.Get(ctx, types.NamespacedName{Name: c.Name}, &clusterv1alpha1.Cluster{})
		if apierrors.IsNotFound(err) {
			errs = append(errs, field.Invalid(path.Index(i).Child("name"), c.Name,
				"is no member of the federation: correct the name, or join the cluster first"))
		} else if err != nil {
			return nil, fmt.Errorf("reading Cluster %s: %w", c.Name, err)
		}
		if c.MinReplicas != nil {
			least += int64(*c.MinReplicas)
		}
	}
	if least > int64(fed.Spec.MaxReplicas) {
		errs = append(errs,
			field.Invalid(path, least, "the clusters' minReplicas together are above spec.maxReplicas: lower them or raise maxReplicas"))
	}
	return errs, nil
}
