package daemonset

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
)

// Family is the rules for the Advanced DaemonSet.
func Family() *family.Family {
	return &family.Family{
		Name: "daemonset",
		Kinds: []schema.GroupVersionKind{
			{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "DaemonSet"},
			{Group: "apps.kruise.io", Version: "v1beta1", Kind: "DaemonSet"},
		},
		Retain:              retainMember,
		AggregateStatus:     aggregateStatus,
		InterpretStatus:     aggregate.Reflect,
		InterpretHealth:     interpretHealth,
		InterpretDependency: interpretDependency,
	}
}

// Where the fields the rules touch stand.
var (
	strategyPath    = []string{"spec", "updateStrategy", "type"}
	partitionPath   = []string{"spec", "updateStrategy", "rollingUpdate", "partition"}
	pausedPath      = []string{"spec", "updateStrategy", "rollingUpdate", "paused"}
	selectorPath    = []string{"spec", "updateStrategy", "rollingUpdate", "selector"}
	unavailablePath = []string{"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"}
)

const onDelete = "OnDelete"

func interpretDependency(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
	return podtemplate.Dependencies(object.Object, object.GetNamespace(), nil, "spec", "template")
}
