package servicecomponent

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// Family is the rules for Component.
func Family() *family.Family {
	return &family.Family{
		Name:                "component",
		Kinds:               []schema.GroupVersionKind{{Group: "component.luojilab.com", Version: "v1alpha1", Kind: "Component"}},
		InterpretReplica:    interpretReplica,
		NeedsDivision:       needsDivision,
		ReviseReplica:       reviseReplica,
		Dispatch:            dispatch,
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
	strategyPath    = []string{"spec", "strategy"}
	stepsPath       = []string{"spec", "strategy", "canary", "steps"}
	unavailablePath = []string{"spec", "strategy", "rolling", "maxUnavailable"}
)

// fleetFields are the numbers that mean the whole fleet; the steps of a canary are in steps.go.
var fleetFields = []share.Field{
	{Name: "max-unavailable", Path: unavailablePath, Meaning: share.Allowance},
	{Name: "max-surge", Path: []string{"spec", "strategy", "rolling", "maxSurge"}, Meaning: share.Allowance},
}

// defaultReplicas is the CRD's default; an object written before the CRD had it may lack the field.
const defaultReplicas = 1
