package decide

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Same is true where a write would change nothing: the object was last applied as rendered, and all that was rendered is
// still in it. A wrong false costs a write that changes nothing; lists of another length and quantities in other words are such.
func Same(live *unstructured.Unstructured, object *render.Object) bool {
	return live.GetAnnotations()[v1alpha1.AnnotationRenderedHash] == object.Hash && contains(live.Object, object.Content, false)
}

// contains compares what is rendered with what is there, which holds defaults and others' fields beside it. amounts is set
// below requests and limits, where 1000m and 1 are the same.
func contains(live, rendered any, amounts bool) bool {
	switch want := rendered.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		if !ok {
			return len(want) == 0 && live == nil
		}
		for key, value := range want {
			if !contains(have[key], value, amounts || key == "requests" || key == "limits") {
				return false
			}
		}
		return true
	case []any:
		have, ok := live.([]any)
		if !ok {
			return len(want) == 0 && live == nil
		}
		return slices.EqualFunc(have, want, func(a, b any) bool { return contains(a, b, amounts) })
	}
	return reflect.DeepEqual(live, rendered) || amounts && sameAmount(live, rendered)
}

func sameAmount(live, rendered any) bool {
	a, isText := live.(string)
	b, wantsText := rendered.(string)
	if !isText || !wantsText {
		return false
	}
	have, errHave := resource.ParseQuantity(a)
	want, errWant := resource.ParseQuantity(b)
	return errHave == nil && errWant == nil && have.Cmp(want) == 0
}
