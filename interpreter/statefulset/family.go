package statefulset

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// Family is the rules for the Advanced StatefulSet.
func Family() *family.Family {
	return &family.Family{
		Name: "statefulset",
		Kinds: []schema.GroupVersionKind{
			{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "StatefulSet"},
			{Group: "apps.kruise.io", Version: "v1beta1", Kind: "StatefulSet"},
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
	replicasPath    = []string{"spec", "replicas"}
	templatePath    = []string{"spec", "template"}
	claimsPath      = []string{"spec", "volumeClaimTemplates"}
	strategyPath    = []string{"spec", "updateStrategy", "type"}
	partitionPath   = []string{"spec", "updateStrategy", "rollingUpdate", "partition"}
	pausedPath      = []string{"spec", "updateStrategy", "rollingUpdate", "paused"}
	unavailablePath = []string{"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"}
)

// fleet is what is divided over the members, and what a member may own. With pod management OrderedReady OpenKruise takes no
// maxUnavailable but 1, which is not divided.
var fleet = share.Fleet{
	Replicas: replicasPath,
	Default:  defaultReplicas,
	Template: templatePath,
	Fields: []share.Field{
		{Name: "partition", Path: partitionPath, Meaning: share.Held},
		{Name: "max-unavailable", Path: unavailablePath, Meaning: share.Allowance},
		{Name: "scale-max-unavailable", Path: []string{"spec", "scaleStrategy", "maxUnavailable"}, Meaning: share.Allowance},
	},
	Rollout:  [][]string{partitionPath, pausedPath},
	Paused:   pausedPath,
	Strategy: strategyPath,
}

// OpenKruise's defaults, which its webhook sets in members and nobody in a control plane that has only its CRDs.
const (
	defaultReplicas = 1
	onDelete        = "OnDelete"
)
