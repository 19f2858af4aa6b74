package hold

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// marks are those of a template; Stamp writes all of them or takes them off.
var marks = [...]string{
	v1alpha1.AnnotationRevision, v1alpha1.AnnotationStable, v1alpha1.AnnotationOpen, v1alpha1.AnnotationUpdated, v1alpha1.AnnotationRejected,
	v1alpha1.AnnotationAsked, v1alpha1.AnnotationOverrides,
}

// Stamp writes the marks a template of this content bears, and says whether that changed anything. What is open is open for the
// revision the Release opened: another one is open nowhere, but for the stable one, which is open everywhere.
func Stamp(template *unstructured.Unstructured, release string, dispatch *v1alpha1.Dispatch, content string) bool {
	want := map[string]string{}
	if dispatch != nil {
		want = wanted(template, dispatch, content)
	}
	annotations, labels := template.GetAnnotations(), template.GetLabels()
	before, beforeLabels := maps.Clone(annotations), maps.Clone(labels)
	if annotations == nil {
		annotations = map[string]string{}
	}
	for _, mark := range marks {
		delete(annotations, mark)
	}
	maps.Copy(annotations, want)
	if labels == nil {
		labels = map[string]string{}
	}
	delete(labels, v1alpha1.LabelStaged)
	if dispatch != nil {
		labels[v1alpha1.LabelStaged] = release
	}
	if maps.Equal(before, annotations) && maps.Equal(beforeLabels, labels) {
		return false
	}
	template.SetAnnotations(annotations)
	template.SetLabels(labels)
	return true
}

// OfMarks is what the marks of a template hold without its Release: nothing is open but the stable revision. Nil where it bears none.
func OfMarks(template *unstructured.Unstructured) *v1alpha1.Dispatch {
	if !Staged(template) {
		return nil
	}
	marks := template.GetAnnotations()
	stable := marks[v1alpha1.AnnotationStable]
	out := &v1alpha1.Dispatch{Revision: stable, Stable: stable, Open: []string{v1alpha1.OpenAll}}
	if rejected := marks[v1alpha1.AnnotationRejected]; rejected != "" {
		out.Rejected = strings.Split(rejected, ",")
	}
	if marks[v1alpha1.AnnotationOverrides] != "" {
		out.Overrides = v1alpha1.OverridesHold
	}
	return out
}

// wanted marks of a template.
func wanted(template *unstructured.Unstructured, dispatch *v1alpha1.Dispatch, content string) map[string]string {
	revision, open := named(template, dispatch, content), dispatch.Open
	family, _ := FamilyOf(template.GroupVersionKind().GroupKind())
	if family.With {
		open = dispatch.WithOpen
	}
	want := map[string]string{
		v1alpha1.AnnotationRevision: revision, v1alpha1.AnnotationStable: dispatch.Stable, v1alpha1.AnnotationOpen: "",
	}
	switch revision {
	case dispatch.Revision:
		want[v1alpha1.AnnotationOpen] = strings.Join(slices.Sorted(slices.Values(open)), ",")
		if len(dispatch.Updated) > 0 && !family.With {
			want[v1alpha1.AnnotationUpdated] = shares(dispatch.Updated)
		}
	case dispatch.Stable:
		want[v1alpha1.AnnotationOpen] = v1alpha1.OpenAll
	}
	if dispatch.Asked > 0 {
		want[v1alpha1.AnnotationAsked] = strconv.FormatInt(dispatch.Asked, 10)
	}
	if len(dispatch.Rejected) > 0 {
		want[v1alpha1.AnnotationRejected] = strings.Join(slices.Sorted(slices.Values(dispatch.Rejected)), ",")
	}
	if dispatch.Overrides == v1alpha1.OverridesHold {
		want[v1alpha1.AnnotationOverrides] = string(v1alpha1.OverridesHold)
	}
	return want
}

// named revision of a template: the one the Release released where its content is that one's. Other content has its own name, which is
// open nowhere, until the controller has seen what it is part of.
func named(template *unstructured.Unstructured, dispatch *v1alpha1.Dispatch, content string) string {
	if of, ok := dispatch.Contents[Key(template)]; ok && of == content {
		return dispatch.Revision
	}
	return content
}

func shares(updated map[string]int32) string {
	var out []string
	for _, cluster := range slices.Sorted(maps.Keys(updated)) {
		out = append(out, fmt.Sprintf("%s=%d", cluster, updated[cluster]))
	}
	return strings.Join(out, ",")
}

// share of a cluster; ok is false where it has none.
func share(text, cluster string) (n int64, ok bool, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, number, found := strings.Cut(part, "=")
		if !found || name != cluster {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 0 {
			return 0, false, fmt.Errorf("metadata.annotations[%s]: %q is no number of replicas", v1alpha1.AnnotationUpdated, part)
		}
		return n, true, nil
	}
	return 0, false, nil
}

func lists(text, item string) bool {
	return item != "" && slices.Contains(strings.Split(text, ","), item)
}
