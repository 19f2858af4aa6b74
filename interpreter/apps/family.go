package apps

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/share"
)

func kind(name string) []schema.GroupVersionKind {
	return []schema.GroupVersionKind{{Group: "apps", Version: "v1", Kind: name}}
}

// StatefulSet is the rules for it.
func StatefulSet() *family.Family {
	return &family.Family{
		Name:            "apps-statefulset",
		Kinds:           kind("StatefulSet"),
		NeedsDivision:   fleet.NeedsDivision,
		ReviseReplica:   fleet.ReviseReplica,
		Dispatch:        fleet.Dispatch,
		Retain:          fleet.Retain,
		AggregateStatus: aggregateStatus,
		InterpretStatus: aggregate.Reflect,
		InterpretHealth: statefulSetHealth,
	}
}

// Deployment is the rules for it.
func Deployment() *family.Family {
	return &family.Family{
		Name: "apps-deployment", Kinds: kind("Deployment"), AggregateStatus: aggregateDeployment, InterpretHealth: deploymentHealth,
	}
}

// DaemonSet is the rules for it.
func DaemonSet() *family.Family {
	return &family.Family{
		Name: "apps-daemonset", Kinds: kind("DaemonSet"), AggregateStatus: aggregateDaemonSet, InterpretHealth: daemonSetHealth,
		// Karmada's own answer does not say of which revision of a release the numbers are.
		InterpretStatus: aggregate.Reflect,
	}
}

// ReplicaSet is the rules for it.
func ReplicaSet() *family.Family {
	return &family.Family{Name: "apps-replicaset", Kinds: kind("ReplicaSet"), AggregateStatus: aggregateReplicaSet}
}

// Where the fields the rules touch stand.
var (
	replicasPath    = []string{"spec", "replicas"}
	strategyPath    = []string{"spec", "updateStrategy", "type"}
	partitionPath   = []string{"spec", "updateStrategy", "rollingUpdate", "partition"}
	unavailablePath = []string{"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"}
)

// fleet is what is divided over the members, and what a member may own. Kubernetes rounds maxUnavailable down, and takes 1 for 0.
var fleet = share.Fleet{
	Replicas: replicasPath,
	Default:  defaultReplicas,
	Template: []string{"spec", "template"},
	Fields: []share.Field{
		{Name: "partition", Path: partitionPath, Meaning: share.Held},
		{Name: "max-unavailable", Path: unavailablePath, Meaning: share.Allowance},
	},
	Rollout:  [][]string{partitionPath},
	Strategy: strategyPath,
}

// defaultReplicas is the API's.
const defaultReplicas = 1
