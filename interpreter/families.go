package interpreter

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/apps"
	"github.com/argosy-dev/argosy/interpreter/cloneset"
	"github.com/argosy-dev/argosy/interpreter/daemonset"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/kruise"
	"github.com/argosy-dev/argosy/interpreter/native"
	"github.com/argosy-dev/argosy/interpreter/servicecomponent"
	"github.com/argosy-dev/argosy/interpreter/statefulset"
	"github.com/argosy-dev/argosy/interpreter/vmdeployment"
	"github.com/argosy-dev/argosy/interpreter/vmreplicaset"
)

// Families is every family we interpret: a new one is one line here and a folder.
func Families() []*family.Family {
	return []*family.Family{
		cloneset.Family(),
		statefulset.Family(),
		daemonset.Family(),
		vmreplicaset.Family(),
		vmdeployment.Family(),
		servicecomponent.Family(),
		apps.StatefulSet(),
		apps.Deployment(),
		apps.DaemonSet(),
		apps.ReplicaSet(),
		native.Job(),
		native.PodDisruptionBudget(),
		kruise.UnitedDeployment(),
		kruise.BroadcastJob(),
		kruise.AdvancedCronJob(),
	}
}

// Catalog finds the family of a kind, in whatever version it is served.
type Catalog map[schema.GroupKind]*family.Family

// NewCatalog indexes families by kind.
func NewCatalog(families []*family.Family) Catalog {
	catalog := Catalog{}
	for _, f := range families {
		for _, kind := range f.Kinds {
			catalog[kind.GroupKind()] = f
		}
	}
	return catalog
}
