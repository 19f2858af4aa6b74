package interpreter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// ErrUnsupported is a question no rule answers: an unknown kind, or an operation its family leaves to Karmada.
var ErrUnsupported = errors.New("not interpreted by Argosy")

// Question is one call of Karmada's resource interpreter.
type Question struct {
	Operation configv1alpha1.InterpreterOperation
	// Object is the template, the desired manifest (Retain), or the member's object (status and health).
	Object *unstructured.Unstructured
	// Observed is the member's object; Retain only.
	Observed *unstructured.Unstructured
	// Target is read by ReviseReplica only.
	Target family.Target
	// Members are read by AggregateStatus only.
	Members []family.Member
}

// Answer holds what the operation asked for: Replicas, Components, Edits, Status, Healthy or Dependencies.
type Answer struct {
	Replicas     *family.Replicas
	Components   []workv1alpha2.Component
	Edits        edit.List
	Status       map[string]any
	Healthy      *bool
	Dependencies []configv1alpha1.DependentObjectReference
}

// Family finds the rules for a question, or says why there are none.
func (c Catalog) Family(q Question) (*family.Family, error) {
	kind := q.Object.GroupVersionKind()
	f, ok := c[kind.GroupKind()]
	if !ok {
		return nil, fmt.Errorf("%w: kind %s", ErrUnsupported, kind)
	}
	if q.Operation == configv1alpha1.InterpreterOperationRetain && q.Observed == nil {
		return nil, errors.New("observedObject: Retain needs the member's object")
	}
	return f, nil
}

// Answer asks the family's rule. Its errors name the field at fault.
func (q Question) Answer(f *family.Family) (a Answer, err error) {
	if !slices.Contains(f.Operations(), q.Operation) {
		return a, fmt.Errorf("%w: operation %q on %s", ErrUnsupported, q.Operation, q.Object.GroupVersionKind())
	}
	switch q.Operation {
	case configv1alpha1.InterpreterOperationInterpretReplica:
		var replicas family.Replicas
		replicas, err = f.InterpretReplica(q.Object)
		a.Replicas = &replicas
	case configv1alpha1.InterpreterOperationInterpretComponent:
		a.Components, err = f.InterpretComponent(q.Object)
	case configv1alpha1.InterpreterOperationReviseReplica:
		a.Edits, err = f.ReviseReplica(q.Object, q.Target)
	case configv1alpha1.InterpreterOperationRetain:
		a.Edits, err = f.Retain(q.Object, q.Observed)
	case configv1alpha1.InterpreterOperationAggregateStatus:
		a.Edits, err = f.AggregateStatus(q.Object, q.Members)
	case configv1alpha1.InterpreterOperationInterpretStatus:
		a.Status, err = f.InterpretStatus(q.Object)
	case configv1alpha1.InterpreterOperationInterpretHealth:
		var healthy bool
		healthy, err = f.InterpretHealth(q.Object)
		a.Healthy = &healthy
	case configv1alpha1.InterpreterOperationInterpretDependency:
		a.Dependencies, err = f.InterpretDependency(q.Object)
	}
	if err != nil {
		return Answer{}, err
	}
	return a, nil
}

// Stamp writes into an aggregated status since when it says what falls short.
func (a Answer) Stamp(template *unstructured.Unstructured, now time.Time) {
	for _, e := range a.Edits {
		if status, ok := e.Value.(map[string]any); ok && len(e.Path) == 1 && e.Path[0] == "status" {
			aggregate.Stamp(template, status, now)
		}
	}
}
