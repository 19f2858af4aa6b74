package application

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"

	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
)

// Severity of a problem. The order of the constants is that of the output.
type Severity string

const (
	// Broken: replicas are missing or a change does not arrive.
	Broken Severity = "Broken"
	// Unknown: somebody does not answer, so nothing can be said.
	Unknown Severity = "Unknown"
	// Waiting: it is on its way, or held back on purpose.
	Waiting Severity = "Waiting"
)

// Problem is what is wrong, in words.
type Problem struct {
	Severity Severity `json:"severity"`
	// Cluster is empty for what concerns the control plane.
	Cluster string `json:"cluster,omitempty"`
	Message string `json:"message"`
}

// problems of an application, worst first, and in the order in which a change travels.
func problems(facts Facts) []Problem {
	out := ofControl(facts)
	for _, name := range slices.Sorted(maps.Keys(facts.Clusters)) {
		for _, p := range ofCluster(facts, name) {
			p.Cluster = name
			out = append(out, p)
		}
	}
	rank := map[Severity]int{Broken: 0, Unknown: 1, Waiting: 2}
	slices.SortStableFunc(out, func(a, b Problem) int { return rank[a.Severity] - rank[b.Severity] })
	if out == nil {
		out = []Problem{}
	}
	return out
}

// ofControl are those of the control plane.
func ofControl(facts Facts) []Problem {
	var out []Problem
	say := func(severity Severity, format string, args ...any) {
		out = append(out, Problem{Severity: severity, Message: fmt.Sprintf(format, args...)})
	}
	binding := facts.Binding
	switch {
	case binding == nil && policyOf(facts.Template) == "":
		say(Broken, "no PropagationPolicy selects it: it is in no member")
	case binding == nil:
		say(Waiting, "%s selects it, and Karmada has made no binding yet", policyOf(facts.Template))
	case !binding.of(facts.Template):
		say(Broken, "%s %s is of %s %s: two kinds of one name share it, rename one", binding.Kind, binding.Name,
			binding.Spec.Resource.APIVersion, binding.Spec.Resource.Kind)
	default:
		if c := meta.FindStatusCondition(binding.Status.Conditions, workv1alpha2.Scheduled); c != nil && c.Status != metav1.ConditionTrue {
			say(Broken, "karmada-scheduler found no place%s: %s", since(facts.Now, c.LastTransitionTime.Time), c.Message)
		}
		if s := binding.Spec.Suspension; s != nil && s.Scheduling != nil && *s.Scheduling {
			say(Waiting, "scheduling is suspended by its policy")
		}
		for _, task := range binding.Spec.GracefulEvictionTasks {
			say(Waiting, "it is leaving %s (%s)%s", task.FromCluster, task.Reason, since(facts.Now, timeOf(task.CreationTimestamp)))
		}
	}
	out = append(out, ofRescheduling(facts)...)
	for _, about := range facts.About {
		for _, c := range about.Conditions {
			if severity, tells := conditionTells(c); tells {
				say(severity, "%s %s says %s=%s (%s): %s", about.Kind, about.Name, c.Type, c.Status, c.Reason, c.Message)
			}
		}
	}
	return out
}

// conditionTells is true for conditions of our kinds that say something is not as it should be. A Migration's Advancing is False also
// at its end, and says so by its phase.
func conditionTells(c metav1.Condition) (Severity, bool) {
	switch {
	case c.Type == "Ready" && c.Status == metav1.ConditionFalse:
		return Broken, true
	case c.Type == "Ready" && c.Status == metav1.ConditionUnknown:
		return Unknown, true
	case c.Type == "Stalled" && c.Status == metav1.ConditionTrue:
		return Broken, true
	}
	return "", false
}

// ofCluster are those of one member.
func ofCluster(facts Facts, name string) []Problem {
	cluster := facts.Clusters[name]
	if !slices.Contains(facts.Binding.targets(), name) {
		return []Problem{{Severity: Waiting, Message: "the binding does not have it any more, and its Work is still there"}}
	}
	var out []Problem
	for _, of := range []func(Facts, string, Cluster) *Problem{health, silence, dispatch, presence, generation, asked, ready} {
		if p := of(facts, name, cluster); p != nil {
			out = append(out, *p)
		}
	}
	return append(out, pending(facts, cluster)...)
}

// health: whether Karmada reaches the cluster.
func health(facts Facts, _ string, cluster Cluster) *Problem {
	if cluster.Joined == nil {
		return &Problem{Severity: Broken, Message: "no such cluster is joined"}
	}
	c := meta.FindStatusCondition(cluster.Joined.Status.Conditions, clusterv1alpha1.ClusterConditionReady)
	if c == nil || c.Status == metav1.ConditionTrue {
		return nil
	}
	return &Problem{Severity: Unknown, Message: fmt.Sprintf("Karmada calls the cluster not ready%s: %s", since(facts.Now,
		c.LastTransitionTime.Time), c.Message)}
}

// silence: whether we do.
func silence(_ Facts, _ string, cluster Cluster) *Problem {
	if cluster.Silence == "" || cluster.Joined == nil {
		return nil
	}
	return &Problem{Severity: Unknown, Message: "not read now, counts are what it reported last: " + cluster.Silence}
}

// dispatch: whether the Work is there and on its way.
func dispatch(facts Facts, _ string, cluster Cluster) *Problem {
	if cluster.Work == nil {
		return &Problem{Severity: Broken, Message: "Karmada has written no Work for it: look at the events of the binding"}
	}
	if s := cluster.Work.Spec.SuspendDispatching; s != nil && *s {
		return &Problem{Severity: Waiting, Message: "dispatching is suspended: no change reaches it"}
	}
	c := meta.FindStatusCondition(cluster.Work.Status.Conditions, workv1alpha1.WorkApplied)
	if c != nil && c.Status != metav1.ConditionTrue {
		return &Problem{Severity: Broken, Message: fmt.Sprintf("the member does not take the Work%s: %s", since(facts.Now,
			c.LastTransitionTime.Time), c.Message)}
	}
	return nil
}

// presence: whether the member has the object, from Karmada.
func presence(_ Facts, _ string, cluster Cluster) *Problem {
	switch {
	case cluster.Silence != "" || cluster.Work == nil:
		return nil
	case cluster.Object == nil:
		return &Problem{Severity: Broken, Message: "the member does not have it"}
	case cluster.Object.GetAnnotations()[mark.WorkNamespace] == "":
		return &Problem{Severity: Broken, Message: "the member's object is not Karmada's: it was there before, and no change reaches it"}
	}
	return nil
}

// generation: whether the member's object is of the template as it is now, and if not, whether a release holds it.
func generation(facts Facts, _ string, cluster Cluster) *Problem {
	if cluster.Object == nil {
		return nil
	}
	if held := heldBy(facts, cluster.Object); held != "" {
		return &Problem{Severity: Waiting, Message: held}
	}
	of := generationOf(cluster.Object)
	if of == nil || *of >= facts.Template.GetGeneration() {
		return nil
	}
	return &Problem{Severity: Waiting, Message: fmt.Sprintf("it has generation %d of the template, which is at %d", *of,
		facts.Template.GetGeneration())}
}

// heldBy says which release keeps an object at another revision than the template's; empty where none does.
func heldBy(facts Facts, object *unstructured.Unstructured) string {
	release := facts.Template.GetLabels()[releasev1alpha1.LabelStaged]
	want, have := facts.Template.GetAnnotations()[releasev1alpha1.AnnotationRevision],
		object.GetAnnotations()[releasev1alpha1.AnnotationRevision]
	if release == "" || have == "" || have == want {
		return ""
	}
	there := func(a About) bool { return a.Kind == "Release" && a.Name == release }
	if !slices.ContainsFunc(facts.About, there) {
		return fmt.Sprintf("Release %s, which is gone, held it at revision %s, and that stays so; the template is %s: make the Release anew "+
			"under that name, it takes up what it finds", release, have, want)
	}
	return fmt.Sprintf("Release %s holds it at revision %s; the template is %s", release, have, want)
}

// asked: whether the member is asked for what the scheduler assigned; an autoscaler there has the last word.
func asked(facts Facts, name string, cluster Cluster) *Problem {
	want := assigned(facts, name)
	if want == nil || cluster.Object == nil || cluster.Limits != nil {
		return nil
	}
	have := number(cluster.Object, "spec", "replicas")
	if have == nil || *have == *want {
		return nil
	}
	return &Problem{Severity: Waiting, Message: fmt.Sprintf("it is asked for %d replicas, and %d are assigned", *have, *want)}
}

// ready: whether as many run as are asked for.
func ready(facts Facts, name string, cluster Cluster) *Problem {
	row := rowOf(facts, name)
	if cluster.Object == nil || row.Ready == nil {
		return nil
	}
	if observed := number(cluster.Object, "status", "observedGeneration"); observed != nil && *observed < cluster.Object.GetGeneration() {
		return &Problem{Severity: Waiting, Message: "its controller in the member has not looked at the last change yet"}
	}
	want := number(cluster.Object, "spec", "replicas")
	if want == nil {
		want = first(cluster.Object, "desiredNumberScheduled")
	}
	if want == nil {
		return nil
	}
	if *row.Ready >= *want {
		return updated(cluster.Object, row, *want)
	}
	text := fmt.Sprintf("%d of %d replicas are ready", *row.Ready, *want)
	if failure := replicaFailure(cluster.Object); failure != "" {
		text += "; pods are not made: " + failure
	}
	return &Problem{Severity: Broken, Message: text}
}

// updated: whether as many are of the new template as it is to have.
func updated(object *unstructured.Unstructured, row Row, replicas int64) *Problem {
	want := wantUpdated(object, replicas)
	switch {
	case want == nil || row.Updated == nil:
		return nil
	case *row.Updated < *want:
		return &Problem{Severity: Waiting, Message: fmt.Sprintf("%d of %d replicas are updated", *row.Updated, *want)}
	case object.GroupVersionKind().GroupKind() == deployment && row.Current != nil && *row.Current > *row.Updated:
		// What it replaces serves until a new one does, and counts as ready: none may ever come up.
		return &Problem{Severity: Waiting, Message: fmt.Sprintf("it still has old replicas beside the updated ones: %d",
			*row.Current-*row.Updated)}
	}
	return nil
}

var deployment = schema.GroupKind{Group: "apps", Kind: "Deployment"}

// replicaFailure is what a Deployment, ReplicaSet or CloneSet says of pods that an admission or a quota refuses.
func replicaFailure(object *unstructured.Unstructured) string {
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return ""
	}
	for _, item := range conditions {
		c, _ := item.(map[string]any)
		kind, _ := c["type"].(string)
		if (kind == "ReplicaFailure" || kind == "FailedScale") && c["status"] == "True" {
			message, _ := c["message"].(string)
			return message
		}
	}
	return ""
}

// pending: the pods that wait, by reason.
func pending(facts Facts, cluster Cluster) []Problem {
	var out []Problem
	for _, w := range waits(cluster.Pods) {
		text := fmt.Sprintf("%d of its pods wait%s: %s", w.pods, since(facts.Now, w.since), w.reason)
		if message := strings.TrimSpace(w.message); message != "" {
			text += ": " + message
		}
		out = append(out, Problem{Severity: Broken, Message: text})
	}
	return out
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// since when, in words; empty where it is not known, or where no now was given.
func since(now, then time.Time) string {
	if then.IsZero() || now.IsZero() {
		return ""
	}
	return ", for " + duration.HumanDuration(now.Sub(then))
}
