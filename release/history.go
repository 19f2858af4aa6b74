package release

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release/hold"
)

// recordName of a revision. Revisions of one application are told apart by their own names.
func recordName(release, revision string) string { return release + "-" + revision }

// annotationGeneration of a record is the template's generation it was made at.
const annotationGeneration = "release.argosy.dev/generation"

// record a revision before it is opened anywhere: what runs in a cluster is in the history.
func (c *Controller) record(ctx context.Context, release *v1alpha1.Release, template *unstructured.Unstructured, revision string) error {
	raw, err := hold.Record(template).MarshalJSON()
	if err != nil {
		return fmt.Errorf("encoding revision %s: %w", revision, err)
	}
	record := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: release.Namespace, Name: recordName(release.Name, revision),
			Labels:      map[string]string{v1alpha1.LabelRelease: release.Name},
			Annotations: map[string]string{annotationGeneration: strconv.FormatInt(template.GetGeneration(), 10)},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(release, v1alpha1.GroupVersion.WithKind("Release")),
			},
		},
		Data: runtime.RawExtension{Raw: raw}, Revision: release.Generation,
	}
	if err := c.Client.Create(ctx, record); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("recording revision %s: %w", revision, err)
	}
	return nil
}

// prune records that neither the history nor a cluster needs.
func (c *Controller) prune(ctx context.Context, release *v1alpha1.Release) error {
	var records appsv1.ControllerRevisionList
	if err := c.Reader.List(ctx, &records, client.InNamespace(release.Namespace),
		client.MatchingLabels{v1alpha1.LabelRelease: release.Name}); err != nil {
		return fmt.Errorf("listing records: %w", err)
	}
	var needed []string
	for _, one := range release.Status.History {
		needed = append(needed, one.Name)
	}
	if d := release.Status.Dispatch; d != nil {
		needed = append(needed, d.Stable, d.Revision)
	}
	for _, cluster := range release.Status.Clusters {
		needed = append(needed, cluster.Revision)
	}
	for i := range records.Items {
		record := &records.Items[i]
		if slices.ContainsFunc(needed, func(r string) bool { return record.Name == recordName(release.Name, r) }) {
			continue
		}
		if err := c.Client.Delete(ctx, record); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting record %s: %w", record.Name, err)
		}
	}
	return nil
}

// recorded revision of a Release.
func recorded(ctx context.Context, reader client.Reader, namespace, release, revision string) (hold.Recording, error) {
	var record appsv1.ControllerRevision
	key := client.ObjectKey{Namespace: namespace, Name: recordName(release, revision)}
	if err := reader.Get(ctx, key, &record); err != nil {
		return hold.Recording{}, fmt.Errorf("reading the record of revision %s: %w", revision, err)
	}
	out := hold.Recording{Object: &unstructured.Unstructured{}, Generation: record.Annotations[annotationGeneration]}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(record.Data.Raw, &out.Object.Object); err != nil {
		return hold.Recording{}, fmt.Errorf("decoding the record of revision %s: %w", revision, err)
	}
	return out, nil
}
