package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// soak watches for a while after the last cluster opened.
func (j *journey) soak() outcome {
	j.enter(v1alpha1.PhaseSoaking, v1alpha1.ReasonSoaking, fmt.Sprintf("all clusters took over; watching for %s", j.Strategy.Soak))
	if j.next.SoakStartTime == nil {
		now := metav1.NewTime(j.Now)
		j.next.SoakStartTime = &now
	}
	if lost := j.lost(); lost != "" {
		return j.fail(v1alpha1.ReasonPolicyLost, "%s", lost)
	}
	for _, name := range j.names() {
		if why := j.Clusters[name].Unreachable; why != "" {
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): the soak does not end until it does", name, why)
		}
		if !j.Clusters[name].Ready {
			return j.block(v1alpha1.ReasonClusterNotReady, "Karmada counts cluster %s as not Ready: the soak does not end until it is", name)
		}
	}
	if left := j.Strategy.Soak - j.Now.Sub(j.next.SoakStartTime.Time); left > 0 {
		until := j.next.SoakStartTime.Add(j.Strategy.Soak).UTC().Format("15:04:05 MST")
		return j.wait(v1alpha1.ReasonSoaking, fmt.Sprintf("watched for %s, until %s", j.Strategy.Soak, until), min(left, waiting))
	}
	return proceed
}

// release gives scheduling back, and what is open everywhere to Karmada's failover. The placement is marked as applied, so that
// the scheduler, which finds sums and placement unchanged, does not schedule.
func (j *journey) release() outcome {
	if result := j.letGo(); result == stop {
		return stop
	}
	for _, resource := range j.federated() {
		binding := j.Control.Bindings[resource.ResourceReference]
		if binding != nil && frozen(binding) && len(resource.Clusters) > 0 {
			j.act(Action{Verb: SetScheduling, Ref: resource.ResourceReference, Frozen: false, Seen: seen(binding)})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonAwaitingKarmada, "giving scheduling back", soon)
	}
	return proceed
}

// letGo gives evictions back, and waits until bindings show it.
func (j *journey) letGo() outcome {
	for _, resource := range j.federated() {
		existing := j.Control.Policies[resource.Policy]
		if existing != nil && existing.Spec.Suspension == nil && policy.Held(&existing.Spec.Placement) {
			j.act(Action{Verb: SetSuspension, Ref: policyRef(resource.Policy), LetGo: true, Seen: seen(existing)})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonAwaitingKarmada, "giving evictions back", soon)
	}
	for _, resource := range j.federated() {
		existing, binding := j.Control.Policies[resource.Policy], j.Control.Bindings[resource.ResourceReference]
		if existing != nil && binding != nil && frozen(binding) && existing.Spec.Suspension == nil && policy.Held(binding.Spec.Placement) {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "Karmada has not given the binding of "+
				policy.User(resource.ResourceReference)+" its policy's placement yet", soon)
		}
	}
	return proceed
}

// arrived records the end of the way in.
func (j *journey) arrived() outcome {
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		cluster.After = j.evidence(cluster.Name)
	}
	j.enter(v1alpha1.PhaseFederated, v1alpha1.ReasonFederated, "federated in "+list(j.names())+"; "+j.unchanged())
	j.condition(v1alpha1.ConditionAdvancing, metav1.ConditionTrue, v1alpha1.ReasonAllDone, "federated")
	j.decision.Requeue = resting
	return stop
}

// stay watches over a federated application: its owners and CI/CD write it now, and only what would take
// it out of the federation unseen is reported.
var stay = []step{{name: "readable", run: (*journey).readable}, {name: "stay", run: (*journey).stay}}

func (j *journey) stay() outcome {
	if lost := j.lost(); lost != "" {
		return j.block(v1alpha1.ReasonPolicyLost, "%s", lost)
	}
	j.enter(v1alpha1.PhaseFederated, v1alpha1.ReasonFederated, "federated")
	j.spread()
	reason, message := v1alpha1.ReasonAllDone, "federated"
	pruning := j.prune()
	if pruning != "" {
		message += "; " + pruning
	}
	if drifted := j.synced(); drifted != "" {
		reason, message = v1alpha1.ReasonDrifted, drifted
	}
	if left := j.leftBehind(); left != "" {
		reason, message = v1alpha1.ReasonUnmanagedPods, left
	}
	if reason != v1alpha1.ReasonAllDone {
		j.warn(reason, message)
	}
	j.condition(v1alpha1.ConditionAdvancing, metav1.ConditionTrue, reason, message)
	j.decision.Requeue = resting
	if pruning != "" || len(j.decision.Actions) > 0 {
		j.decision.Requeue = soon
	}
	return stop
}

// spread records the clusters that a federated application has come to since it was taken over: publishing reaches them too, and a
// rollback closes them by name.
func (j *journey) spread() {
	if binding := j.Control.Bindings[j.workload()]; binding != nil {
		for _, target := range binding.Spec.Clusters {
			if j.clusterStatus(target.Name) == nil {
				reached := v1alpha1.ClusterStatus{Name: target.Name, State: v1alpha1.ClusterOpen, Replicas: target.Replicas, Spread: true}
				j.next.Clusters = append(j.next.Clusters, reached)
				j.history(v1alpha1.ReasonFederated, "spread to cluster "+target.Name)
			}
		}
	}
	for i := range j.next.Resources {
		resource := &j.next.Resources[i]
		binding := j.Control.Bindings[resource.ResourceReference]
		if resource.Policy == "" || binding == nil {
			continue
		}
		for _, target := range binding.Spec.Clusters {
			if !slices.Contains(resource.Clusters, target.Name) {
				resource.Clusters = append(slices.Clone(resource.Clusters), target.Name)
			}
		}
	}
}

// Strays are the clusters a federated application came from and was scheduled away from since, because they are being unjoined,
// say. Karmada preserves what it deschedules: pods may run on there that nobody counts.
func Strays(world World) []string {
	world = world.ruled()
	j := &journey{World: world, next: world.Status}
	binding := world.Control.Bindings[j.workload()]
	if world.Entry == nil || world.Status.Phase != v1alpha1.PhaseFederated || binding == nil {
		return nil
	}
	return slices.DeleteFunc(j.names(), func(name string) bool {
		return slices.ContainsFunc(binding.Spec.Clusters, func(target workv1alpha2.TargetCluster) bool { return target.Name == name })
	})
}

// leftBehind counts the pods that run on where the federation no longer manages them.
func (j *journey) leftBehind() string {
	var found []string
	for _, name := range Strays(j.World) {
		user := policy.User(j.workload())
		switch cluster := j.Clusters[name]; {
		case cluster.Unreachable != "":
			found = append(found, fmt.Sprintf("%s was scheduled away from cluster %s, and whether its pods run on there is unknown: "+
				"cluster %s does not answer (%s)", user, name, name, cluster.Unreachable))
		case len(cluster.Pods) > 0:
			remedy := "put the cluster back into its policy"
			if cluster.Leaving {
				remedy = "let the application leave before the cluster is gone"
			}
			found = append(found, fmt.Sprintf("%d pods of %s run on in cluster %s, which it was scheduled away from: "+
				"nobody manages or counts them; scale it down there by hand, or %s", len(cluster.Pods), user, name, remedy))
		}
	}
	return strings.Join(found, "; ")
}
