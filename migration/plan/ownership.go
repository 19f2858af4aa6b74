package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// quiet needs the application to be at rest, and of one piece.
func (j *journey) quiet() outcome {
	workload := &j.resources[0]
	first := workload.Clusters[0]
	for _, name := range workload.Clusters {
		live := j.live(name, j.workload())
		switch {
		case !policy.Supported(j.Spec.APIVersion, j.Spec.Kind):
			return j.block(v1alpha1.ReasonKindUnsupported,
				"%s %s cannot be migrated: supported are Deployment, StatefulSet and DaemonSet of apps, and CloneSet, StatefulSet and DaemonSet of "+
					"apps.kruise.io", j.Spec.APIVersion, j.Spec.Kind)
		case policy.ControlledBy(live) != "":
			return j.block(v1alpha1.ReasonAlreadyManaged,
				"%s in cluster %s is owned by %s, which would undo what Karmada writes: federate that instead, or take the application off the "+
					"whitelist", policy.User(j.workload()), name, policy.ControlledBy(live))
		case !j.Clusters[name].Ready:
			return j.block(v1alpha1.ReasonClusterNotReady,
				"Karmada counts cluster %s as not Ready, and would leave it out when scheduling: see 'kubectl get cluster %s'", name, name)
		case rolling(live) != "":
			return j.block(v1alpha1.ReasonRolloutRunning, "a rollout is under way or half finished in cluster %s: %s; finish it first", name,
				rolling(live))
		case j.Entry != nil && images(live) != images(j.live(first, j.workload())): // who leaves takes its overrides along
			return j.block(v1alpha1.ReasonImagesDiffer, "clusters run different images: %s has %s, %s has %s; release one version to all first",
				first, images(j.live(first, j.workload())), name, images(live))
		}
		if replicas, divided := policy.Replicas(live); divided && replicas == 0 && j.Entry != nil {
			return j.block(v1alpha1.ReasonNoReplicas,
				"%s has 0 replicas in cluster %s, and Karmada drops a cluster with none: scale it up, or list the other clusters in the whitelist's "+
					"entry", policy.User(j.workload()), name)
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
	if want := policy.Name(j.Spec.Kind, j.Spec.Name); j.Owner != want {
		return j.block(v1alpha1.ReasonAlreadyManaged, "a Migration is named after its workload: %s is for Migration %s, delete this one",
			policy.User(j.workload()), want)
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

// readable blocks while a template of the application cannot be read. A rollback does not ask: it works on policies, bindings and Works.
func (j *journey) readable() outcome {
	for _, ref := range slices.SortedFunc(maps.Keys(j.Control.Unread), byUser) {
		return j.block(v1alpha1.ReasonUnreadable,
			"%s in the control plane cannot be read (%s): a kind that argosy-controller-manager has no rights for is taken out of the application "+
				"with its policy, or carried (carriedKinds of its configuration); a rollback needs neither", policy.User(ref), j.Control.Unread[ref])
	}
	return proceed
}

func byUser(a, b Ref) int { return strings.Compare(policy.User(a), policy.User(b)) }

// alive says whether another Migration of that name has anything in the control plane.
func (j *journey) alive(owner string) bool {
	for _, neighbour := range j.Neighbours {
		if neighbour.Owner == owner && !neighbour.Gone {
			return true
		}
	}
	return false
}

func (j *journey) foreign(resource *policy.Resource) string {
	name := policy.User(resource.ResourceReference)
	template := j.Control.Templates[resource.ResourceReference]
	uid := ""
	if template != nil {
		uid = string(template.GetUID())
		if by := template.GetLabels()[v1alpha1.LabelManagedBy]; by == "" {
			return fmt.Sprintf(
				"%s is in the control plane already and not ours: delete it there (it manages nothing here), or label it %s=%s to hand it over", name,
				v1alpha1.LabelManagedBy, j.Owner)
		} else if len(resource.Users) < 2 && j.alive(by) {
			return fmt.Sprintf("%s belongs to Migration %s: let that leave first ('argosyctl migration leave')", name, by)
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
			return fmt.Sprintf(
				"%s in cluster %s bears karmada.io/managed: another control plane manages it, or the label was copied with its YAML; if the latter, "+
					"remove the label there", name, cluster)
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

// whole refuses to let a cluster drop out of what Karmada holds. Without it in the placement Karmada would delete
// its Work, and write the stored manifest over whatever its owners released there meanwhile; where the object is
// missing the deletion would wait, and strike when somebody puts it back.
func (j *journey) whole() outcome {
	for _, resource := range j.federated() {
		// On the way in, what is gone everywhere just stays suspended.
		if j.Entry != nil && len(resource.Clusters) == 0 {
			continue
		}
		for _, name := range sortedKeys(j.Clusters) {
			work := j.Clusters[name].Works[resource.ResourceReference]
			user := policy.User(resource.ResourceReference)
			switch {
			case slices.Contains(resource.Clusters, name) || !j.reaches(resource, name):
			case work.Deleting:
				return j.block(v1alpha1.ReasonClusterDropped,
					"Karmada is deleting the Work of %s for cluster %s, and will write its stored manifest there: wait until it is gone", user, name)
			case j.live(name, resource.ResourceReference) == nil && j.Clusters[name].Unreachable == "" && slices.Contains(j.candidates(), name):
				return j.block(v1alpha1.ReasonClusterDropped,
					"%s is missing in cluster %s, which Karmada would write it to: put it back there; to be rid of it there, let the application leave "+
						"('argosyctl migration rollback', then 'leave') before you remove it", user, name)
			default:
				return j.block(v1alpha1.ReasonClusterDropped,
					"Karmada has %s for cluster %s as well, and dropping that cluster would write a stale manifest there: put it back into the "+
						"whitelist's entry, or let the application leave ('argosyctl migration rollback', then 'leave') and list it anew", user, name)
			}
		}
	}
	return proceed
}

// reaches says whether Karmada has, or is about to make, a Work of an object for a cluster.
func (j *journey) reaches(resource v1alpha1.ResourceStatus, cluster string) bool {
	if _, exists := j.Clusters[cluster].Works[resource.ResourceReference]; exists {
		return true
	}
	if binding := j.Control.Bindings[resource.ResourceReference]; binding != nil {
		for _, target := range binding.Spec.Clusters {
			if target.Name == cluster {
				return true
			}
		}
	}
	existing := j.Control.Policies[resource.Policy]
	return existing != nil && existing.Spec.Placement.ClusterAffinity != nil &&
		slices.Contains(existing.Spec.Placement.ClusterAffinity.ClusterNames, cluster)
}

// fixed refuses an object that its owners deleted and made anew while the application was cut off, with another selector, say: the
// API server of the control plane lets no template follow. Once the application has left, there is none. And one that came in when
// clusters had the same of it, and that no override can keep apart now: leaving it out would leave its template behind.
func (j *journey) fixed() outcome {
	for i := range j.resources {
		resource := &j.resources[i]
		template := j.Control.Templates[resource.ResourceReference]
		if template != nil && resource.Differs && len(resource.Users) < 2 && j.madeBy(resource.ResourceReference) == j.Owner {
			return j.block(v1alpha1.ReasonWriteRefused, "%s is in the control plane and cannot follow the members: %s. Make it the same in every "+
				"cluster",
				policy.User(resource.ResourceReference), resource.Local)
		}
		if resource.Local != "" || template == nil {
			continue
		}
		field := policy.Fixed(template, resource.Template)
		if field == "" {
			continue
		}
		remedy := "put it back there as it was"
		if j.Entry != nil && resource.Kind != "Secret" {
			remedy += ", or let the application leave ('argosyctl migration rollback', then 'leave') and list it anew"
		}
		return j.block(v1alpha1.ReasonWriteRefused,
			"%s has another %s in the members than in the control plane, where it can never be changed: %s",
			policy.User(resource.ResourceReference), field, remedy)
	}
	return proceed
}

// protect the namespace before there is anything in it that its deletion would take along.
func (j *journey) protect() outcome {
	if j.Home.Protected {
		return proceed
	}
	j.act(Action{
		Verb: Mark, Ref: namespaceRef(j.Namespace), Seen: j.Home.Version,
		Labels:      map[string]*string{workv1alpha2.DeletionProtectionLabelKey: ptr.To(workv1alpha2.DeletionProtectionAlways)},
		Annotations: map[string]*string{v1alpha1.AnnotationProtected: ptr.To("true")},
	})
	return j.written("the protection of namespace " + j.Namespace)
}

// unprotectHome once nothing of any application is in it; what its owners protected themselves stays so.
func (j *journey) unprotectHome() {
	for _, neighbour := range j.Neighbours {
		if !neighbour.Gone {
			return
		}
	}
	if j.Home.Ours {
		j.act(Action{
			Verb: Mark, Ref: namespaceRef(j.Namespace), Seen: j.Home.Version,
			Labels:      map[string]*string{workv1alpha2.DeletionProtectionLabelKey: nil},
			Annotations: map[string]*string{v1alpha1.AnnotationProtected: nil},
		})
	}
}

// closeFirst suspends what is open before anything is rewritten, and waits until the Works show it. There is
// nothing to do on an ordinary way; when the record was lost, or a policy was opened by hand, a new override on
// an old template would reach members at once.
func (j *journey) closeFirst() outcome {
	var own []v1alpha1.ResourceStatus
	for _, resource := range j.federated() {
		if len(resource.Users) < 2 {
			own = append(own, resource)
		}
	}
	for _, resource := range own {
		existing := j.Control.Policies[resource.Policy]
		switch {
		case existing == nil && j.Control.Bindings[resource.ResourceReference] != nil:
			j.remake(resource)
		case existing != nil && !closed(existing):
			j.act(Action{
				Verb: SetSuspension, Ref: policyRef(resource.Policy), Suspension: &policyv1alpha1.Suspension{Dispatching: ptr.To(true)},
				Seen: seen(existing),
			})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("the suspension of every policy, before anything else is written")
	}
	for _, resource := range own {
		for _, name := range sortedKeys(j.Clusters) {
			work, exists := j.Clusters[name].Works[resource.ResourceReference]
			if exists && !work.silent() {
				return j.wait(v1alpha1.ReasonAwaitingKarmada,
					fmt.Sprintf("the Work of %s for cluster %s is still dispatched", policy.User(resource.ResourceReference), name), soon)
			}
		}
	}
	return proceed
}

// closed policies dispatch nowhere, and take nothing with them when they go.
func closed(existing *policyv1alpha1.PropagationPolicy) bool {
	return ptr.Deref(deref(existing.Spec.Suspension).Dispatching, false) && ptr.Deref(existing.Spec.PreserveResourcesOnDeletion, false) &&
		existing.Spec.ActivationPreference == "" && policy.Held(&existing.Spec.Placement)
}
