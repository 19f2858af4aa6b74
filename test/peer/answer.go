package peer

import (
	"encoding/json"
	"fmt"
	"slices"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/default/thirdparty"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/argosy-dev/argosy/interpreter"
)

// Answer is either interpreter's, as plain values under the names below, so that two can be compared and a difference
// has a path. What an operation does not answer is absent.
//
//	count, requirements (resources as quantities' own text), object (after ReviseReplica, Retain, AggregateStatus),
//	status, healthy, dependencies ("ConfigMap ns/name"), components, error
type Answer map[string]any

// Errors and refusals are compared by being there, not by their text.
const (
	failed      = "failed"
	unsupported = "not interpreted"
)

// Ours asks our rules.
func Ours(q interpreter.Question) Answer {
	f, err := interpreter.NewCatalog(interpreter.Families()).Family(q)
	if err != nil {
		return Answer{"error": unsupported}
	}
	a, err := q.Answer(f)
	if err != nil {
		return Answer{"error": failed}
	}
	switch q.Operation {
	case configv1alpha1.InterpreterOperationInterpretReplica:
		return replicas(a.Replicas.Count, a.Replicas.Requirements)
	case configv1alpha1.InterpreterOperationInterpretStatus:
		return Answer{"status": plain(a.Status)}
	case configv1alpha1.InterpreterOperationInterpretHealth:
		return Answer{"healthy": *a.Healthy}
	case configv1alpha1.InterpreterOperationInterpretDependency:
		return Answer{"dependencies": dependencies(a.Dependencies)}
	case configv1alpha1.InterpreterOperationInterpretComponent:
		return Answer{"components": plain(a.Components)}
	}
	object := q.Object.DeepCopy()
	if err := a.Edits.Apply(object.Object); err != nil {
		return Answer{"error": failed}
	}
	return Answer{"object": plain(object.Object)}
}

// Karmada is its bundled interpreter; make one and keep it, as Karmada does.
type Karmada struct {
	lua *thirdparty.ConfigurableInterpreter
}

// NewKarmada loads the bundled Lua.
func NewKarmada() Karmada { return Karmada{thirdparty.NewConfigurableInterpreter()} }

// Ask asks the Lua. Where it has no script for the operation Karmada goes on without one: Retain then keeps the
// desired manifest as it is.
func (k Karmada) Ask(q interpreter.Question) Answer {
	object := q.Object.DeepCopy()
	var out Answer
	var enabled bool
	var err error
	switch q.Operation {
	case configv1alpha1.InterpreterOperationInterpretReplica:
		var count int32
		var requirements *workv1alpha2.ReplicaRequirements
		count, requirements, enabled, err = k.lua.GetReplicas(object)
		out = replicas(count, requirements)
	case configv1alpha1.InterpreterOperationInterpretComponent:
		var components []workv1alpha2.Component
		components, enabled, err = k.lua.GetComponents(object)
		out = Answer{"components": plain(components)}
	case configv1alpha1.InterpreterOperationReviseReplica:
		object, enabled, err = k.lua.ReviseReplica(object, int64(q.Target.Replicas))
		out = objectAnswer(object)
	case configv1alpha1.InterpreterOperationRetain:
		var retained *unstructured.Unstructured
		retained, enabled, err = k.lua.Retain(object, q.Observed.DeepCopy())
		if !enabled && err == nil {
			return Answer{"object": plain(object.Object)}
		}
		out = objectAnswer(retained)
	case configv1alpha1.InterpreterOperationAggregateStatus:
		object, enabled, err = k.lua.AggregateStatus(object, Items(q))
		out = objectAnswer(object)
	case configv1alpha1.InterpreterOperationInterpretStatus:
		var status *runtime.RawExtension
		status, enabled, err = k.lua.ReflectStatus(object)
		out = Answer{"status": raw(status)}
	case configv1alpha1.InterpreterOperationInterpretHealth:
		var healthy bool
		healthy, enabled, err = k.lua.InterpretHealth(object)
		out = Answer{"healthy": healthy}
	case configv1alpha1.InterpreterOperationInterpretDependency:
		var found []configv1alpha1.DependentObjectReference
		found, enabled, err = k.lua.GetDependencies(object)
		out = Answer{"dependencies": dependencies(found)}
	}
	switch {
	case err != nil:
		return Answer{"error": failed}
	case !enabled:
		return Answer{"error": unsupported}
	}
	return out
}

// Items are the members of a question as Karmada's binding has them.
func Items(q interpreter.Question) []workv1alpha2.AggregatedStatusItem {
	var items []workv1alpha2.AggregatedStatusItem
	for _, m := range q.Members {
		item := workv1alpha2.AggregatedStatusItem{ClusterName: m.Cluster, Applied: m.Applied, AppliedMessage: m.AppliedMessage, Health: m.Health}
		if m.Status != nil {
			text, err := json.Marshal(m.Status)
			if err != nil {
				panic(fmt.Sprintf("a status that is no JSON: %v", err))
			}
			item.Status = &runtime.RawExtension{Raw: text}
		}
		items = append(items, item)
	}
	return items
}

func objectAnswer(object *unstructured.Unstructured) Answer {
	if object == nil {
		return Answer{}
	}
	return Answer{"object": plain(object.Object)}
}

func raw(extension *runtime.RawExtension) any {
	if extension == nil {
		return nil
	}
	var out any
	if err := kjson.Unmarshal(extension.Raw, &out); err != nil {
		return string(extension.Raw)
	}
	return out
}

// replicas writes amounts by their value: 1000m and 1 are one amount.
func replicas(count int32, requirements *workv1alpha2.ReplicaRequirements) Answer {
	if requirements == nil {
		return Answer{"count": int64(count)}
	}
	amounts := map[string]any{}
	for name, amount := range requirements.ResourceRequest {
		if name == corev1.ResourceCPU {
			amounts[string(name)] = amount.MilliValue()
			continue
		}
		amounts[string(name)] = amount.Value()
	}
	requirements = requirements.DeepCopy()
	requirements.ResourceRequest = nil
	out := Answer{"count": int64(count), "requirements": plain(requirements)}
	if len(amounts) > 0 {
		out["requirements"].(map[string]any)["resources"] = amounts
	}
	if len(out["requirements"].(map[string]any)) == 0 {
		delete(out, "requirements")
	}
	return out
}

// dependencies are sorted: their order means nothing.
func dependencies(found []configv1alpha1.DependentObjectReference) any {
	names := make([]string, 0, len(found))
	for _, d := range found {
		names = append(names, d.Kind+" "+d.Namespace+"/"+d.Name)
	}
	slices.Sort(names)
	return plain(names)
}

// plain is a value as it looks after a way through JSON.
func plain(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("a value that is no JSON: %v", err))
	}
	var out any
	if err := kjson.Unmarshal(text, &out); err != nil {
		panic(fmt.Sprintf("JSON that cannot be read back: %v", err))
	}
	return out
}

// Prepare is one call of the Lua with nothing around it, to be measured. Karmada hands the script its own object, which the
// script cannot change: each call converts it.
func (k Karmada) Prepare(q interpreter.Question) func() error {
	items := Items(q)
	return func() (err error) {
		switch q.Operation {
		case configv1alpha1.InterpreterOperationInterpretReplica:
			_, _, _, err = k.lua.GetReplicas(q.Object)
		case configv1alpha1.InterpreterOperationReviseReplica:
			_, _, err = k.lua.ReviseReplica(q.Object, int64(q.Target.Replicas))
		case configv1alpha1.InterpreterOperationAggregateStatus:
			_, _, err = k.lua.AggregateStatus(q.Object, items)
		case configv1alpha1.InterpreterOperationInterpretStatus:
			_, _, err = k.lua.ReflectStatus(q.Object)
		case configv1alpha1.InterpreterOperationInterpretHealth:
			_, _, err = k.lua.InterpretHealth(q.Object)
		case configv1alpha1.InterpreterOperationInterpretDependency:
			_, _, err = k.lua.GetDependencies(q.Object)
		}
		return err
	}
}
