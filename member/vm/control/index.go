package control

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Index finds the Servers of a set in the cache. Without one each look at a set reads the labels of all Servers of its namespace, and each
// of them has its set looked at several times: that grows with the square of their number. Every controller has its own, for a cache
// refuses two of one name. The zero value has no index: it goes through the labels, as whoever reads from the API server itself does.
type Index string

// NewIndex puts the index of a controller into the cache of mgr.
func NewIndex(mgr manager.Manager, controller string) (Index, error) {
	out := Index("set." + controller)
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Server{}, string(out), setOf); err != nil {
		return "", fmt.Errorf("indexing Servers by their set: %w", err)
	}
	return out, nil
}

// OfSet selects the Servers that bear the label of the set.
func (i Index) OfSet(set client.ObjectKey) *client.ListOptions {
	var by client.ListOption = client.MatchingLabels{v1alpha1.LabelSet: set.Name}
	if i != "" {
		by = client.MatchingFields{string(i): set.Name}
	}
	return (&client.ListOptions{}).ApplyOptions([]client.ListOption{client.InNamespace(set.Namespace), by})
}

// setOf a Server by its label: what it is found under.
func setOf(server client.Object) []string {
	if set := server.GetLabels()[v1alpha1.LabelSet]; set != "" {
		return []string{set}
	}
	return nil
}
