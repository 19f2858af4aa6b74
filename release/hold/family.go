package hold

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Family is how objects of a kind are held.
type Family struct {
	// With is true for kinds that only go out with a target.
	With bool
	// Content are the fields of an object that are released.
	Content []string
	// Live fields come from the template as it is.
	Live [][]string
	// Partition holds replicas back within a cluster; nil for kinds without.
	Partition []string
}

// FamilyOf a kind; ok is false for kinds that are not released in stages.
func FamilyOf(kind schema.GroupKind) (Family, bool) {
	if kind == (schema.GroupKind{Kind: "ConfigMap"}) {
		return Family{With: true, Content: []string{"data", "binaryData", "immutable"}}, true
	}
	family, ok := workload(kind)
	family.Content = []string{"spec"}
	return family, ok
}

func workload(kind schema.GroupKind) (Family, bool) {
	replicas, paused := []string{"spec", "replicas"}, []string{"spec", "paused"}
	switch kind {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		return Family{Live: [][]string{replicas, paused}}, true
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		return Family{Live: [][]string{replicas}}, true
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		return Family{}, true
	case schema.GroupKind{Group: "apps.kruise.io", Kind: "CloneSet"}:
		return Family{
			// How fast a cluster updates is divided over the clusters, and so of the template as it is.
			Live: [][]string{
				replicas, {"spec", "scaleStrategy"}, {"spec", "updateStrategy", "paused"},
				{"spec", "updateStrategy", "maxUnavailable"}, {"spec", "updateStrategy", "maxSurge"},
			},
			Partition: []string{"spec", "updateStrategy", "partition"},
		}, true
	case schema.GroupKind{Group: "apps.kruise.io", Kind: "StatefulSet"}:
		return Family{
			Live: [][]string{
				replicas, {"spec", "scaleStrategy"}, {"spec", "reserveOrdinals"},
				{"spec", "updateStrategy", "rollingUpdate", "paused"}, {"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"},
			},
			Partition: []string{"spec", "updateStrategy", "rollingUpdate", "partition"},
		}, true
	case schema.GroupKind{Group: "component.luojilab.com", Kind: "Component"}:
		// What people decide about canary steps is of what runs now.
		return Family{Live: [][]string{replicas, {"spec", "approvals"}}}, true
	case schema.GroupKind{Group: "apps.kruise.io", Kind: "DaemonSet"}:
		return Family{Live: [][]string{{"spec", "updateStrategy", "rollingUpdate", "paused"}}}, true
	}
	return Family{}, false
}
