package publish

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/policy"
)

// An application's releases are an applyset as kubectl's (KEP-3659): each object that a release brings bears the set's label, so that a
// later one finds what has left the folder. The names are kubectl's (k8s.io/kubectl/pkg/cmd/apply), and so are the ids.
const (
	partOfLabel       = "applyset.kubernetes.io/part-of"
	parentIDLabel     = "applyset.kubernetes.io/id"
	toolingAnnotation = "applyset.kubernetes.io/tooling"
	kindsAnnotation   = "applyset.kubernetes.io/contains-group-kinds"
	// tooling keeps kubectl from pruning by a set of ours, which knows nothing of the folder's clusters.
	tooling = "argosyctl/v1"
)

// applySet of an application. Its parent is a ConfigMap in each member it is released to statically. The control plane has none: whatever
// is there may be propagated by somebody's policy, and the application's own policies say what belongs to it.
type applySet struct {
	namespace, parent string
	// carried are the kinds that a migration may have brought beside the releases.
	carried policy.Kinds
}

func setOf(application Application, carried policy.Kinds) applySet {
	return applySet{
		namespace: application.Namespace, parent: "argosy-publish-" + policy.Name(application.Kind, application.Name), carried: carried,
	}
}

// id as kubectl makes it of a parent's name, namespace, kind and group.
func (s applySet) id() string {
	sum := sha256.Sum256([]byte(s.parent + "." + s.namespace + ".ConfigMap."))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

// has says whether an object was brought by a release of this application.
func (s applySet) has(object client.Object) bool { return object.GetLabels()[partOfLabel] == s.id() }

// join marks an object as one of the set, unless what is there belongs to another set: of two applications that release one object, the
// first has it, and none takes it from the other.
func (s applySet) join(object, live *unstructured.Unstructured) {
	if live != nil && live.GetLabels()[partOfLabel] != "" && !s.has(live) {
		return
	}
	labels := maps.Clone(object.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	labels[partOfLabel] = s.id()
	object.SetLabels(labels)
}

// write the set's parent before what belongs to it, as the KEP asks: a release that is cut short leaves nothing that no set knows. It
// answers the kinds that the set may hold.
func (s applySet) write(ctx context.Context, member client.Client, objects []*unstructured.Unstructured) ([]schema.GroupKind, error) {
	parent := &unstructured.Unstructured{}
	parent.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"})
	if err := member.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.parent}, parent); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading ConfigMap %s, which names what earlier releases brought: %w", s.parent, err)
	}
	kinds := map[schema.GroupKind]bool{}
	for text := range strings.SplitSeq(parent.GetAnnotations()[kindsAnnotation], ",") {
		if text != "" {
			kinds[schema.ParseGroupKind(text)] = true
		}
	}
	for _, object := range objects {
		kinds[object.GroupVersionKind().GroupKind()] = true
	}
	names := make([]string, 0, len(kinds))
	for kind := range kinds {
		names = append(names, kind.String())
	}
	slices.Sort(names)
	next := &unstructured.Unstructured{}
	next.SetGroupVersionKind(parent.GroupVersionKind())
	next.SetNamespace(s.namespace)
	next.SetName(s.parent)
	next.SetLabels(map[string]string{parentIDLabel: s.id()})
	next.SetAnnotations(map[string]string{toolingAnnotation: tooling, kindsAnnotation: strings.Join(names, ",")})
	if err := member.Apply(ctx, client.ApplyConfigurationFromUnstructured(next), client.FieldOwner(FieldManager),
		client.ForceOwnership); err != nil {
		return nil, fmt.Errorf("writing ConfigMap %s, which names what releases bring: %w", s.parent, err)
	}
	for _, carried := range s.carried {
		kinds[carried.GroupKind()] = true // what the federation brought meanwhile
	}
	return slices.SortedFunc(maps.Keys(kinds), func(a, b schema.GroupKind) int { return strings.Compare(a.String(), b.String()) }), nil
}

// released says whether a release wrote an object, and not somebody who copied its labels, as EndpointSlices copy a Service's.
func released(object client.Object) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply
	})
}
