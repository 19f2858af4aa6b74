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
		Name:                "statefulset",
		Kinds:               []schema.GroupVersionKind{{Group: "apps.kruise.io", Version: "v1beta1", Kind: "StatefulSet"}},
		InterpretReplica:    podtemplate.Replicas,
		InterpretComponent:  podtemplate.Components,
		NeedsDivision:       needsDivision,
		ReviseReplica:       reviseReplica,
		Retain:              retainMember,
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

// fleetFields are the numbers that mean the whole fleet. With pod management OrderedReady OpenKruise takes no
// maxUnavailable but 1, which is not divided.
var fleetFields = []share.Field{
	{Name: "partition", Path: partitionPath, Meaning: share.Held},
	{Name: "max-unavailable", Path: unavailablePath, Meaning: share.Allowance},
	{Name: "scale-max-unavailable", Path: []string{"spec", "scaleStrategy", "maxUnavailable"}, Meaning: share.Allowance},
}

// OpenKruise's defaults, which its webhook sets in members and nobody in a control plane that has only its CRDs.
const (
	defaultReplicas = 1
	onDelete        = "OnDelete"
)
