package plan

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// watch compares every opened cluster with its evidence and asks the health gates.
func (j *journey) watch() outcome {
	for _, name := range j.names() {
		status := j.clusterStatus(name)
		if status.State == v1alpha1.ClusterSuspended || j.Clusters[name].Unreachable != "" {
			continue
		}
		workload := j.live(name, j.workload())
		if workload == nil {
			return j.fail(v1alpha1.ReasonEvidenceChanged, "%s is gone from cluster %s", policy.User(j.workload()), name)
		}
		if why := j.compared(status, workload); why != "" {
			return j.fail(v1alpha1.ReasonEvidenceChanged, "in cluster %s %s", name, why)
		}
		if result := j.health(status, unhealthy(workload, j.Clusters[name], j.Strategy.MaxUnavailable)); result == stop {
			return stop
		}
	}
	if j.opened() {
		j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionTrue, v1alpha1.ReasonUnchanged,
			"specs, revisions and restart counts are as they were in every opened cluster; "+j.unchanged())
	}
	return proceed
}

// compared says how a cluster's workload differs from what was seen of it last: pods that came since must not restart either.
func (j *journey) compared(status *v1alpha1.ClusterStatus, workload *unstructured.Unstructured) string {
	now := take(evidenceOf{now: j.Now, workload: workload, pods: j.Clusters[status.Name].Pods, clusters: len(j.next.Clusters)})
	last := status.Before
	if status.After != nil {
		last = status.After
	}
	why := changed(last, now, j.autoscaled())
	if why != "" {
		return why
	}
	if !equality.Semantic.DeepEqual(last.Pods, now.Pods) || last.Replicas != now.Replicas {
		status.After = now
	}
	if !j.autoscaled() {
		j.noteReplaced(status, now)
	}
	return ""
}

// noteReplaced tells of pods that went and were followed by others of the same revision: it did not come from the take-over, and people
// shall not read that every pod is the one it was.
func (j *journey) noteReplaced(status *v1alpha1.ClusterStatus, now *v1alpha1.Evidence) {
	gone, came := replaced(status.Before, now)
	if len(gone) > int(status.Replaced) {
		message := fmt.Sprintf("in cluster %s pods went and others of the same revision took their place: %s, now %s; "+
			"the workload is what it was (a drained node, or an eviction?)",
			status.Name, list(gone), list(came))
		j.event(true, v1alpha1.ReasonPodsReplaced, message)
		j.history(v1alpha1.ReasonPodsReplaced, message)
	}
	status.Replaced = max(status.Replaced, int32(len(gone)))
}

// unchanged says what is proved of the clusters that are open.
func (j *journey) unchanged() string {
	var evicted []string
	for _, name := range j.names() {
		if n := j.clusterStatus(name).Replaced; n > 0 {
			evicted = append(evicted, fmt.Sprintf("%d in %s", n, name))
		}
	}
	if len(evicted) == 0 {
		return "no pod restarted"
	}
	return "no pod was restarted by it; replaced by others of the same revision meanwhile: " + strings.Join(evicted, ", ")
}

// lost says which policy is gone, or no longer holds its template.
func (j *journey) lost() string {
	for _, resource := range j.federated() {
		if len(resource.Clusters) == 0 || j.givenUp(resource) {
			continue // gone everywhere, or about to be, and nobody's loss
		}
		name := policy.User(resource.ResourceReference)
		existing := j.Control.Policies[resource.Policy]
		if existing == nil || !existing.DeletionTimestamp.IsZero() {
			return fmt.Sprintf("PropagationPolicy %s was deleted: take the application off the whitelist and put it back "+
				"('argosyctl migration rollback', then 'readopt') to have it made again", resource.Policy)
		}
		template := j.Control.Templates[resource.ResourceReference]
		if template == nil {
			return fmt.Sprintf("the template of %s is gone from the control plane", name)
		}
		if by := template.GetAnnotations()["propagationpolicy.karmada.io/name"]; by != "" && by != resource.Policy {
			return fmt.Sprintf("%s is now held by PropagationPolicy %s: take it out of that policy's selectors", name, by)
		}
		if by := template.GetAnnotations()["clusterpropagationpolicy.karmada.io/name"]; by != "" {
			return fmt.Sprintf("%s is now held by ClusterPropagationPolicy %s: take it out of that policy's selectors", name, by)
		}
	}
	return ""
}
