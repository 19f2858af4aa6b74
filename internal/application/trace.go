package application

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "sigs.k8s.io/json"
)

// StepState of a step.
type StepState string

const (
	// StepDone: the change passed it.
	StepDone StepState = "Done"
	// StepStands: the change stands before it.
	StepStands StepState = "Stands"
	// StepWaits: an earlier step is not done.
	StepWaits StepState = "Waits"
	// StepUnknown: nobody can say.
	StepUnknown StepState = "Unknown"
)

// Trace is the way of a template's last change to its members.
type Trace struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
	Steps      []Step `json:"steps"`
	// StandsAt are the steps where the change stands still, in words.
	StandsAt []string `json:"standsAt"`
}

// Step of the way.
type Step struct {
	// Name is one of template, policy, binding, scheduled, work, member, running.
	Name    string    `json:"name"`
	Cluster string    `json:"cluster,omitempty"`
	State   StepState `json:"state"`
	// Time it was done, to the second; nil where the API does not tell.
	Time *time.Time `json:"time,omitempty"`
	// Took is the time since the step before it, in seconds.
	TookSeconds *float64 `json:"tookSeconds,omitempty"`
	Message     string   `json:"message"`
}

// Follow makes the trace of an application.
func Follow(facts Facts) Trace {
	template := facts.Template
	out := Trace{
		APIVersion: template.GetAPIVersion(), Kind: template.GetKind(), Namespace: template.GetNamespace(), Name: template.GetName(),
		Generation: template.GetGeneration(), StandsAt: []string{},
	}
	control := chain([]Step{templateStep(facts), policyStep(facts), bindingStep(facts), scheduledStep(facts)}, nil)
	out.Steps = control
	for _, name := range slices.Sorted(maps.Keys(facts.Clusters)) {
		cluster := facts.Clusters[name]
		steps := []Step{workStep(facts, cluster), memberStep(facts, cluster), runningStep(facts, name, cluster)}
		for i := range steps {
			steps[i].Cluster = name
		}
		out.Steps = append(out.Steps, chain(steps, control)...)
	}
	for _, step := range out.Steps {
		if step.State == StepStands || step.State == StepUnknown {
			where := step.Name
			if step.Cluster != "" {
				where = step.Cluster + ", " + step.Name
			}
			out.StandsAt = append(out.StandsAt, where+": "+step.Message)
		}
	}
	return out
}

// chain lets steps wait for those before them, and counts what each took. before are steps these follow.
func chain(steps, before []Step) []Step {
	open := slices.ContainsFunc(before, func(s Step) bool { return s.State != StepDone })
	last := latest(before)
	for i := range steps {
		step := &steps[i]
		if open {
			if step.State != StepDone {
				step.State = StepWaits
			}
			continue
		}
		open = step.State != StepDone
		if step.Time == nil || open {
			continue
		}
		// A step that was there before this change took no time for it.
		if last != nil && step.Time.After(*last) {
			took := step.Time.Sub(*last).Seconds()
			step.TookSeconds = &took
		}
		last = latest([]Step{{State: StepDone, Time: last}, *step})
	}
	return steps
}

func latest(steps []Step) *time.Time {
	var out *time.Time
	for _, step := range steps {
		if step.Time != nil && step.State == StepDone && (out == nil || step.Time.After(*out)) {
			out = step.Time
		}
	}
	return out
}

func templateStep(facts Facts) Step {
	// Karmada's own marks on a template are no change of it.
	at, by := written(slices.DeleteFunc(slices.Clone(facts.Template.GetManagedFields()), func(e metav1.ManagedFieldsEntry) bool {
		return strings.HasPrefix(e.Manager, "karmada")
	}))
	if at == nil {
		at = &[]time.Time{facts.Template.GetCreationTimestamp().Time}[0]
	}
	message := fmt.Sprintf("generation %d", facts.Template.GetGeneration())
	if by != "" {
		message += ", last written by " + by
	}
	return Step{Name: "template", State: StepDone, Time: at, Message: message}
}

// written is the last write of anything but a status, and who did it.
func written(fields []metav1.ManagedFieldsEntry) (at *time.Time, by string) {
	for _, entry := range fields {
		if entry.Subresource == "status" || entry.Time == nil || at != nil && entry.Time.Before(&metav1.Time{Time: *at}) {
			continue
		}
		at, by = &entry.Time.Time, entry.Manager
	}
	return at, by
}

func policyStep(facts Facts) Step {
	if policy := policyOf(facts.Template); policy != "" {
		return Step{Name: "policy", State: StepDone, Message: policy}
	}
	return Step{Name: "policy", State: StepStands, Message: "no policy selects it"}
}

func bindingStep(facts Facts) Step {
	binding := facts.Binding
	switch {
	case binding == nil:
		return Step{Name: "binding", State: StepStands, Message: "Karmada has made none"}
	case !binding.of(facts.Template):
		return Step{Name: "binding", State: StepStands, Message: fmt.Sprintf("%s %s is of %s", binding.Kind, binding.Name,
			binding.Spec.Resource.APIVersion)}
	}
	return Step{Name: "binding", State: StepDone, Time: &binding.CreationTimestamp.Time, Message: binding.Kind + " " + binding.Name}
}

func scheduledStep(facts Facts) Step {
	step := Step{Name: "scheduled", State: StepStands, Message: "karmada-scheduler has not looked at it yet"}
	if facts.Binding == nil {
		return step
	}
	status := facts.Binding.Status
	c := meta.FindStatusCondition(status.Conditions, workv1alpha2.Scheduled)
	switch {
	case c == nil && facts.Binding.Spec.Placement == nil && len(facts.Binding.Spec.RequiredBy) > 0:
		step.State, step.Message = StepDone, "nobody schedules it: it goes where what depends on it goes"
	case c == nil:
	case c.Status != metav1.ConditionTrue:
		step.Message = c.Message
	case status.SchedulerObservedGeneration < facts.Binding.Generation:
		step.Message = fmt.Sprintf("karmada-scheduler has looked at generation %d of the binding, which is at %d",
			status.SchedulerObservedGeneration, facts.Binding.Generation)
	default:
		step.State, step.Message = StepDone, fmt.Sprintf("to %d clusters", len(facts.Binding.Spec.Clusters))
		if status.LastScheduledTime != nil {
			step.Time = &status.LastScheduledTime.Time
		}
	}
	return step
}

func workStep(facts Facts, cluster Cluster) Step {
	step := Step{Name: "work", State: StepStands, Message: "Karmada has written none"}
	if cluster.Work == nil {
		return step
	}
	manifest, err := manifestOf(cluster.Work)
	if err != nil {
		step.Message = err.Error()
		return step
	}
	if p := heldBy(facts, manifest); p != "" {
		step.Message = p
		return step
	}
	have := generationOf(manifest)
	if have != nil && *have < facts.Template.GetGeneration() {
		step.Message = fmt.Sprintf("it bears generation %d of the template", *have)
		return step
	}
	at, _ := written(cluster.Work.ManagedFields)
	step.Time, step.State, step.Message = at, StepDone, cluster.Work.Namespace+"/"+cluster.Work.Name
	return step
}

// manifestOf a Work.
func manifestOf(work *workv1alpha1.Work) (*unstructured.Unstructured, error) {
	if len(work.Spec.Workload.Manifests) == 0 {
		return nil, fmt.Errorf("the Work has no manifest")
	}
	out := &unstructured.Unstructured{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(work.Spec.Workload.Manifests[0].Raw, &out.Object); err != nil {
		return nil, fmt.Errorf("spec.workload.manifests[0]: %w", err)
	}
	return out, nil
}

func memberStep(facts Facts, cluster Cluster) Step {
	step := Step{Name: "member", State: StepStands}
	if p := dispatch(facts, "", cluster); p != nil {
		step.Message = p.Message
	}
	switch {
	case cluster.Silence != "":
		step.State, step.Message = StepUnknown, cluster.Silence
		return step
	case cluster.Object == nil:
		if step.Message == "" {
			step.Message = "the member does not have it yet"
		}
		return step
	}
	if p := generation(facts, "", cluster); p != nil {
		if step.Message == "" {
			step.Message = p.Message
		}
		return step
	}
	if p := presence(facts, "", cluster); p != nil {
		step.Message = p.Message
		return step
	}
	at, _ := written(cluster.Object.GetManagedFields())
	step.Time, step.State, step.Message = at, StepDone, fmt.Sprintf("generation %d there", cluster.Object.GetGeneration())
	return step
}

func runningStep(facts Facts, name string, cluster Cluster) Step {
	step := Step{Name: "running", State: StepStands}
	if cluster.Silence != "" {
		step.State, step.Message = StepUnknown, "not read now"
		return step
	}
	if cluster.Object == nil {
		step.Message = "the member does not have it yet"
		return step
	}
	row := rowOf(facts, name)
	if row.Ready == nil {
		step.State, step.Message = StepDone, "nothing to run"
		return step
	}
	if p := ready(facts, name, cluster); p != nil {
		step.Message = p.Message
		if w := waits(cluster.Pods); len(w) > 0 {
			step.Message += "; " + w[0].reason + ": " + w[0].message
		}
		return step
	}
	step.State, step.Time = StepDone, lastReady(cluster.Pods)
	step.Message = fmt.Sprintf("%d ready", *row.Ready)
	if row.Updated != nil { // a ReplicaSet updates none
		step.Message += fmt.Sprintf(", %d updated", *row.Updated)
	}
	return step
}

// lastReady is when the last of the pods became ready.
func lastReady(pods []corev1.Pod) *time.Time {
	var out *time.Time
	for i := range pods {
		for _, c := range pods[i].Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && (out == nil || c.LastTransitionTime.After(*out)) {
				out = &c.LastTransitionTime.Time
			}
		}
	}
	return out
}
