package plan

import (
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
