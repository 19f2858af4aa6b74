package plan

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/migration/policy"
)

// openClusters opens one cluster after the other, each with its evidence taken before and compared after.
func (j *journey) openClusters() outcome {
	if result := j.watch(); result == stop {
		return stop
	}
	for _, name := range j.names() {
		status := j.clusterStatus(name)
		switch status.State {
		case v1alpha1.ClusterOpen:
			continue
		case v1alpha1.ClusterOpening:
			return j.follow(status)
		}
		if result := j.mayOpen(name); result == stop {
			return stop
		}
		now := metav1.NewTime(j.Now)
		status.State, status.OpenedTime, status.After = v1alpha1.ClusterOpening, &now, nil
		status.Doubt, status.Replaced = nil, 0
		status.Before = j.evidence(name)
		j.enter(v1alpha1.PhaseOpening, v1alpha1.ReasonOpened, "opening cluster by cluster: "+j.consent())
		j.event(false, v1alpha1.ReasonOpened, "opening cluster "+name)
		j.suspendPolicies()
		return j.wait(v1alpha1.ReasonAwaitingKarmada, "opening cluster "+name, soon)
	}
	return proceed
}

// mayOpen holds the next cluster back while anything speaks against it.
func (j *journey) mayOpen(name string) outcome {
	cluster := j.Clusters[name]
	if window, until, frozen := gate.Frozen(j.Strategy.Freeze, j.Now); frozen {
		message := fmt.Sprintf("freeze window %s is open until %s", window, until.UTC().Format(time.RFC3339))
		return j.wait(v1alpha1.ReasonFrozen, message, min(max(until.Sub(j.Now), soon), resting))
	}
	switch {
	case j.Mode == v1alpha1.ModePause:
		return j.wait(v1alpha1.ReasonPaused, "whitelist "+j.Whitelist+" is paused", resting)
	case !j.opened() && !j.Turn.Open:
		return j.wait(j.Turn.Reason, j.Turn.Message, resting)
	case cluster.Unreachable != "":
		return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): it is not opened until it does",
			name, cluster.Unreachable)
	case !cluster.Ready:
		return j.block(v1alpha1.ReasonClusterNotReady, "Karmada counts cluster %s as not Ready: it is not opened until it is", name)
	}
	for _, other := range j.names() {
		if why := j.Clusters[other].Unreachable; why != "" && j.clusterStatus(other).State != v1alpha1.ClusterSuspended {
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s, opened before, does not answer (%s): "+
				"%s is not opened until it is known how the application fares there", other, why, name)
		}
	}
	workload := j.live(name, j.workload())
	if workload == nil {
		return j.block(v1alpha1.ReasonWorkloadMissing, "%s is gone from cluster %s", policy.User(j.workload()), name)
	}
	for _, why := range []string{rolling(workload), unhealthy(workload, cluster, j.Strategy.MaxUnavailable)} {
		if why != "" {
			return j.block(v1alpha1.ReasonUnhealthy, "in cluster %s %s: it is not opened until this is over", name, why)
		}
	}
	return j.stillEmpty(name)
}

// stillEmpty looks once more, right before opening, at what a dry run in this very cluster would change. A
// static release there after the approval shows here; with other clusters open already, that is a failure.
func (j *journey) stillEmpty(name string) outcome {
	for _, resource := range j.federated() {
		if !slices.Contains(resource.Clusters, name) {
			continue
		}
		run, ran := j.Clusters[name].DryRuns[resource.ResourceReference]
		if !ran {
			j.decision.Actions = nil
			if j.live(name, resource.ResourceReference) == nil && j.opened() {
				return j.fail(v1alpha1.ReasonPlanHarmful, "cluster %s changed since the plan was approved: %s is gone",
					name, policy.User(resource.ResourceReference))
			}
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "dry runs in cluster "+name+" are under way", soon)
		}
		if run.Untried != "" {
			j.decision.Actions = nil
			return j.proved(resource.ResourceReference, name, "the cluster is not opened")
		}
		why := run.Error
		if why == "" {
			if changes := Compare(run.Live, run.Result); len(changes) > 0 && changes[0].Kind == v1alpha1.ChangeHarmful {
				why = fmt.Sprintf("%s would change from %s to %s", changes[0].Path, orNothing(changes[0].Live), orNothing(changes[0].Planned))
			}
		}
		if why == "" {
			continue
		}
		j.decision.Actions = nil
		if j.opened() {
			return j.fail(v1alpha1.ReasonPlanHarmful, "cluster %s changed since the plan was approved: %s: %s",
				name, policy.User(resource.ResourceReference), why)
		}
		return j.block(v1alpha1.ReasonPlanHarmful, "%s in cluster %s: %s", policy.User(resource.ResourceReference), name, why)
	}
	return proceed
}

// follow an opened cluster until it has taken everything over.
func (j *journey) follow(status *v1alpha1.ClusterStatus) outcome {
	late := j.Now.Sub(status.OpenedTime.Time) > j.Strategy.StepTimeout
	if cluster := j.Clusters[status.Name]; cluster.Unreachable != "" {
		if late {
			return j.fail(v1alpha1.ReasonStepTimedOut, "cluster %s was opened and has not answered for %s (%s)",
				status.Name, j.Strategy.StepTimeout, cluster.Unreachable)
		}
		return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s was opened and does not answer (%s): waiting up to %s",
			status.Name, cluster.Unreachable, j.Strategy.StepTimeout)
	}
	if lost := j.lost(); lost != "" {
		return j.fail(v1alpha1.ReasonPolicyLost, "%s", lost)
	}
	// The controller may have died between noting that it opens the cluster and doing so, and come back late.
	if j.suspendPolicies(); len(j.decision.Actions) > 0 {
		if result := j.stillEmpty(status.Name); result == stop {
			return stop
		}
	}
	for _, resource := range j.federated() {
		if !slices.Contains(resource.Clusters, status.Name) || !j.open(resource.Users, status.Name) {
			continue
		}
		if why := j.notTakenOver(resource, status.Name); why != "" {
			message := fmt.Sprintf("%s in cluster %s %s", policy.User(resource.ResourceReference), status.Name, why)
			if late {
				return j.fail(v1alpha1.ReasonStepTimedOut, "%s, %s after opening", message, j.Strategy.StepTimeout)
			}
			return j.wait(v1alpha1.ReasonAwaitingKarmada, message, soon)
		}
	}
	status.State = v1alpha1.ClusterOpen
	status.After = j.evidence(status.Name)
	message := fmt.Sprintf("cluster %s took over %d pods, none restarted", status.Name, status.After.PodCount)
	if status.Replaced > 0 {
		message = fmt.Sprintf("cluster %s took over %d pods; none was restarted by it, %d were replaced by others of the same revision meanwhile",
			status.Name, status.After.PodCount, status.Replaced)
	}
	j.event(false, v1alpha1.ReasonTakenOver, message)
	j.history(v1alpha1.ReasonTakenOver, message)
	return j.wait(v1alpha1.ReasonTakenOver, message, soon)
}

// notTakenOver says what shows that Karmada has not written an object into its cluster yet. The condition
// Applied does not tell: it has no generation and stays True while suspended.
func (j *journey) notTakenOver(resource v1alpha1.ResourceStatus, cluster string) string {
	work, exists := j.Clusters[cluster].Works[resource.ResourceReference]
	live := j.live(cluster, resource.ResourceReference)
	template := j.Control.Templates[resource.ResourceReference]
	switch {
	case template == nil:
		return "has no template in the control plane"
	case live == nil:
		return "is not there"
	case !exists || work.Suspended || work.Dispatching != metav1.ConditionTrue:
		return "is not being dispatched yet"
	case live.GetLabels()["karmada.io/managed"] != "true" ||
		live.GetAnnotations()["resourcetemplate.karmada.io/uid"] != string(template.GetUID()):
		return "is not managed yet"
	case template.GetGeneration() > 0 && generationOf(live) != template.GetGeneration():
		return fmt.Sprintf("is at generation %d of the template, which is at %d", generationOf(live), template.GetGeneration())
	}
	if policy.Supported(resource.APIVersion, resource.Kind) {
		return ""
	}
	// ConfigMaps and Secrets carry no generation: their content is compared.
	for key, want := range work.Manifest.Object {
		if key == "metadata" || key == "status" {
			continue
		}
		if at, same := policy.Contains(live.Object[key], want); !same {
			return "differs at " + policy.Human("/"+key+at)
		}
	}
	return ""
}

// suspendPolicies writes each policy's suspension, in one update each, where it is not what it must be.
func (j *journey) suspendPolicies() {
	for _, resource := range j.federated() {
		existing := j.Control.Policies[resource.Policy]
		if existing == nil {
			continue
		}
		want := policy.Suspension(resource.Clusters, func(cluster string) bool { return j.open(resource.Users, cluster) })
		held := want == nil || policy.Held(&existing.Spec.Placement)
		if held && equality.Semantic.DeepEqual(existing.Spec.Suspension, want) && ptr.Deref(existing.Spec.PreserveResourcesOnDeletion, false) {
			continue
		}
		j.act(Action{Verb: SetSuspension, Ref: policyRef(resource.Policy), Suspension: want, Seen: seen(existing)})
	}
}
