package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// envelope is Karmada's ResourceInterpreterContext with the objects decoded in the same pass: as maps, whole numbers
// as int64, the form the rules read.
type envelope struct {
	metav1.TypeMeta `json:",inline"`
	Request         *request `json:"request"`
}

type request struct {
	UID              types.UID                           `json:"uid"`
	Kind             metav1.GroupVersionKind             `json:"kind"`
	Name             string                              `json:"name"`
	Namespace        string                              `json:"namespace"`
	Operation        configv1alpha1.InterpreterOperation `json:"operation"`
	Object           map[string]any                      `json:"object"`
	ObservedObject   map[string]any                      `json:"observedObject"`
	DesiredReplicas  *int32                              `json:"replicas"`
	AggregatedStatus []memberStatus                      `json:"aggregatedStatus"`
}

type memberStatus struct {
	ClusterName    string                      `json:"clusterName"`
	Status         any                         `json:"status"`
	Applied        bool                        `json:"applied"`
	AppliedMessage string                      `json:"appliedMessage"`
	Health         workv1alpha2.ResourceHealth `json:"health"`
}

// refusal is an error with the HTTP code Karmada logs beside its message.
type refusal struct {
	code int32
	error
}

func refuse(code int32, format string, args ...any) error {
	return refusal{code: code, error: fmt.Errorf(format, args...)}
}

// decode reads a body. The request is returned also with an error when enough of it could be read to answer its UID.
func decode(body []byte) (*request, error) {
	var in envelope
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &in); err != nil {
		return in.Request, refuse(http.StatusBadRequest, "reading the ResourceInterpreterContext: %v", describe(err))
	}
	if in.APIVersion != configv1alpha1.GroupVersion.String() || in.Kind != "ResourceInterpreterContext" {
		return in.Request, refuse(http.StatusBadRequest, "apiVersion, kind: want %s ResourceInterpreterContext, have %q %q",
			configv1alpha1.GroupVersion, in.APIVersion, in.Kind)
	}
	if in.Request == nil {
		return nil, refuse(http.StatusBadRequest, "request: missing")
	}
	return in.Request, in.Request.validate()
}

// describe names the field, from the context's root, where the decoder knows it.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("%s: a %s does not fit", wrong.Field, wrong.Value)
	}
	return err
}

// kind is what the request says its objects are.
func (r *request) kind() schema.GroupVersionKind { return schema.GroupVersionKind(r.Kind) }

func (r *request) validate() error {
	switch {
	case r.UID == "":
		return refuse(http.StatusBadRequest, "request.uid: missing")
	case r.Operation == "":
		return refuse(http.StatusBadRequest, "request.operation: missing")
	case len(r.Object) == 0:
		return refuse(http.StatusBadRequest, "request.object: missing")
	case r.Operation == configv1alpha1.InterpreterOperationRetain && len(r.ObservedObject) == 0:
		return refuse(http.StatusBadRequest, "request.observedObject: missing; Retain needs the member's object")
	case r.Operation == configv1alpha1.InterpreterOperationReviseReplica && r.DesiredReplicas == nil:
		return refuse(http.StatusBadRequest, "request.replicas: missing; ReviseReplica needs the member's replicas")
	case r.DesiredReplicas != nil && *r.DesiredReplicas < 0:
		return refuse(http.StatusBadRequest, "request.replicas: want 0 or more, have %d", *r.DesiredReplicas)
	}
	object := unstructured.Unstructured{Object: r.Object}
	if have, want := object.GroupVersionKind(), r.kind(); have != want {
		return refuse(http.StatusBadRequest, "request.object: it is a %s, request.kind says %s", have, want)
	}
	if r.ObservedObject != nil {
		observed := unstructured.Unstructured{Object: r.ObservedObject}
		if have, want := observed.GroupVersionKind(), r.kind(); have != want {
			return refuse(http.StatusBadRequest, "request.observedObject: it is a %s, request.kind says %s", have, want)
		}
	}
	return nil
}

// question is the request as the rules take it.
func (r *request) question() interpreter.Question {
	q := interpreter.Question{Operation: r.Operation, Object: &unstructured.Unstructured{Object: r.Object}}
	if r.ObservedObject != nil {
		q.Observed = &unstructured.Unstructured{Object: r.ObservedObject}
	}
	if r.DesiredReplicas != nil {
		q.Target.Replicas = *r.DesiredReplicas
	}
	for _, m := range r.AggregatedStatus {
		member := family.Member{Cluster: m.ClusterName, Health: m.Health, Applied: m.Applied, AppliedMessage: m.AppliedMessage}
		switch status := m.Status.(type) {
		case nil:
		case map[string]any:
			member.Status = status
		default:
			member.Unreadable = fmt.Sprintf("aggregatedStatus[%s].status: want an object, have %v", m.ClusterName, status)
		}
		q.Members = append(q.Members, member)
	}
	return q
}

// respond makes the wire's answer of a rule's. object is the one the patch is for.
func respond(answer interpreter.Answer, object map[string]any) (*configv1alpha1.ResourceInterpreterResponse, error) {
	out := &configv1alpha1.ResourceInterpreterResponse{
		Successful:   true,
		Components:   answer.Components,
		Healthy:      answer.Healthy,
		Dependencies: answer.Dependencies,
	}
	if answer.Replicas != nil {
		out.Replicas = &answer.Replicas.Count
		out.ReplicaRequirements = answer.Replicas.Requirements
	}
	if answer.Status != nil {
		status, err := json.Marshal(answer.Status)
		if err != nil {
			return nil, refuse(http.StatusInternalServerError, "writing the status: %v", err)
		}
		out.RawStatus = &runtime.RawExtension{Raw: status}
	}
	patch, err := answer.Edits.Patch(object)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if len(patch) > 0 {
		kind := configv1alpha1.PatchTypeJSONPatch
		out.Patch, out.PatchType = patch, &kind
	}
	return out, nil
}

// refused is the well-formed unsuccessful answer.
func refused(err error) *configv1alpha1.ResourceInterpreterResponse {
	status := &configv1alpha1.RequestStatus{Code: http.StatusBadRequest, Message: err.Error()}
	var coded refusal
	switch {
	case errors.As(err, &coded):
		status.Code = coded.code
	case errors.Is(err, interpreter.ErrUnsupported):
		status.Code = http.StatusNotFound
	}
	return &configv1alpha1.ResourceInterpreterResponse{Status: status}
}
