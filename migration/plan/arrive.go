package plan

import (
	"fmt"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// arrive brings an application under federation, for the first time or again: with everything suspended,
// it makes the control plane hold exactly what the members have, proves it, and opens them one by one.
// Until the first cluster is open every pass starts again from what the members hold, so a static release
// in between is taken in (and, being another plan, needs new approvals).
var arrive = []step{
	{"turn", (*journey).turn},
	{"reach", (*journey).reach},
	{"discover", (*journey).discover},
	{"quiet", (*journey).quiet},
	{"ownership", (*journey).ownership},
	{"overrides", (*journey).overrides},
	{"policies", (*journey).policies},
	{"templates", (*journey).templates},
	{"bindings", (*journey).bindings},
	{"fence", (*journey).fence},
	{"prove", (*journey).prove},
	{"approve", (*journey).approve},
	{"open", (*journey).openClusters},
	{"soak", (*journey).soak},
	{"release", (*journey).release},
	{"federated", (*journey).arrived},
}

// turn waits for what the whitelist asks for.
func (j *journey) turn() outcome {
	if j.next.Phase == "" || j.next.Phase == v1alpha1.PhaseLeft {
		j.enter(v1alpha1.PhasePending, v1alpha1.ReasonAdvancing, "on whitelist "+j.Whitelist)
	}
	if j.Conflict != "" {
		return j.block(v1alpha1.ReasonConflictingOwners, "whitelists %s and %s both list the application: take it off one of them", j.Whitelist, j.Conflict)
	}
	if j.next.Failure != nil {
		j.retry()
	}
	switch {
	case j.opened():
		return proceed
	case j.Mode == v1alpha1.ModePause:
		return j.wait(v1alpha1.ReasonPaused, "whitelist "+j.Whitelist+" is paused", resting)
	case !j.Turn.Prepare:
		return j.wait(j.Turn.Reason, j.Turn.Message, waiting)
	case j.Entry.Trigger == v1alpha1.TriggerOnRelease && j.Spec.ReleasedTime == nil:
		return j.wait(v1alpha1.ReasonTriggerPending, "waits for its next release: publish it with 'argosyctl publish', or set the entry's trigger to Immediate", resting)
	}
	return proceed
}

// retry starts a new attempt. Clusters that stayed open through a pause are judged from now on.
func (j *journey) retry() {
	j.next.Failure, j.next.SoakStartTime = nil, nil
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		workload := j.live(cluster.Name, j.workload())
		if cluster.State == v1alpha1.ClusterSuspended || workload == nil {
			continue
		}
		now := metav1.NewTime(j.Now)
		cluster.Before, cluster.OpenedTime = take(j.Now, workload, j.Clusters[cluster.Name].Pods), &now
	}
	j.event(false, v1alpha1.ReasonAdvancing, fmt.Sprintf("attempt %d", max(j.Spec.Attempt, 1)))
}

// candidates are the clusters the application may be in: those its entry names, those the record names on
// the way out, else every joined one.
func (j *journey) candidates() []string {
	switch {
	case j.Entry != nil && len(j.Entry.Clusters) > 0:
		names := append([]string(nil), j.Entry.Clusters...)
		sort.Strings(names)
		return names
	case j.Entry == nil:
		return j.names()
	}
	var names []string
	for _, name := range sortedKeys(j.Clusters) {
		if j.Clusters[name].Joined {
			names = append(names, name)
		}
	}
	return names
}

// reach needs an answer from every cluster the application may be in: silence is not absence.
func (j *journey) reach() outcome {
	if j.opened() || j.purging() {
		return proceed
	}
	for _, name := range j.candidates() {
		cluster := j.Clusters[name]
		switch {
		case !cluster.Joined:
			return j.block(v1alpha1.ReasonClusterUnknown, "cluster %s is not joined to the federation: join it with 'karmadactl join %s' or correct the whitelist's entry", name, name)
		case cluster.Unreachable != "":
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): nothing is decided until it does", name, cluster.Unreachable)
		}
	}
	return proceed
}

// discover finds the application's objects and authors what the control plane needs for them.
func (j *journey) discover() outcome {
	if j.opened() || j.purging() {
		return proceed
	}
	objects := map[string][]policy.Found{}
	for _, name := range j.candidates() {
		found, err := policy.Discover(j.Clusters[name].Objects, j.workload())
		if err != nil {
			return j.block(v1alpha1.ReasonKindUnsupported, "cluster %s: %v", name, err)
		}
		if found == nil && (j.Entry == nil || len(j.Entry.Clusters) > 0) {
			return j.block(v1alpha1.ReasonWorkloadMissing, "%s is not in cluster %s: deploy it there, or take the cluster out of the whitelist's entry", policy.User(j.workload()), name)
		}
		if found != nil {
			objects[name] = found
		}
	}
	if len(objects) == 0 {
		return j.block(v1alpha1.ReasonWorkloadMissing, "%s is in none of the joined clusters: check namespace %s, kind and name in the whitelist's entry", policy.User(j.workload()), j.Namespace)
	}
	if missing := j.addShared(objects); missing != "" {
		return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s shares an object of the application and does not answer", missing)
	}
	resources, err := policy.Author(policy.Application{
		Namespace: j.Namespace, Workload: j.workload(), Objects: objects, Owner: j.Owner, Adopted: j.adopted, Base: j.base(objects),
	})
	if err != nil {
		return j.block(v1alpha1.ReasonKindUnsupported, "%v", err)
	}
	j.resources = resources
	j.record()
	return proceed
}

// addShared adds the objects the application shares from those clusters which it is not in itself, where
// the shared object's policy already serves others: a union of clusters never shrinks by itself.
func (j *journey) addShared(objects map[string][]policy.Found) (unreachable string) {
	shared := map[Ref][]string{}
	for _, found := range objects {
		for _, one := range found {
			if len(one.Users) > 1 {
				shared[policy.RefOf(one.Object)] = append(shared[policy.RefOf(one.Object)], one.Users...)
			}
		}
	}
	for ref, users := range shared {
		existing := j.Control.Policies[policy.Name(ref.Kind, ref.Name)]
		if existing == nil || existing.Spec.Placement.ClusterAffinity == nil {
			continue
		}
		for _, name := range existing.Spec.Placement.ClusterAffinity.ClusterNames {
			if holds(objects[name], ref) {
				continue
			}
			if j.Clusters[name].Unreachable != "" || !j.Clusters[name].Joined {
				return name
			}
			if live := j.live(name, ref); live != nil {
				objects[name] = append(objects[name], policy.Found{Object: live, Users: users})
			}
		}
	}
	return ""
}

func holds(objects []policy.Found, ref Ref) bool {
	for _, one := range objects {
		if policy.RefOf(one.Object) == ref {
			return true
		}
	}
	return false
}

// adopted lets a shared object in only when every other user of it is federated: until then its content is
// under static management, and two masters would fight.
func (j *journey) adopted(_ Ref, users []string) (string, bool) {
	for _, user := range users {
		if user == policy.User(j.workload()) {
			continue
		}
		if neighbour, known := j.Neighbours[user]; !known || !neighbour.Settled {
			return "shared with " + user + ", which is not federated: it stays static until every user is", false
		}
	}
	return "", true
}

// record what was found in the status.
func (j *journey) record() {
	workload := &j.resources[0]
	var clusters []v1alpha1.ClusterStatus
	for _, name := range workload.Clusters {
		status := v1alpha1.ClusterStatus{Name: name, State: v1alpha1.ClusterSuspended}
		if old := j.clusterStatus(name); old != nil {
			status = *old
		}
		status.Replicas = workload.Replicas[name]
		clusters = append(clusters, status)
	}
	j.next.Clusters = clusters
	j.next.Resources = nil
	for i := range j.resources {
		resource := &j.resources[i]
		status := v1alpha1.ResourceStatus{ResourceReference: resource.ResourceReference, Clusters: resource.Clusters, Note: resource.Local}
		if len(resource.Users) > 1 {
			status.Users = resource.Users
		}
		if resource.Local == "" {
			status.Policy = resource.Policy.Name
		}
		j.next.Resources = append(j.next.Resources, status)
	}
	if j.Entry != nil && j.next.Phase != v1alpha1.PhaseAwaitingApproval {
		j.enter(v1alpha1.PhasePreparing, v1alpha1.ReasonAdvancing, "preparing to take over "+strings.Join(workload.Clusters, ", "))
	}
}

// quiet needs the application to be at rest, and of one piece.
func (j *journey) quiet() outcome {
	if j.opened() || j.purging() {
		return proceed
	}
	workload := &j.resources[0]
	first := workload.Clusters[0]
	for _, name := range workload.Clusters {
		live := j.live(name, j.workload())
		switch {
		case !policy.Supported(j.Spec.APIVersion, j.Spec.Kind):
			return j.block(v1alpha1.ReasonKindUnsupported, "%s %s cannot be migrated: supported are Deployment, StatefulSet and DaemonSet of apps, and CloneSet, StatefulSet and DaemonSet of apps.kruise.io", j.Spec.APIVersion, j.Spec.Kind)
		case !j.Clusters[name].Ready:
			return j.block(v1alpha1.ReasonClusterNotReady, "Karmada counts cluster %s as not Ready, and would leave it out when scheduling: see 'kubectl get cluster %s'", name, name)
		case rolling(live) != "":
			return j.block(v1alpha1.ReasonRolloutRunning, "a rollout is under way or half finished in cluster %s: %s; finish it first", name, rolling(live))
		case images(live) != images(j.live(first, j.workload())):
			return j.block(v1alpha1.ReasonImagesDiffer, "clusters run different images: %s has %s, %s has %s; release one version to all first",
				first, images(j.live(first, j.workload())), name, images(live))
		}
		if replicas, divided := policy.Replicas(live); divided && replicas == 0 {
			return j.block(v1alpha1.ReasonNoReplicas, "%s has 0 replicas in cluster %s, and Karmada drops a cluster with none: scale it up, or list the other clusters in the whitelist's entry", policy.User(j.workload()), name)
		}
	}
	return j.served()
}

// served checks that every kind exists where it must. A member whose kind Karmada does not know yet would be
// left out at the first scheduling.
func (j *journey) served() outcome {
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		kind := resource.APIVersion + "/" + resource.Kind
		if !j.Control.Kinds[kind] {
			return j.block(v1alpha1.ReasonAPIMissing, "karmada-apiserver does not serve %s: apply its CustomResourceDefinition there", kind)
		}
		for _, name := range resource.Clusters {
			if !j.Clusters[name].Kinds[kind] {
				return j.block(v1alpha1.ReasonAPIMissing, "Karmada has not seen %s in cluster %s yet (Cluster status.apiEnablements)", kind, name)
			}
		}
	}
	return proceed
}

// ownership refuses what somebody else manages.
func (j *journey) ownership() outcome {
	if j.opened() || j.purging() {
		return proceed
	}
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		if why := j.foreign(resource); why != "" {
			return j.block(v1alpha1.ReasonAlreadyManaged, "%s", why)
		}
	}
	return proceed
}

func (j *journey) foreign(resource *policy.Resource) string {
	name := policy.User(resource.ResourceReference)
	template := j.Control.Templates[resource.ResourceReference]
	uid := ""
	if template != nil {
		uid = string(template.GetUID())
		if template.GetLabels()[v1alpha1.LabelManagedBy] == "" {
			return fmt.Sprintf("%s is in the control plane already and not ours: delete it there (it manages nothing here), or label it %s=%s to hand it over", name, v1alpha1.LabelManagedBy, j.Owner)
		}
		annotations := template.GetAnnotations()
		if by := annotations["clusterpropagationpolicy.karmada.io/name"]; by != "" {
			return fmt.Sprintf("%s is held by ClusterPropagationPolicy %s: take it out of that policy's selectors", name, by)
		}
		if by := annotations["propagationpolicy.karmada.io/name"]; by != "" && by != resource.Policy.Name {
			return fmt.Sprintf("%s is held by PropagationPolicy %s: take it out of that policy's selectors", name, by)
		}
	}
	if existing := j.Control.Policies[resource.Policy.Name]; existing != nil && existing.Labels[v1alpha1.LabelManagedBy] == "" {
		return fmt.Sprintf("PropagationPolicy %s exists and is not ours: rename it or delete it", resource.Policy.Name)
	}
	if rival := rival(j.Control, resource); rival != "" {
		return fmt.Sprintf("%s would also be claimed by %s: take it out of that policy's selectors", name, rival)
	}
	for _, cluster := range resource.Clusters {
		live := j.live(cluster, resource.ResourceReference)
		if live.GetLabels()["karmada.io/managed"] == "true" && (uid == "" || live.GetAnnotations()["resourcetemplate.karmada.io/uid"] != uid) {
			return fmt.Sprintf("%s in cluster %s bears karmada.io/managed: another control plane manages it, or the label was copied with its YAML; if the latter, remove the label there", name, cluster)
		}
	}
	return ""
}

// rival names another policy that could claim the template before ours or take it from ours.
func rival(control Control, resource *policy.Resource) string {
	for _, name := range sortedKeys(control.Policies) {
		if name == resource.Policy.Name {
			continue
		}
		spec := &control.Policies[name].Spec
		if policy.Rivals(spec, resource.Template) {
			return "PropagationPolicy " + name
		}
	}
	for _, name := range sortedKeys(control.ClusterPolicies) {
		if policy.Rivals(&control.ClusterPolicies[name].Spec, resource.Template) {
			return "ClusterPropagationPolicy " + name
		}
	}
	return ""
}
