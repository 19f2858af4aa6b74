package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/adopt"
	"github.com/argosy-dev/argosy/member/component/render"
	"github.com/argosy-dev/argosy/member/component/wave"
)

// Key names an object within the Component's namespace.
type Key struct{ Kind, Name string }

func (k Key) String() string { return k.Kind + " " + k.Name }

// KeyOf a rendered object.
func KeyOf(o *render.Object) Key { return Key{o.Kind, o.Name} }

// Input is what is known of one Component.
type Input struct {
	Component *v1alpha1.Component
	// Objects are what it becomes, Report what is told beside; both are empty where RenderErr says why.
	Objects   []render.Object
	Report    render.Report
	RenderErr error
	// Templates is which revision of the cluster's templates that is, and what waits for its turn.
	Templates wave.Choice
	// Held is set where what exists stays as it is until a wave comes: nobody knows what made it.
	Held bool
	// Live is what exists under the names of Objects, and whatever else is controlled by the Component.
	Live map[Key]*unstructured.Unstructured
	// Verdicts are of objects that spec.adopt names and nobody of ours owns yet.
	Verdicts map[Key]adopt.Verdict
	// Hosts are, of Ingresses to be, the host and path that another Component has already, and whose it is.
	Hosts map[Key]string
	// Canary is how a change of pods goes in steps; nil where the Component has none.
	Canary *Canary
	// Before are the pods that status.canary.before names, where the workload that ran them is gone; nil: nobody knows them.
	Before map[string]any
	// Autoscaler sets the replicas of the workload, if one does: "HorizontalPodAutoscaler web".
	Autoscaler string
}

// Unmanaged is true where a person has asked to be left alone.
func (in *Input) Unmanaged() bool {
	return Unmanaged(in.Component)
}

// Unmanaged is true of a Component of which a person has asked that it be left alone.
func Unmanaged(component *v1alpha1.Component) bool {
	return component.Annotations[v1alpha1.AnnotationUnmanaged] == "true"
}

// AllThere is true while every object that the status lists exists and is this Component's.
func (in *Input) AllThere() bool {
	for _, r := range in.Component.Status.Resources {
		live := in.Live[Key{r.Kind, r.Name}]
		if live == nil || OwnerOf(live, in.Component) != Ours {
			return false
		}
	}
	return len(in.Component.Status.Resources) > 0
}

// Workload is the key of the Deployment or StatefulSet.
func (in *Input) Workload() Key {
	name := in.Component.Name
	if adopt := in.Component.Spec.Adopt; adopt != nil {
		name = adopt.Workload
	}
	return Key{string(in.Component.Spec.WorkloadType), name}
}

// Adoptable are the keys of what spec.adopt names.
func (in *Input) Adoptable() map[Key]bool {
	adopt := in.Component.Spec.Adopt
	if adopt == nil {
		return nil
	}
	return map[Key]bool{
		in.Workload(): true,
		{"Service", cmp.Or(adopt.Service, in.Component.Name)}: true,
		{"Ingress", cmp.Or(adopt.Ingress, in.Component.Name)}: true,
	}
}

// Apply is one object to write.
type Apply struct {
	Object *render.Object
	// Live is what is there; nil means that nothing was.
	Live *unstructured.Unstructured
	// Adopt is set where a running object is taken over.
	Adopt *adopt.Verdict
	// HandOver gives spec.replicas, at the value it has, to an autoscaler before it is left out.
	HandOver bool
}

// NothingToAdopt is true of what is made anew at the first making of a Component, though spec.adopt says that it runs.
func NothingToAdopt(in *Input, step *Apply) bool {
	adopt := in.Component.Spec.Adopt
	if adopt == nil || step.Live != nil || len(in.Component.Status.Resources) > 0 {
		return false
	}
	named := map[Key]bool{in.Workload(): true, {"Service", adopt.Service}: true, {"Ingress", adopt.Ingress}: true}
	return named[KeyOf(step.Object)]
}

// Blocked is an object that is left alone, and why.
type Blocked struct {
	Key             Key
	Reason, Message string
}

// Steps are what is to be done, in this order.
type Steps struct {
	Apply []Apply
	// Scale changes a number of copies and nothing else.
	Scale   []Scale
	Delete  []*unstructured.Unstructured
	Release []*unstructured.Unstructured
	Blocked []Blocked
}

// Nothing says that no object is written: what is blocked is told, and left alone.
func (s *Steps) Nothing() bool {
	return len(s.Apply)+len(s.Scale)+len(s.Delete)+len(s.Release) == 0
}

// Decide says what to do. Where nothing was rendered nothing is touched: what runs goes on running.
func Decide(in *Input) Steps {
	var steps Steps
	if in.Unmanaged() {
		in.letGo(&steps)
		return steps
	}
	if in.Held || in.RenderErr != nil || in.Component.DeletionTimestamp != nil {
		return steps
	}
	wanted := map[Key]bool{}
	for i := range in.Objects {
		object := &in.Objects[i]
		wanted[KeyOf(object)] = true
		if in.Canary != nil && in.Canary.Active && KeyOf(object) == in.Workload() {
			in.step(&steps)
			continue
		}
		in.add(&steps, object)
	}
	if slices.ContainsFunc(steps.Blocked, func(b Blocked) bool { return b.Key == in.Workload() }) {
		// A Service in front of pods that are not ours, or an autoscaler of them, would act on somebody else's service.
		return Steps{Blocked: steps.Blocked}
	}
	if beside, may := in.Beside(); may && in.Canary != nil && in.Canary.Active {
		wanted[beside] = true
	}
	in.prune(&steps, wanted)
	return steps
}

// letGo takes the Component's mark off everything that is its own.
func (in *Input) letGo(steps *Steps) {
	for _, key := range sortedKeys(in.Live) {
		if live := in.Live[key]; OwnerOf(live, in.Component) == Ours {
			steps.Release = append(steps.Release, live)
		}
	}
}

// add what one object needs.
func (in *Input) add(steps *Steps, object *render.Object) {
	action, blocked := in.decide(object)
	switch {
	case blocked != nil:
		steps.Blocked = append(steps.Blocked, *blocked)
	case action != nil:
		steps.Apply = append(steps.Apply, *action)
	}
}

// prune deletes what is the Component's own and not wanted.
func (in *Input) prune(steps *Steps, wanted map[Key]bool) {
	for _, key := range sortedKeys(in.Live) {
		live := in.Live[key]
		if !wanted[key] && in.prunes(key, live) && live.GetDeletionTimestamp() == nil && in.mayGo(key) {
			steps.Delete = append(steps.Delete, live)
		}
	}
}

// prunes is true of what is this Component's own. The copies of a change that were let go in the middle of its steps are taken back with
// all else, and go where the change was undone meanwhile: they would serve for ever.
func (in *Input) prunes(key Key, live *unstructured.Unstructured) bool {
	owner := OwnerOf(live, in.Component)
	beside, may := in.Beside()
	return owner == Ours || owner == Left && may && key == beside
}

// mayGo holds back a workload until the one that takes its place serves: spec.adopt was added to a Component that ran. A load balancer goes
// when the one that takes its place has its address.
func (in *Input) mayGo(key Key) bool {
	if key.Kind == "Service" {
		return !in.standsIn(key)
	}
	if key.Kind != string(v1alpha1.WorkloadDeployment) && key.Kind != string(v1alpha1.WorkloadStatefulSet) {
		return true
	}
	if beside, may := in.Beside(); may && key == beside {
		return in.besideMayGo()
	}
	live := in.Live[in.Workload()]
	if live == nil {
		return false
	}
	have, err := countsOf(live)
	return err == nil && have.observed && have.available >= have.desired
}

// decide what happens to one object; nothing where it is as rendered.
func (in *Input) decide(object *render.Object) (*Apply, *Blocked) {
	key := KeyOf(object)
	live := in.Live[key]
	if taken := in.Hosts[key]; taken != "" {
		return nil, &Blocked{key, v1alpha1.ReasonObjectTaken,
			fmt.Sprintf("%s. %s was left alone: two would answer in turn. Choose another host or path in spec.ingress.", taken, key)}
	}
	if live == nil {
		return &Apply{Object: object}, nil
	}
	block := func(reason, format string, args ...any) (*Apply, *Blocked) {
		return nil, &Blocked{key, reason, fmt.Sprintf(format, args...)}
	}
	switch OwnerOf(live, in.Component) {
	case Ours:
		if live.GetDeletionTimestamp() != nil {
			return nil, nil
		}
		if Same(live, object) || in.standsIn(key) {
			return nil, nil
		}
		return &Apply{Object: object, Live: live, HandOver: in.handsOver(object, live)}, nil
	case Left:
		return &Apply{Object: object, Live: live, HandOver: in.handsOver(object, live)}, nil
	case Foreign:
		return block(v1alpha1.ReasonObjectTaken,
			"%s is there already and %s. It was left alone: choose another name for the Component, or have that object removed.", key, Whose(live))
	}
	verdict, asked := in.Verdicts[key]
	switch {
	case !asked:
		return block(v1alpha1.ReasonObjectTaken,
			"%s is there already and %s. It was left alone: "+
				"choose another name for the Component, or name the object in spec.adopt to take it over.",
			key, Whose(live))
	case verdict.Restart && in.Component.Annotations[v1alpha1.AnnotationAdoptWithRestart] != "true":
		return block(v1alpha1.ReasonAdoptionWouldRestart, "%s runs and was left alone, for taking it over would change it: %s. "+
			"Make the Component say the same (spec, spec.patches), or accept the change with the annotation %s: \"true\".",
			key, verdict.Differences, v1alpha1.AnnotationAdoptWithRestart)
	}
	return &Apply{Object: object, Live: live, Adopt: &verdict}, nil
}

// handsOver is true of a workload whose replicas were ours until an autoscaler came.
func (in *Input) handsOver(object *render.Object, live *unstructured.Unstructured) bool {
	if KeyOf(object) != in.Workload() || in.Autoscaler == "" {
		return false
	}
	return live.GetAnnotations()[v1alpha1.AnnotationRenderedHash] != object.Hash
}

func sortedKeys[V any](m map[Key]V) []Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
