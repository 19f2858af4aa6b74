package servicecomponent

import (
	"cmp"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// podTemplate is the pod template as far as the control plane knows it. It shares nothing with object that the merge
// could change.
func podTemplate(object *unstructured.Unstructured) (map[string]any, error) {
	spec, err := field.Map(object.Object, "spec")
	if err != nil {
		return nil, err
	}
	adopt, err := field.Map(spec, "adopt")
	if err != nil {
		return nil, field.Under(err, "spec")
	}
	adopted := field.Read(adopt)
	container := cmp.Or(adopted.String("container"), componentv1alpha1.MainContainer)
	workload := cmp.Or(adopted.String("workload"), object.GetName())
	if adopted.Err() != nil {
		return nil, field.Under(adopted.Err(), "spec", "adopt")
	}
	main := map[string]any{"name": container}
	for _, name := range []string{"image", "resources", "env", "envFrom"} {
		if value := spec[name]; value != nil {
			main[name] = value
		}
	}
	template := map[string]any{"spec": map[string]any{"containers": []any{main}}}
	patches, err := podPatches(workload, spec)
	if err != nil || len(patches) == 0 {
		return template, err
	}
	template = runtime.DeepCopyJSON(template)
	for _, patch := range patches {
		merged, err := merge(template, patch.template)
		if err != nil {
			return nil, field.Errorf(patch.path, "%v", err)
		}
		template = merged
	}
	return template, nil
}

// podPatch is what one of spec.patches says about the pod template.
type podPatch struct {
	path     []string
	template map[string]any
}

// podPatches are those of the patches that reach the pod template of the workload of that name.
func podPatches(workloadName string, spec map[string]any) ([]podPatch, error) {
	list, err := field.Slice(spec, "patches")
	if err != nil {
		return nil, field.Under(err, "spec")
	}
	workload, err := field.String(spec, "workloadType")
	if err != nil {
		return nil, field.Under(err, "spec")
	}
	var out []podPatch
	for i, item := range list {
		path := field.Index([]string{"spec", "patches"}, i)
		patch, ok := item.(map[string]any)
		if !ok {
			return nil, field.Errorf(path, "want an object, have %v", item)
		}
		r := field.Read(patch)
		kind, name := r.String("target", "kind"), r.String("target", "name")
		if r.Err() != nil {
			return nil, field.Under(r.Err(), path...)
		}
		if kind != workload || name != "" && name != workloadName {
			continue
		}
		template, err := field.Map(patch, "patch", "spec", "template")
		if err != nil {
			return nil, field.Under(err, path...)
		}
		if template != nil {
			out = append(out, podPatch{append(path, "patch", "spec", "template"), template})
		}
	}
	return out, nil
}

// merge is a strategic merge, the way kubectl and the member's controller patch a workload: lists of containers,
// variables and volumes merge by name.
func merge(template, patch map[string]any) (map[string]any, error) {
	// The merge works in place, on the patch as well.
	return strategicpatch.StrategicMergeMapPatch(template, runtime.DeepCopyJSON(patch), corev1.PodTemplateSpec{})
}

// withReported adds what members report about resources the pod template does not speak of.
func withReported(known, reported corev1.ResourceList) corev1.ResourceList {
	if len(reported) == 0 {
		return known
	}
	out := maps.Clone(reported)
	maps.Copy(out, known)
	return out
}
