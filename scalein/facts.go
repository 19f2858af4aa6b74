package scalein

import (
	"strings"
	"time"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// facts are all that a decision needs, read once.
type facts struct {
	order *v1alpha1.PodScaleIn
	now   time.Time
	// template is nil when there is none.
	template *template
	// kindUnknown: the control plane serves no such kind.
	kindUnknown bool
	// binding is nil when there is none.
	binding *division
	// caughtUp: Karmada's detector has made the binding from a template with lowered replicas. Until then its cache may be an
	// older one's, and what it writes puts the old total back.
	caughtUp bool
	// owner is the autoscaler that sets the template's replicas, as "kind name".
	owner string
	// busy is another order at work on the same template.
	busy string
	// works are the Works of the clusters that matter, by cluster; one that does not exist is absent.
	works map[string]work
	// members are the clusters that matter, by name.
	members map[string]member
	// strangers are pods that are named and are none of the workload's, by name and cluster: whose they are.
	strangers map[v1alpha1.PodReference]string
	// astray are the clusters in which pods run that were looked for in another.
	astray map[v1alpha1.PodReference]string
}

type template struct {
	replicas int32
	// request, lowered and loweredFrom are the annotations of those names.
	request, lowered, loweredFrom string
	// set: it is a VMReplicaSet, whose members tell how many servers they keep.
	set bool
	// adopt is AdoptOnce, AdoptAlways or empty. A set asks while members give servers up without replacement.
	adopt string
	// retained: the members own their replicas (Karmada's retain-replicas label).
	retained bool
	// cutOff: a migration's rollback took the workload out of the federation.
	cutOff bool
}

type division struct {
	clusters []clusterReplicas
	replicas int32
	lowered  string
	// loweredOf is the annotation of that name, 0 without one.
	loweredOf int32
	// divided: the placement divides the replicas; duplicated ones cannot differ from member to member.
	divided bool
	// suspended: the scheduler is held, by us or by somebody else.
	suspended bool
	// evicting: Karmada is moving replicas away from a cluster.
	evicting bool
	// observed: the scheduler has seen the present spec.
	observed bool
}

type clusterReplicas struct {
	name     string
	replicas int32
}

// of is the number of replicas the binding gives the cluster.
func (b *division) of(cluster string) (int32, bool) {
	for _, c := range b.clusters {
		if c.name == cluster {
			return c.replicas, true
		}
	}
	return 0, false
}

// names of the clusters, for people.
func (b *division) names() string {
	var names []string
	for _, c := range b.clusters {
		names = append(names, c.name)
	}
	if len(names) == 0 {
		return "no cluster"
	}
	return strings.Join(names, ", ")
}

func (b *division) sum() int32 {
	var sum int32
	for _, c := range b.clusters {
		sum += c.replicas
	}
	return sum
}

type work struct {
	// request is the annotation in the manifest.
	request  string
	replicas int32
	// failure is what became of the last update, when the member refused it or did not answer.
	failure string
}

type member struct {
	// unreachable says why the member could not be read. Nothing else of it is known then: unknown is not zero.
	unreachable string
	// uid of the workload there; empty when there is none.
	uid string
	// replicas the CloneSet there asks for, or the servers that the set there keeps.
	replicas int32
	// delivered is the id of the last request this member took.
	delivered string
	pods      map[string]pod
	budgets   []budget
}

type pod struct {
	owner string
	// ownerName is the owner for people, such as "CloneSet web".
	ownerName   string
	terminating bool
	ready       bool
	node        string
	labels      map[string]string
}

// budget is a PodDisruptionBudget of the member.
type budget struct {
	name    string
	allowed int32
	pods    map[string]bool
}
