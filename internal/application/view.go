package application

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/internal/mark"
)

// Source says where the counts of a row are from.
type Source string

const (
	// SourceMember: read in the member just now.
	SourceMember Source = "Member"
	// SourceReported: what the member reported to Karmada last; it did not answer now.
	SourceReported Source = "Reported"
	// SourceNone: nothing is known.
	SourceNone Source = "None"
)

// View is where an application is.
type View struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
	// Replicas the template asks for; nil for kinds without.
	Replicas *int64 `json:"replicas,omitempty"`
	// Policy that claimed it: PropagationPolicy shop/web.
	Policy string `json:"policy,omitempty"`
	// LastScheduled is when karmada-scheduler decided last.
	LastScheduled *time.Time `json:"lastScheduled,omitempty"`
	// Objects of Argosy about it, in words.
	Objects  []string  `json:"objects,omitempty"`
	Clusters []Row     `json:"clusters"`
	Problems []Problem `json:"problems"`
}

// Row is one cluster. What is not known is nil.
type Row struct {
	Cluster string `json:"cluster"`
	Source  Source `json:"source"`
	// Assigned by the scheduler; nil for kinds without replicas, and for clusters the binding has no more.
	Assigned *int64 `json:"assigned,omitempty"`
	Current  *int64 `json:"current,omitempty"`
	Updated  *int64 `json:"updated,omitempty"`
	Ready    *int64 `json:"ready,omitempty"`
	// Waiting are the pods that do not run and say why; nil when the pods are not known.
	Waiting *int64  `json:"waiting,omitempty"`
	Limits  *Limits `json:"limits,omitempty"`
	// Generation of the template the member's object was made from.
	Generation *int64   `json:"generation,omitempty"`
	Images     []string `json:"images,omitempty"`
}

// Look makes the view of an application.
func Look(facts Facts) View {
	template := facts.Template
	view := View{
		APIVersion: template.GetAPIVersion(), Kind: template.GetKind(), Namespace: template.GetNamespace(), Name: template.GetName(),
		Generation: template.GetGeneration(), Replicas: number(template, "spec", "replicas"), Policy: policyOf(template),
		Clusters: []Row{}, Problems: problems(facts),
	}
	if binding := facts.Binding; binding != nil && binding.Status.LastScheduledTime != nil {
		view.LastScheduled = &binding.Status.LastScheduledTime.Time
	}
	for _, about := range facts.About {
		text := about.Kind + " " + about.Name
		if about.Phase != "" {
			text += " (" + about.Phase + ")"
		}
		view.Objects = append(view.Objects, text)
	}
	for _, name := range slices.Sorted(maps.Keys(facts.Clusters)) {
		view.Clusters = append(view.Clusters, rowOf(facts, name))
	}
	return view
}

func policyOf(template *unstructured.Unstructured) string {
	notes := template.GetAnnotations()
	if name := notes[policyv1alpha1.PropagationPolicyNameAnnotation]; name != "" {
		return "PropagationPolicy " + notes[policyv1alpha1.PropagationPolicyNamespaceAnnotation] + "/" + name
	}
	if name := notes[policyv1alpha1.ClusterPropagationPolicyAnnotation]; name != "" {
		return "ClusterPropagationPolicy " + name
	}
	return ""
}

func rowOf(facts Facts, name string) Row {
	cluster := facts.Clusters[name]
	row := Row{Cluster: name, Source: SourceNone, Assigned: assigned(facts, name)}
	var status *unstructured.Unstructured
	switch {
	case cluster.Object != nil:
		row.Source, status = SourceMember, cluster.Object
		row.Limits, row.Images, row.Generation = cluster.Limits, manifest.Images(cluster.Object), generationOf(cluster.Object)
		if replicated(cluster.Object) {
			waiting := int64(0)
			for _, wait := range waits(cluster.Pods) {
				waiting += wait.pods
			}
			row.Waiting = &waiting
		}
	case cluster.Silence == "":
		row.Source = SourceMember // and it has none
		return row
	default:
		if status = reported(facts.Binding, name); status == nil {
			return row
		}
		row.Source = SourceReported
	}
	row.Current = first(status, "replicas", "currentNumberScheduled")
	row.Updated = first(status, "updatedReplicas", "updatedNumberScheduled")
	row.Ready = first(status, "readyReplicas", "numberReady")
	if row.Current != nil {
		// Counts of zero are left out of a status.
		row.Ready = orZero(row.Ready)
		if updates(status) {
			row.Updated = orZero(row.Updated)
		}
	}
	return row
}

// updates is true for kinds that replace pods by those of a new template. A report has no spec to tell it by.
func updates(object *unstructured.Unstructured) bool {
	for _, name := range []string{"strategy", "updateStrategy"} {
		if _, ok, err := unstructured.NestedMap(object.Object, "spec", name); ok && err == nil {
			return true
		}
	}
	return false
}

// wantUpdated is how many of a member's replicas are to be of the new template; nil where a partition or a pause holds some back and the
// status does not say how many.
func wantUpdated(object *unstructured.Unstructured, replicas int64) *int64 {
	if expected := first(object, "expectedUpdatedReplicas"); expected != nil {
		return expected
	}
	if paused, _, err := unstructured.NestedBool(object.Object, "spec", "paused"); paused || err != nil {
		return nil
	}
	for _, path := range [][]string{{"spec", "updateStrategy", "partition"}, {"spec", "updateStrategy", "rollingUpdate", "partition"}} {
		partition, ok, err := unstructured.NestedFieldNoCopy(object.Object, path...)
		if err != nil || ok && partition != int64(0) && partition != "0%" {
			return nil
		}
	}
	if kind, _, err := unstructured.NestedString(object.Object, "spec", "updateStrategy", "type"); kind == "OnDelete" || err != nil {
		return nil
	}
	return &replicas
}

// replicated is true for kinds whose object counts pods.
func replicated(object *unstructured.Unstructured) bool {
	return first(object, "replicas", "currentNumberScheduled") != nil || number(object, "spec", "replicas") != nil
}

func orZero(n *int64) *int64 {
	if n == nil {
		return new(int64)
	}
	return n
}

// assigned is what the scheduler gave a cluster; nil where nothing is counted or the binding does not have it.
func assigned(facts Facts, name string) *int64 {
	if facts.Binding == nil || facts.Binding.Spec.Replicas == 0 && number(facts.Template, "spec", "replicas") == nil {
		return nil
	}
	for _, target := range facts.Binding.Spec.Clusters {
		if target.Name == name {
			n := int64(target.Replicas)
			return &n
		}
	}
	return nil
}

// reported is what Karmada last heard of a cluster.
func reported(binding *Binding, name string) *unstructured.Unstructured {
	item := aggregated(binding, name)
	if item == nil || item.Status == nil {
		return nil
	}
	status := map[string]any{}
	if err := json.Unmarshal(item.Status.Raw, &status); err != nil {
		return nil
	}
	for key, value := range status {
		if f, ok := value.(float64); ok {
			status[key] = int64(f)
		}
	}
	return &unstructured.Unstructured{Object: map[string]any{"status": status}}
}

func aggregated(of *Binding, name string) *workv1alpha2.AggregatedStatusItem {
	if of == nil {
		return nil
	}
	return binding.Reported(&of.Status, name)
}

// first of the numbers of a status that is there.
func first(object *unstructured.Unstructured, names ...string) *int64 {
	for _, name := range names {
		if n := number(object, "status", name); n != nil {
			return n
		}
	}
	return nil
}

func number(object *unstructured.Unstructured, path ...string) *int64 {
	n, ok, err := unstructured.NestedInt64(object.Object, path...)
	if err != nil || !ok {
		return nil
	}
	return &n
}

// generationOf the template an object was made from, as Karmada notes it.
func generationOf(object *unstructured.Unstructured) *int64 {
	n, err := strconv.ParseInt(object.GetAnnotations()[mark.TemplateGeneration], 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// wait is a reason for which pods do not run.
type wait struct {
	pods            int64
	reason, message string
	since           time.Time
}

// waits of pods, the most frequent reason first.
func waits(pods []corev1.Pod) []wait {
	found := map[string]wait{}
	for i := range pods {
		why, ok := waitOf(&pods[i])
		if !ok {
			continue
		}
		one, seen := found[why.reason]
		if !seen || why.since.Before(one.since) {
			one.reason, one.message, one.since = why.reason, why.message, why.since
		}
		one.pods++
		found[why.reason] = one
	}
	return slices.SortedFunc(maps.Values(found), func(a, b wait) int {
		if a.pods != b.pods {
			return int(b.pods - a.pods)
		}
		if a.reason < b.reason {
			return -1
		}
		return 1
	})
}

// waitOf says why a pod does not run; ok is false for one that does, that ended, or that only starts.
func waitOf(pod *corev1.Pod) (why wait, ok bool) {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return why, false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return wait{reason: c.Reason, message: c.Message, since: c.LastTransitionTime.Time}, true
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range statuses {
			if w := s.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
				return wait{reason: w.Reason, message: w.Message, since: pod.CreationTimestamp.Time}, true
			}
		}
	}
	return why, false
}
