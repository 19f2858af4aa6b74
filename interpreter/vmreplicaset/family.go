package vmreplicaset

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// Family is the rules for VMReplicaSet.
func Family() *family.Family {
	return &family.Family{
		Name:                "vmreplicaset",
		Kinds:               []schema.GroupVersionKind{{Group: "vm.argosy.dev", Version: "v1alpha1", Kind: "VMReplicaSet"}},
		InterpretReplica:    interpretReplica,
		NeedsDivision:       fleet.NeedsDivision,
		ReviseReplica:       fleet.ReviseReplica,
		Dispatch:            fleet.Dispatch,
		Retain:              fleet.Retain,
		AggregateStatus:     aggregateStatus,
		InterpretStatus:     aggregate.Reflect,
		InterpretHealth:     interpretHealth,
		InterpretDependency: interpretDependency,
	}
}

// Where the fields the rules touch stand.
var (
	replicasPath        = []string{"spec", "replicas"}
	pausedPath          = []string{"spec", "paused"}
	serversToDeletePath = []string{"spec", "serversToDelete"}
	serverPath          = []string{"spec", "template", "spec"}
	machinePath         = []string{"spec", "template", "spec", "machine"}
	strategyPath        = []string{"spec", "updateStrategy", "type"}
	partitionPath       = []string{"spec", "updateStrategy", "partition"}
	unavailablePath     = []string{"spec", "updateStrategy", "maxUnavailable"}
)

// fleet is what is divided over the members, and what a member may own. The budget of failover is each member's own: it asks whether
// that member's own network is to be trusted.
var fleet = share.Fleet{
	Replicas: replicasPath,
	Default:  defaultReplicas,
	Template: []string{"spec", "template"},
	Fields: []share.Field{
		{Name: "partition", Path: partitionPath, Meaning: share.Held},
		{Name: "max-unavailable", Path: unavailablePath, Meaning: share.Allowance},
	},
	Rollout: [][]string{partitionPath, pausedPath},
	Names:   serversToDeletePath,
}

// defaultReplicas is the CRD's default; an object written before the CRD had it may lack the field.
const defaultReplicas = 1
