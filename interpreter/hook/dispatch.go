package hook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/dispatch"
)

// DispatchPath is where the admission of Works is served. deploy/webhook/dispatch.yaml says which Works it is asked about.
const DispatchPath = "/mutate-work-karmada-io-v1alpha1-work"

// DispatchRegistrationName is the name of its MutatingWebhookConfiguration.
const DispatchRegistrationName = "argosy-dispatch"

// Dispatch is the admission of Works: each manifest becomes that of the Work's cluster. A Work it cannot decide about is refused, and
// Karmada writes it again.
type Dispatch struct {
	Decoder admission.Decoder
	Catalog interpreter.Catalog
	// Works counts by result.
	Works *prometheus.CounterVec
}

// replacement is a line of a JSON patch.
type replacement struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Handle implements admission.Handler.
func (d *Dispatch) Handle(ctx context.Context, request admission.Request) admission.Response {
	patch, err := d.patch(request)
	if err != nil {
		d.Works.WithLabelValues(resultRefused).Inc()
		log.FromContext(ctx).Error(err, "Refused a Work", "namespace", request.Namespace, "name", request.Name)
		return admission.Errored(http.StatusUnprocessableEntity, err)
	}
	if len(patch) == 0 {
		d.Works.WithLabelValues(resultUnchanged).Inc()
		return admission.Allowed("")
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	d.Works.WithLabelValues(resultDivided).Inc()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
		Allowed: true, Patch: text, PatchType: ptr.To(admissionv1.PatchTypeJSONPatch),
	}}
}

func (d *Dispatch) patch(request admission.Request) ([]replacement, error) {
	cluster, ok := strings.CutPrefix(request.Namespace, mark.ExecutionNamespacePrefix)
	if !ok {
		return nil, nil // Nobody sends it anywhere.
	}
	var work workv1alpha1.Work
	if err := d.Decoder.Decode(request, &work); err != nil {
		return nil, err
	}
	var out []replacement
	for i, manifest := range work.Spec.Workload.Manifests {
		object := &unstructured.Unstructured{}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(manifest.Raw, &object.Object); err != nil {
			return nil, fmt.Errorf("spec.workload.manifests[%d]: %w", i, err)
		}
		edits, err := dispatch.Decide(d.Catalog, dispatch.Manifest{Object: object, Cluster: cluster, Annotations: work.Annotations})
		if err == nil && len(edits) > 0 {
			err = edits.Apply(object.Object)
		}
		if err != nil {
			return nil, fmt.Errorf("spec.workload.manifests[%d], %s %s/%s: %w", i, object.GetKind(), object.GetNamespace(), object.GetName(), err)
		}
		if len(edits) > 0 {
			out = append(out, replacement{Op: "replace", Path: fmt.Sprintf("/spec/workload/manifests/%d", i), Value: object.Object})
		}
	}
	return out, nil
}
