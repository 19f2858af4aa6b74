package render

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

func (r *renderer) componentError(path *field.Path, err error) *Error {
	return &Error{Kind: kindComponent, Name: r.component.Name, Field: path, Err: err}
}

// readPatches notes what spec.patches say of which object.
func (r *renderer) readPatches() error {
	for i, p := range r.component.Spec.Patches {
		path := field.NewPath("spec", "patches").Index(i)
		w := r.wanted[r.patched(p.Target)]
		if w == nil {
			return r.componentError(path.Child("target"), fmt.Errorf("no %s %s is rendered", p.Target.Kind, r.patched(p.Target).name))
		}
		path = path.Child("patch")
		var patch map[string]any
		if err := json.Unmarshal(p.Patch.Raw, &patch); err != nil {
			return r.componentError(path, err)
		}
		if at, err := fits(patch, w.kind, path); err != nil {
			return r.componentError(at, err)
		}
		w.patches = append(w.patches, layer{from: fmt.Sprintf("patches[%d]", i), at: r.componentError(path, nil), patch: patch})
	}
	return nil
}

// patched is the object a target names: without a name, the component's own.
func (r *renderer) patched(target v1alpha1.PatchTarget) identity {
	own := map[v1alpha1.TemplateObjectKind]string{
		r.workloadKind(): r.names.workload, kindService: r.names.service, kindIngress: r.names.ingress,
	}
	k := v1alpha1.TemplateObjectKind(target.Kind)
	return identity{k, cmp.Or(target.Name, own[k], r.component.Name)}
}
