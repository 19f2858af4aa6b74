package plugins

import (
	"k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/plugins/rackquota"
)

// Registry is every out-of-tree plugin. Name a plugin in NodeLocal only if its verdict on a node depends on that node and the pod alone.
func Registry() oracle.Plugins {
	return oracle.Plugins{
		Factories: runtime.Registry{
			rackquota.Name: rackquota.New,
		},
	}
}
