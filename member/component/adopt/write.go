package adopt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Wish is what a person says of the Component that is to be a running workload.
type Wish struct {
	// Name of the Component; empty is the workload's.
	Name string
	// Container is the main one; empty is the only one.
	Container string
	// Language and RunType of the Component.
	Language, RunType string
	// Port of the Component; 0 is the main container's first.
	Port int32
}

// ComponentOf is the Component that renders to the workload. What it cannot say is an error.
func ComponentOf(live *unstructured.Unstructured, wish Wish) (map[string]any, error) {
	kind := v1alpha1.WorkloadType(live.GetKind())
	spec := runtime.DeepCopyJSON(live.Object["spec"].(map[string]any))
	selector, _, err := unstructured.NestedStringMap(spec, "selector", "matchLabels")
	expressions, _, _ := unstructured.NestedSlice(spec, "selector", "matchExpressions")
	if err != nil || len(selector) == 0 || len(expressions) > 0 {
		return nil, fmt.Errorf("%s %s selects its pods by more than matchLabels: spec.adopt.selector cannot say that", kind, live.GetName())
	}
	containers, _, _ := unstructured.NestedSlice(spec, "template", "spec", "containers")
	main, err := wish.main(containers)
	if err != nil {
		return nil, err
	}
	port, err := wish.portOf(main)
	if err != nil {
		return nil, err
	}
	component := &v1alpha1.Component{}
	component.Namespace, component.Name = live.GetNamespace(), live.GetName()
	if wish.Name != "" {
		component.Name = wish.Name
	}
	replicas, found, _ := unstructured.NestedInt64(spec, "replicas")
	if !found {
		replicas = 1
	}
	image, _ := main["image"].(string)
	container, _ := main["name"].(string)
	component.Spec = v1alpha1.ComponentSpec{
		WorkloadType: kind, DevelopLanguage: wish.Language, RunType: wish.RunType, Image: image, Port: port, Replicas: ptr.To(int32(replicas)),
		Svc:   v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNone},
		Adopt: &v1alpha1.Adopt{Workload: live.GetName(), Selector: selector, Container: container},
	}
	if err := fill(component, main); err != nil {
		return nil, err
	}
	if err := patchRest(component, kind, spec); err != nil {
		return nil, err
	}
	if err := sameAs(component, live); err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(component)
	if err != nil {
		return nil, err
	}
	content["apiVersion"], content["kind"] = v1alpha1.GroupVersion.String(), "Component"
	delete(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(content, "spec", "strategy")
	return content, nil
}

func (w Wish) main(containers []any) (map[string]any, error) {
	var names []string
	for _, item := range containers {
		container, _ := item.(map[string]any)
		name, _ := container["name"].(string)
		if name == w.Container || w.Container == "" && len(containers) == 1 {
			return container, nil
		}
		names = append(names, name)
	}
	return nil, fmt.Errorf("--container is needed: the main one of %s", strings.Join(names, ", "))
}

func (w Wish) portOf(main map[string]any) (int32, error) {
	if w.Port != 0 {
		return w.Port, nil
	}
	ports, _ := main["ports"].([]any)
	if len(ports) > 0 {
		if number, ok := ports[0].(map[string]any)["containerPort"].(int64); ok {
			return int32(number), nil
		}
	}
	return 0, errors.New("--port is needed: the main container names none")
}

// fill puts what the Component has fields for into them, and takes it out of the container.
func fill(component *v1alpha1.Component, main map[string]any) error {
	var known corev1.Container
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(main, &known); err != nil {
		return fmt.Errorf("reading container %s: %w", component.Spec.Adopt.Container, err)
	}
	component.Spec.Env, component.Spec.EnvFrom = known.Env, known.EnvFrom
	component.Spec.Resources = v1alpha1.Resources{
		Requests: v1alpha1.ResourceAmounts(known.Resources.Requests), Limits: v1alpha1.ResourceAmounts(known.Resources.Limits),
	}
	return nil
}

// patchRest says in a patch what the fields do not: all of the spec but selector, replicas and what the fields say.
func patchRest(component *v1alpha1.Component, kind v1alpha1.WorkloadType, spec map[string]any) error {
	for _, field := range []string{"selector", "replicas"} {
		delete(spec, field)
	}
	unstructured.RemoveNestedField(spec, "template", "metadata", "creationTimestamp")
	containers, _, _ := unstructured.NestedSlice(spec, "template", "spec", "containers")
	for _, item := range containers {
		container, _ := item.(map[string]any)
		if container["name"] != component.Spec.Adopt.Container {
			continue
		}
		for _, field := range []string{"image", "env", "envFrom"} {
			delete(container, field)
		}
	}
	// The order of containers is theirs, not that of the layers.
	slices.SortStableFunc(containers, func(a, b any) int {
		isMain := func(c any) bool { return c.(map[string]any)["name"] == component.Spec.Adopt.Container }
		switch {
		case isMain(a) == isMain(b):
			return 0
		case isMain(a):
			return -1
		}
		return 1
	})
	if err := unstructured.SetNestedSlice(spec, containers, "template", "spec", "containers"); err != nil {
		return err
	}
	raw, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err
	}
	component.Spec.Patches = []v1alpha1.Patch{{
		Target: v1alpha1.PatchTarget{Kind: v1alpha1.PatchTargetKind(kind)}, Patch: runtime.RawExtension{Raw: raw},
	}}
	return nil
}

// sameAs renders the Component, and says what would differ.
func sameAs(component *v1alpha1.Component, live *unstructured.Unstructured) error {
	objects, _, err := render.Render(component, nil, nil)
	if err != nil {
		return err
	}
	for i := range objects {
		if objects[i].Kind != live.GetKind() {
			continue
		}
		trial, err := Check(live, &unstructured.Unstructured{Object: objects[i].Content})
		if err != nil {
			return err
		}
		if trial.Restart {
			return fmt.Errorf("no Component is exactly %s %s: %s", live.GetKind(), live.GetName(), trial.Differences)
		}
	}
	return nil
}
