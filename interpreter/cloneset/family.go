package cloneset

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// Family is the rules for CloneSet.
func Family() *family.Family {
	return &family.Family{
		Name: "cloneset",
		Kinds: []schema.GroupVersionKind{
			{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"},
			{Group: "apps.kruise.io", Version: "v1beta1", Kind: "CloneSet"},
		},
		InterpretReplica:    podtemplate.Replicas,
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
	replicasPath     = []string{"spec", "replicas"}
	templatePath     = []string{"spec", "template"}
	claimsPath       = []string{"spec", "volumeClaimTemplates"}
	podsToDeletePath = []string{"spec", "scaleStrategy", "podsToDelete"}
	partitionPath    = []string{"spec", "updateStrategy", "partition"}
	strategyPath     = []string{"spec", "updateStrategy", "type"}
	pausedPath       = []string{"spec", "updateStrategy", "paused"}
	unavailablePath  = []string{"spec", "updateStrategy", "maxUnavailable"}
	surgePath        = []string{"spec", "updateStrategy", "maxSurge"}
)

// fleet is what is divided over the members, and what a member may own.
var fleet = share.Fleet{
	Replicas: replicasPath,
	Default:  defaultReplicas,
	Template: templatePath,
	Fields: []share.Field{
		{Name: "partition", Path: partitionPath, Meaning: share.Held},
		{Name: "max-unavailable", Path: unavailablePath, Meaning: share.Allowance},
		{Name: "max-surge", Path: surgePath, Meaning: share.Allowance},
		{Name: "scale-max-unavailable", Path: []string{"spec", "scaleStrategy", "maxUnavailable"}, Meaning: share.Allowance},
	},
	Rollout:  [][]string{partitionPath, pausedPath},
	Paused:   pausedPath,
	Strategy: strategyPath,
	Names:    podsToDeletePath,
}

// defaultReplicas is what OpenKruise takes when the field is absent; its webhook sets it in members, not in a control
// plane that has only its CRDs.
const defaultReplicas = 1
