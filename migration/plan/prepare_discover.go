package plan

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// discover finds the application's objects and authors what the control plane needs for them.
func (j *journey) discover() outcome {
	objects := map[string][]policy.Found{}
	for _, name := range j.candidates() {
		found, err := policy.Discover(j.Clusters[name].Objects, j.workload(), j.adoptedBefore()...)
		if err != nil {
			return j.block(v1alpha1.ReasonKindUnsupported, "cluster %s: %v", name, err)
		}
		if found == nil && (j.holdsWorkload(name) || j.Entry != nil && len(j.Entry.Clusters) > 0) {
			return j.block(v1alpha1.ReasonWorkloadMissing,
				"%s is not in cluster %s: deploy it there, or take the cluster out of the whitelist's entry", policy.User(j.workload()), name)
		}
		if found != nil {
			objects[name] = j.carried(found)
		}
	}
	if len(objects) == 0 {
		return j.block(v1alpha1.ReasonWorkloadMissing,
			"%s is in none of the joined clusters: check namespace %s, kind and name in the whitelist's entry", policy.User(j.workload()),
			j.Namespace)
	}
	j.addKept(objects)
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
	j.listObjects()
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

// adoptedBefore are the objects whose templates this application has in the control plane: they stay its own
// though its pods may not refer to them any more, since forgetting one would leave its stale template behind.
func (j *journey) adoptedBefore() []Ref {
	var out []Ref
	for _, resource := range append(Published(j.World), j.Status.Resources...) {
		if resource.Policy != "" && len(resource.Users) < 2 && j.madeBy(resource.ResourceReference) == j.Owner {
			out = append(out, resource.ResourceReference)
		}
	}
	return out
}

// carried are, on the way out, the objects that are in the control plane: nothing is taken in just to be let go
// of. What was shared goes with the last of its users that is there.
func (j *journey) carried(found []policy.Found) []policy.Found {
	if j.Entry != nil {
		return found
	}
	var out []policy.Found
	for _, one := range found {
		if ref := policy.RefOf(one.Object); ref != j.workload() && j.madeBy(ref) == "" {
			continue
		}
		one.Users = slices.DeleteFunc(slices.Clone(one.Users), func(user string) bool {
			neighbour, known := j.Neighbours[user]
			return user != policy.User(j.workload()) && (!known || neighbour.Gone)
		})
		out = append(out, one)
	}
	return out
}

// holdsWorkload says whether the workload is, or is meant to be, in a cluster: on the way out the record knows,
// and Karmada holds a Work for it.
func (j *journey) holdsWorkload(name string) bool {
	if j.Entry != nil {
		return false
	}
	return j.reaches(resourceOf(j.workload()), name) || !j.holdsOther(name)
}

func (j *journey) holdsOther(name string) bool {
	for _, ref := range j.adoptedBefore() {
		if ref != j.workload() && j.reaches(resourceOf(ref), name) {
			return true
		}
	}
	return false
}

// addKept adds what Karmada holds in clusters that the workload has left, such as the ConfigMap of one that was
// scheduled elsewhere while it was federated.
func (j *journey) addKept(objects map[string][]policy.Found) {
	for _, name := range sortedKeys(j.Clusters) {
		for _, ref := range j.adoptedBefore() {
			live := j.live(name, ref)
			if j.reaches(resourceOf(ref), name) && live != nil && ref != j.workload() && !holds(objects[name], ref) {
				objects[name] = append(objects[name], policy.Found{Object: live, Users: []string{policy.User(j.workload())}})
			}
		}
	}
}

// resourceOf an object that is federated, by the naming rule.
func resourceOf(ref Ref) v1alpha1.ResourceStatus {
	return v1alpha1.ResourceStatus{ResourceReference: ref, Policy: policy.Name(ref.Kind, ref.Name)}
}

// madeBy names the Migration that an object's template, policy or override is of; empty when there is none.
func (j *journey) madeBy(ref Ref) string {
	if template := j.Control.Templates[ref]; template != nil {
		return template.GetLabels()[v1alpha1.LabelManagedBy]
	}
	if existing := j.Control.Policies[policy.Name(ref.Kind, ref.Name)]; existing != nil {
		return existing.Labels[v1alpha1.LabelManagedBy]
	}
	if existing := j.Control.Overrides[policy.Name(ref.Kind, ref.Name)]; existing != nil {
		return existing.Labels[v1alpha1.LabelManagedBy]
	}
	return ""
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

// listObjects records what was found in the status.
func (j *journey) listObjects() {
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
	former := j.adoptedBefore()
	j.next.Clusters = clusters
	j.next.Resources, j.next.OmittedResources = nil, 0
	for i := range j.resources {
		resource := &j.resources[i]
		status := v1alpha1.ResourceStatus{ResourceReference: resource.ResourceReference, Clusters: resource.Clusters, Note: resource.Local}
		if len(resource.Users) > 1 {
			status.Users = resource.Users
		}
		if resource.Local == "" {
			status.Policy = resource.Policy.Name
			if len(resource.Marks) > 0 {
				status.Note = "bears the mark of " + strings.Join(resource.Marks, ", ") +
					": point that at the control plane, or it goes on writing in the members"
			}
		}
		j.next.Resources = append(j.next.Resources, status)
		former = slices.DeleteFunc(former, func(ref Ref) bool { return ref == resource.ResourceReference })
	}
	for _, ref := range former {
		j.next.Resources = append(j.next.Resources, v1alpha1.ResourceStatus{
			ResourceReference: ref, Policy: policy.Name(ref.Kind, ref.Name),
			Note: "gone from every cluster; its template stays in the control plane, suspended, until the application leaves",
		})
	}
	if j.Entry != nil && j.next.Phase != v1alpha1.PhaseAwaitingApproval {
		j.enter(v1alpha1.PhasePreparing, v1alpha1.ReasonAdvancing, "preparing to take over "+strings.Join(workload.Clusters, ", "))
	}
}

// base keeps templates as they are whose overrides then say what each cluster has. That of a shared object that is open for
// others: rewriting it together with its overrides is two writes, and between them a cluster would get another's content.
// And, on the way out, that of an object which was made anew in the members with what no update can bring about: it goes
// with its overrides. (Overrides would show a Secret in plain text.)
func (j *journey) base(objects map[string][]policy.Found) map[Ref]*unstructured.Unstructured {
	out := map[Ref]*unstructured.Unstructured{}
	for _, found := range objects {
		for _, one := range found {
			ref := policy.RefOf(one.Object)
			template := j.Control.Templates[ref]
			switch {
			case template == nil:
			case len(one.Users) > 1, j.Entry == nil && ref.Kind != "Secret" && policy.Fixed(template, policy.Template(one.Object)) != "":
				out[ref] = template
			}
		}
	}
	return out
}
