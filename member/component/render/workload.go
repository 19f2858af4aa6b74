package render

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// targetPort is the name of the main container's port, if it has one: a change of the port then reaches each pod's
// traffic together with the pod.
func (r *renderer) targetPort(workload map[string]any) any {
	number := int64(r.component.Spec.Port)
	ports, _ := r.mainContainer(workload)["ports"].([]any)
	for _, item := range ports {
		port, _ := item.(map[string]any)
		if name, named := port["name"].(string); named && port["containerPort"] == number {
			return name
		}
	}
	return number
}

func (r *renderer) mainContainer(workload map[string]any) map[string]any {
	containers, _ := below(workload, "spec", "template", "spec")["containers"].([]any)
	for _, item := range containers {
		if container, _ := item.(map[string]any); container["name"] == r.names.container {
			return container
		}
	}
	return nil
}

// check finds what makes a workload useless: no main container, or pods that it does not select. Only layers above the
// skeleton can have brought that about.
func (r *renderer) check(workload map[string]any, from []string) error {
	if r.mainContainer(workload) == nil {
		return r.componentError(field.NewPath("spec"),
			fmt.Errorf("no container %s is left in the %s (layers: %v)", r.names.container, r.workloadKind(), from))
	}
	labels := below(workload, "spec", "template", "metadata", "labels")
	for key, want := range below(workload, "spec", "selector", "matchLabels") {
		if labels[key] != want {
			return r.componentError(field.NewPath("spec"),
				fmt.Errorf("the %s selects pods with the label %s=%v, and its own have %v (layers: %v)",
					r.workloadKind(), key, want, labels[key], from))
		}
	}
	return nil
}

// below is a map within maps; nil where there is none.
func below(object map[string]any, path ...string) map[string]any {
	for _, key := range path {
		object, _ = object[key].(map[string]any)
	}
	return object
}
