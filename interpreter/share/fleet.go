package share

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/retain"
)

// Fleet is where a kind with replicas keeps what is divided over the members and what a member may own. Its methods are
// the rules of a family.
type Fleet struct {
	// Replicas is the path of the total.
	Replicas []string
	// Default is the total where the field is absent.
	Default int32
	// Fields are the numbers that mean the whole fleet.
	Fields []Field
	// Rollout are the paths a tool in the member owns when the template's label says so.
	Rollout [][]string
	// Paused is the path of what stops a rollout, and Strategy of its type; nil where the kind has none.
	Paused, Strategy []string
	// Names is the path of the replicas designated to go; nil where the kind has none.
	Names []string
	// Template is the path of what replicas are made from.
	Template []string
}

// NeedsDivision is true when a field must be divided, so that the clusters must be known.
func (f Fleet) NeedsDivision(object *unstructured.Unstructured, _ int32) bool {
	total, err := field.Count(object.Object, f.Default, f.Replicas...)
	return err == nil && !retain.CutOff(object) && Needed(object, total, f.Fields)
}

// ReviseReplica makes the template one member's manifest. Names on the template reach members through the request and
// Retain: a name another member does not know would make its OpenKruise refuse the whole manifest.
func (f Fleet) ReviseReplica(object *unstructured.Unstructured, target family.Target) (edit.List, error) {
	if retain.CutOff(object) {
		return nil, nil
	}
	total, err := field.Count(object.Object, f.Default, f.Replicas...)
	if err != nil {
		return nil, err
	}
	template, err := f.template(object, total)
	if err != nil {
		return nil, err
	}
	edits, err := Revise(object, Asked{Target: target, Total: total, Template: template}, f.Fields)
	if err != nil {
		return nil, err
	}
	edits = append(edits, edit.Set(int64(target.Replicas), f.Replicas...))
	if f.Names != nil {
		edits = append(edits, edit.Remove(f.Names...))
	}
	return edits, nil
}

// template is its hash where something is held back; else nobody asks for it.
func (f Fleet) template(object *unstructured.Unstructured, total int32) (string, error) {
	for _, held := range f.Fields {
		number, err := held.fleet(object, total)
		if err != nil {
			return "", err
		}
		if held.Meaning == Held && number != nil && *number > 0 {
			return Hash(object, f.Template...)
		}
	}
	return "", nil
}

// Asked is what the template asks for of a rollout.
func (f Fleet) Asked(object *unstructured.Unstructured) (aggregate.Asked, error) {
	r := field.Read(object.Object)
	total := r.Count(f.Default, f.Replicas...)
	asked := aggregate.Asked{Updated: total, Total: total, MembersOwn: retain.OwnsReplicas(object)}
	asked.Still = retain.CutOff(object) || f.Paused != nil && r.Bool(f.Paused...) || f.Strategy != nil && r.String(f.Strategy...) == onDelete
	if r.Err() != nil {
		return asked, r.Err()
	}
	for _, held := range f.Fields {
		number, err := held.fleet(object, total)
		if err != nil {
			return asked, err
		}
		if held.Meaning == Held && number != nil && *number > 0 {
			asked.Updated, asked.Held = max(0, total-*number), true
		}
	}
	return asked, nil
}

// onDelete is the strategy by which nothing is updated until somebody deletes a pod.
const onDelete = "OnDelete"

// Hash is one of the object's part at path; empty where it has none.
func Hash(object *unstructured.Unstructured, path ...string) (string, error) {
	part, err := field.Value(object.Object, path...)
	if err != nil || part == nil {
		return "", err
	}
	text, err := json.Marshal(part)
	if err != nil {
		return "", field.Errorf(path, "%v", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// Dispatch makes the manifest that of the destination.
func (f Fleet) Dispatch(manifest *unstructured.Unstructured, to family.Destination) (edit.List, error) {
	replicas, err := field.Count(manifest.Object, f.Default, f.Replicas...)
	if err != nil {
		return nil, err
	}
	return Dispatch(manifest, replicas, to, f.Fields)
}

// Retain gives the member what is its own: the fields the template's labels leave to it, and the names designated to go there.
func (f Fleet) Retain(desired, observed *unstructured.Unstructured) (edit.List, error) {
	edits := Retain(desired, observed)
	owned, err := retain.Owned(desired, observed, f.Replicas, f.Rollout...)
	if err != nil {
		return nil, err
	}
	edits = append(edits, owned...)
	if f.Names == nil {
		return edits, nil
	}
	replicasOf := desired
	if retain.OwnsReplicas(desired) {
		replicasOf = observed
	}
	replicas, err := field.Count(replicasOf.Object, f.Default, f.Replicas...)
	if err != nil {
		return nil, err
	}
	names, err := retain.Designated(desired, observed, replicas, f.Names...)
	if err != nil {
		return nil, err
	}
	return append(edits, names...), nil
}
