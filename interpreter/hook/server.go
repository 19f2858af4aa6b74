package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// Path is where the handler is served.
const Path = "/interpret"

// maxBody bounds a request. An object fits etcd's 1.5 MiB; Retain carries two, and JSON in transit is no smaller.
const maxBody = 4 << 20

// Handler answers Karmada.
type Handler struct {
	Catalog interpreter.Catalog
	Divider Divider
	Members Members
	// Revisions of templates that are released in stages; nil knows none.
	Revisions Revisions
	Metrics   *Metrics
	// Events on templates.
	Events record.EventRecorder
	Clock  clock.PassiveClock
	Log    logr.Logger

	// buffers are reused from request to request: bodies are read whole, decoded into copies, and forgotten.
	buffers sync.Pool
}

// ServeHTTP answers one request, always with a ResourceInterpreterContext and, so that Karmada reads it, status 200.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.Clock.Now()
	exchange := exchange{Handler: h}
	response := exchange.answer(w, r)
	w.Header().Set("Content-Type", "application/json")
	out := configv1alpha1.ResourceInterpreterContext{
		TypeMeta: metav1.TypeMeta{APIVersion: configv1alpha1.GroupVersion.String(), Kind: "ResourceInterpreterContext"},
		Response: response,
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		h.Log.V(1).Info("The answer was not taken", "reason", err.Error(), "uid", response.UID)
	}
	kind, operation := exchange.labels()
	h.Metrics.request(kind, operation, exchange.result, h.Clock.Since(start))
}

// exchange is one request on its way to an answer.
type exchange struct {
	*Handler
	request *request
	result  string
}

// answer is the last line against a rule that panics: Karmada gets a refusal, the log the stack.
func (e *exchange) answer(w http.ResponseWriter, r *http.Request) (response *configv1alpha1.ResourceInterpreterResponse) {
	defer func() {
		if caught := recover(); caught != nil {
			e.result = resultPanic
			e.Log.Error(fmt.Errorf("panic: %v", caught), "Answering Karmada failed", append(e.about(), "stack", string(debug.Stack()))...)
			response = refused(refuse(http.StatusInternalServerError, "the interpreter failed on this object: please report it with the object: %v",
				caught))
		}
		if e.request != nil {
			response.UID = e.request.UID
		}
	}()
	response, err := e.interpret(w, r)
	switch {
	case err == nil:
		e.result = resultAnswered
		return response
	case errors.Is(err, interpreter.ErrUnsupported):
		e.result = resultUnsupported
	default:
		e.result = resultRefused
	}
	e.Log.Error(err, "Refused a request of Karmada", e.about()...)
	return refused(err)
}

func (e *exchange) interpret(w http.ResponseWriter, r *http.Request) (*configv1alpha1.ResourceInterpreterResponse, error) {
	if err := e.read(w, r); err != nil {
		return nil, err
	}
	q := e.request.question()
	family, err := e.Catalog.Family(q)
	if err != nil {
		return nil, err
	}
	revises := q.Operation == configv1alpha1.InterpreterOperationReviseReplica
	if revises && family.NeedsDivision != nil && family.NeedsDivision(q.Object, q.Target.Replicas) {
		if err := e.divide(r.Context(), &q); err != nil {
			return nil, err
		}
	}
	aggregates := q.Operation == configv1alpha1.InterpreterOperationAggregateStatus
	if aggregates {
		if err := e.reach(r.Context(), q.Members); err != nil {
			return nil, err
		}
		if family.NeedsDivision != nil {
			if err := e.whole(r.Context(), q); err != nil {
				return nil, err
			}
		}
	}
	answer, err := q.Answer(family)
	if err != nil {
		return nil, err
	}
	if aggregates {
		answer.Stamp(q.Object, e.Clock.Now())
	}
	if q.Operation == configv1alpha1.InterpreterOperationInterpretDependency {
		if err := e.together(r.Context(), q, family, &answer); err != nil {
			return nil, err
		}
	}
	e.tell(q, answer)
	return respond(answer, e.request.Object)
}

// read reads the body into the exchange's request.
func (e *exchange) read(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "method: want POST, have %s", r.Method)
	}
	body, ok := e.buffers.Get().(*bytes.Buffer)
	if !ok {
		body = &bytes.Buffer{}
	}
	defer e.buffers.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return refuse(http.StatusRequestEntityTooLarge, "body: larger than %d bytes", large.Limit)
		}
		return refuse(http.StatusBadRequest, "body: %v", err)
	}
	var err error
	e.request, err = decode(body.Bytes())
	return err
}

// divide says how the workload is divided, or refuses: Karmada asks a refused question again, and nobody would ever ask again for a
// member that got a careful number and was told that all is well. Who asks where there is no binding is not making manifests.
func (e *exchange) divide(ctx context.Context, q *interpreter.Question) error {
	division, err := e.Divider.Division(ctx, q.Object, q.Target.Replicas)
	result := "read"
	switch {
	case errors.Is(err, errNoBinding):
		result, err = "absent", nil
	case err != nil:
		result = "unreadable"
		err = refuse(http.StatusServiceUnavailable, "dividing over the members: %v", err)
	case division.Clusters == nil:
		result = "undivided"
	}
	e.Metrics.bindings.WithLabelValues(result).Inc()
	q.Target.Clusters, q.Target.CreatedWith, q.Target.Updated = division.Clusters, division.CreatedWith, division.Updated
	return err
}

// Revisions are the other revisions of a template that clusters may run, while it is released in stages.
type Revisions interface {
	Running(ctx context.Context, template *unstructured.Unstructured) ([]*unstructured.Unstructured, error)
}

// together adds what other revisions depend on that clusters run: by the new template alone Karmada would take from held clusters what
// their pods start with. What cannot be read is refused, and Karmada, which asks again, takes nothing away meanwhile.
func (e *exchange) together(ctx context.Context, q interpreter.Question, f *family.Family, answer *interpreter.Answer) error {
	if e.Revisions == nil {
		return nil
	}
	others, err := e.Revisions.Running(ctx, q.Object)
	if err != nil {
		return refuse(http.StatusServiceUnavailable, "what revisions that clusters run depend on: %v", err)
	}
	for _, other := range others {
		q.Object = other
		more, err := q.Answer(f)
		if err != nil {
			return err
		}
		for _, dependency := range more.Dependencies {
			known := func(d configv1alpha1.DependentObjectReference) bool {
				return equality.Semantic.DeepEqual(d, dependency)
			}
			if !slices.ContainsFunc(answer.Dependencies, known) {
				answer.Dependencies = append(answer.Dependencies, dependency)
			}
		}
	}
	return nil
}

// labels are of few values: those somebody registered.
func (e *exchange) labels() (kind, operation string) {
	if e.request == nil {
		return other, other
	}
	family, ok := e.Catalog[e.request.kind().GroupKind()]
	if !ok {
		return other, other
	}
	if !slices.Contains(family.Operations(), e.request.Operation) {
		return e.request.Kind.Kind, other
	}
	return e.request.Kind.Kind, string(e.request.Operation)
}

// about is what a log line says of the request.
func (e *exchange) about() []any {
	if e.request == nil {
		return nil
	}
	return []any{
		"operation", e.request.Operation, "kind", e.request.kind().String(),
		"object", klog.KRef(e.request.Namespace, e.request.Name), "uid", e.request.UID,
	}
}
