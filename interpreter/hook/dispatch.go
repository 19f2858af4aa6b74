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
	// Holder may give a cluster another revision than the template's, before anything is divided; nil holds nothing.
	Holder Holder
	// Works counts by result.
	Works *prometheus.CounterVec
}

// Holder keeps a cluster at another revision of a manifest. It answers nil for a manifest that stays as Karmada rendered it.
type Holder interface {
	Hold(
		ctx context.Context, cluster string, work, old *workv1alpha1.Work, manifest, was *unstructured.Unstructured,
	) (*unstructured.Unstructured, error)
}

// replacement is a line of a JSON patch.
type replacement struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Handle implements admission.Handler.
func (d *Dispatch) Handle(ctx context.Context, request admission.Request) admission.Response {
	patch, err := d.patch(ctx, request)
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

func (d *Dispatch) patch(ctx context.Context, request admission.Request) ([]replacement, error) {
	cluster, ok := strings.CutPrefix(request.Namespace, mark.ExecutionNamespacePrefix)
	if !ok {
		return nil, nil // Nobody sends it anywhere.
	}
	var work workv1alpha1.Work
	if err := d.Decoder.Decode(request, &work); err != nil {
		return nil, err
	}
	var old *workv1alpha1.Work
	if len(request.OldObject.Raw) > 0 {
		old = &workv1alpha1.Work{}
		if err := d.Decoder.DecodeRaw(request.OldObject, old); err != nil {
			return nil, err
		}
	}
	var out []replacement
	for i, manifest := range work.Spec.Workload.Manifests {
		object, err := decodeManifest(manifest.Raw)
		if err != nil {
			return nil, fmt.Errorf("spec.workload.manifests[%d]: %w", i, err)
		}
		decided, err := d.decide(ctx, cluster, &work, old, object)
		if err != nil {
			return nil, fmt.Errorf("spec.workload.manifests[%d], %s %s/%s: %w", i, object.GetKind(), object.GetNamespace(), object.GetName(), err)
		}
		if decided != nil {
			out = append(out, replacement{Op: "replace", Path: fmt.Sprintf("/spec/workload/manifests/%d", i), Value: decided.Object})
		}
	}
	return out, nil
}

// decide what a manifest is to be: first which revision, then what is divided; nil for as it is.
func (d *Dispatch) decide(
	ctx context.Context, cluster string, work, old *workv1alpha1.Work, object *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	var held *unstructured.Unstructured
	if d.Holder != nil {
		var err error
		if held, err = d.Holder.Hold(ctx, cluster, work, old, object, before(old, object)); err != nil {
			return nil, err
		}
	}
	if held != nil {
		object = held
	}
	edits, err := dispatch.Decide(d.Catalog, dispatch.Manifest{Object: object, Cluster: cluster, Annotations: work.Annotations})
	if err != nil || len(edits) == 0 {
		return held, err
	}
	return object, edits.Apply(object.Object)
}

// before is the manifest of the same object in the Work as it is; nil where it has none.
func before(old *workv1alpha1.Work, object *unstructured.Unstructured) *unstructured.Unstructured {
	if old == nil {
		return nil
	}
	for _, manifest := range old.Spec.Workload.Manifests {
		was, err := decodeManifest(manifest.Raw)
		if err == nil && was.GetKind() == object.GetKind() && was.GetName() == object.GetName() && was.GetNamespace() == object.GetNamespace() {
			return was
		}
	}
	return nil
}

func decodeManifest(raw []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	return object, kjson.UnmarshalCaseSensitivePreserveInts(raw, &object.Object)
}
