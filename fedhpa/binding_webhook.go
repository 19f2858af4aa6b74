package fedhpa

import (
	"context"
	"errors"
	"slices"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/binding"
)

// BindingPath is where argosy-webhook serves BindingKeeper.
const BindingPath = "/mutate-resourcebinding-fedhpa"

// BindingKeeper closes the window between FedHPA's write of a binding and its write of the template: Karmada's detector,
// woken in between, would put the template's old count into the binding, and the scheduler would divide the difference. While a ledger is
// present and the writer is somebody else, spec.replicas stays the sum of spec.clusters. Everything else passes: placements (one that
// duplicates replicas ends this), scheduling results, and a count of zero, which switches autoscaling off. It is registered fail-open; the
// controller repairs what slips through.
type BindingKeeper struct {
	Decoder admission.Decoder
}

// Handle one admission request.
func (h *BindingKeeper) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	var before, after workv1alpha2.ResourceBinding
	if err := errors.Join(h.Decoder.DecodeRaw(req.OldObject, &before), h.Decoder.Decode(req, &after)); err != nil {
		// An answer that refuses is a refusal, whatever the failure policy: what cannot be read here must not stop Karmada's writers.
		klog.FromContext(ctx).Error(err, "Letting a ResourceBinding pass unread", "resourceBinding", klog.KRef(req.Namespace, req.Name))
		return admission.Allowed("")
	}
	sum, keep := keepReplicas(&before, &after)
	if !keep {
		return admission.Allowed("")
	}
	return admission.Patched("replicas belong to a FedHPA", jsonpatch.NewOperation("replace", "/spec/replicas", sum))
}

// keepReplicas tells what spec.replicas must be instead of what the writer says.
func keepReplicas(before, after *workv1alpha2.ResourceBinding) (sum int32, keep bool) {
	ledger := after.Annotations[api.FedHPALedgerAnnotation]
	if ledger == "" || ledger != before.Annotations[api.FedHPALedgerAnnotation] {
		// Not FedHPA's, or FedHPA's own write.
		return 0, false
	}
	if after.Spec.Replicas == 0 || !slices.Equal(before.Spec.Clusters, after.Spec.Clusters) || !binding.Divided(after) {
		return 0, false
	}
	for _, c := range after.Spec.Clusters {
		sum += c.Replicas
	}
	return sum, sum > 0 && sum != after.Spec.Replicas
}
