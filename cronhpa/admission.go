package cronhpa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
	"github.com/argosy-dev/argosy/internal/autoscalers"
)

// ValidatePath is where argosy-webhook serves Validator.
const ValidatePath = "/validate-autoscaling-argosy-dev-v1alpha1-cronhpa"

// Validator refuses a CronHPA that could only fail later, each time with what to do. What one object shows by itself is
// checked by the CRD, except for cron syntax, zones and dates; a target that does not exist yet is no reason to refuse.
type Validator struct {
	Reader  client.Reader
	Decoder admission.Decoder
	Clock   clock.PassiveClock
}

// Handle one admission request.
func (v *Validator) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	cron := &v1alpha1.CronHPA{}
	if err := v.Decoder.Decode(req, cron); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding CronHPA: %w", err))
	}
	settled, err := v.specStands(req, cron)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding the CronHPA as it was: %w", err))
	}
	if settled || cron.DeletionTimestamp != nil {
		return admission.Allowed("")
	}
	errs := ValidateRules(cron, v.Clock.Now())
	owned, err := v.validateTarget(ctx, cron)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if errs = append(errs, owned...); len(errs) > 0 {
		return admission.Denied(errs.ToAggregate().Error())
	}
	return admission.Allowed("").WithWarnings(Warnings(cron)...)
}

// specStands is whether an update leaves the spec alone. A label, or the controller's finalizer, is no matter of what else
// has come to scale the target since.
func (v *Validator) specStands(req admission.Request, cron *v1alpha1.CronHPA) (bool, error) {
	if req.Operation != admissionv1.Update {
		return false, nil
	}
	old := &v1alpha1.CronHPA{}
	if err := v.Decoder.DecodeRaw(req.OldObject, old); err != nil {
		return false, err
	}
	return equality.Semantic.DeepEqual(old.Spec, cron.Spec), nil
}

// ValidateRules reads every timetable and asks whether it ever fires. The days of calendars come and go, and are not asked for.
func ValidateRules(cron *v1alpha1.CronHPA, now time.Time) field.ErrorList {
	var errs field.ErrorList
	for i, rule := range cron.Spec.Rules {
		path := field.NewPath("spec", "rules").Index(i)
		timetable, err := schedule.Parse(schedule.Spec{Schedule: rule.Schedule, TimeZone: rule.TimeZone, ExcludeDates: rule.ExcludeDates})
		var wrong *schedule.FieldError
		if errors.As(err, &wrong) {
			if path = path.Child(wrong.Field); wrong.Index >= 0 {
				path = path.Index(wrong.Index)
			}
			errs = append(errs, field.Invalid(path, wrong.Value, wrong.Reason))
			continue
		}
		if _, fires := timetable.Next(now); !fires {
			errs = append(errs, field.Invalid(path.Child("schedule"), rule.Schedule,
				"never fires within ten years: check the day, the month and excludeDates"))
		}
	}
	return errs
}

// validateTarget looks for whoever else sets the target's replicas.
func (v *Validator) validateTarget(ctx context.Context, cron *v1alpha1.CronHPA) (field.ErrorList, error) {
	path, ref := field.NewPath("spec", "scaleTargetRef"), cron.Spec.ScaleTargetRef
	var siblings v1alpha1.CronHPAList
	if err := v.Reader.List(ctx, &siblings, client.InNamespace(cron.Namespace)); err != nil {
		return nil, fmt.Errorf("listing CronHPAs: %w", err)
	}
	alias, aliased, err := autoscalers.Alias(ctx, v.Reader, cron.Namespace, ref)
	if err != nil {
		return nil, err
	}
	for _, other := range siblings.Items {
		if other.Name == cron.Name || other.DeletionTimestamp != nil {
			continue
		}
		switch theirs := autoscalers.TargetKey(other.Spec.ScaleTargetRef); {
		case theirs == autoscalers.TargetKey(ref):
			return field.ErrorList{field.Forbidden(path, fmt.Sprintf("CronHPA %s scales the same target: add the rules there", other.Name))}, nil
		case aliased && theirs == autoscalers.TargetKey(alias):
			return field.ErrorList{field.Forbidden(path,
				fmt.Sprintf("CronHPA %s scales %s %s, which is the same autoscaler as %s %s (annotation %s): add the rules there",
					other.Name, alias.Kind, alias.Name, ref.Kind, ref.Name, v1alpha1.FederateAnnotation))}, nil
		}
	}
	switch formOf(ref) {
	case offeredBounds:
		return v.validateBounds(ctx, cron)
	case specBounds:
		return nil, nil
	case workload:
	}
	if wrong := wrongGroup(ref); wrong != nil {
		return field.ErrorList{field.Invalid(path.Child("apiVersion"), ref.APIVersion, wrong.message)}, nil
	}
	owner, err := autoscalers.Find(ctx, v.Reader, cron.Namespace, ref)
	if err != nil {
		return nil, err
	}
	if owner != nil {
		return field.ErrorList{field.Forbidden(path, ownedMessage(ref, *owner))}, nil
	}
	return nil, nil
}

// validateBounds compares the rules with the limits of the FedHPA they move.
func (v *Validator) validateBounds(ctx context.Context, cron *v1alpha1.CronHPA) (field.ErrorList, error) {
	fed := &v1alpha1.FedHPA{}
	err := v.Reader.Get(ctx, client.ObjectKey{Namespace: cron.Namespace, Name: cron.Spec.ScaleTargetRef.Name}, fed)
	if apierrors.IsNotFound(err) {
		// The FedHPA is refused when it comes, should its limits not fit.
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading FedHPA %s: %w", cron.Spec.ScaleTargetRef.Name, err)
	}
	if wrong := autoscalers.Impossible(cron, fed); wrong != nil {
		return field.ErrorList{field.Invalid(field.NewPath("spec", "rules").Index(wrong.Rule).Child(wrong.Field), wrong.Value, wrong.Why)}, nil
	}
	return nil, nil
}

// Warnings are what a person should know about an object that is accepted.
func Warnings(cron *v1alpha1.CronHPA) []string {
	var out []string
	for i, rule := range cron.Spec.Rules {
		if note := schedule.EitherDay(rule.Schedule); note != "" {
			out = append(out, fmt.Sprintf("spec.rules[%d].schedule: %s", i, note))
		}
		if ptr.Deref(rule.TargetReplicas, 1) == 0 {
			out = append(out,
				fmt.Sprintf(
					"spec.rules[%d].targetReplicas is 0: Karmada then removes the workload from its members unless karmada-scheduler runs with "+
						"--enable-empty-workload-propagation", i))
		}
	}
	return out
}
