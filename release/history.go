package release

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/release/decide"
	"github.com/argosy-dev/argosy/release/hold"
)

// recordName of a revision. Revisions of one application are told apart by their own names.
func recordName(release, revision string) string { return release + "-" + revision }

// withName of the record of an object that goes out with a target: revisions in which it is the same share it.
func withName(release string, object *unstructured.Unstructured, content string) string {
	return recordName(release, with) + hold.Whole(content, map[string]string{hold.Key(object): content})
}

// with begins the names of records of objects that go out with a target; a revision is of hex digits.
const with = "with-"

// annotationGeneration of a record is the template's generation it was made at.
const annotationGeneration = "release.argosy.dev/generation"

// kept is what the record of a revision says.
type kept struct {
	// Object is the target.
	Object json.RawMessage `json:"object"`
	// With are the records of what goes out with it, by object.
	With map[string]string `json:"with,omitempty"`
	// Overrides where they are held: none, too, is said.
	Overrides *[]override `json:"overrides,omitempty"`
}

// record a revision before it is opened anywhere: what runs in a cluster is in the history.
func (c *Controller) record(ctx context.Context, release *v1alpha1.Release, app *application, revision string) error {
	out := kept{With: map[string]string{}}
	for _, object := range app.with {
		content, err := hold.Revision(object)
		if err != nil {
			return err
		}
		raw, err := hold.Record(object).MarshalJSON()
		if err != nil {
			return fmt.Errorf("encoding %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		name := withName(release.Name, object, content)
		if err := c.keep(ctx, release, name, object, raw); err != nil {
			return fmt.Errorf("recording %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		out.With[hold.Key(object)] = name
	}
	raw, err := hold.Record(app.target).MarshalJSON()
	if err != nil {
		return fmt.Errorf("encoding revision %s: %w", revision, err)
	}
	if out.Object = raw; app.overrides != nil {
		out.Overrides = &app.overrides
	}
	if raw, err = json.Marshal(out); err != nil {
		return fmt.Errorf("encoding revision %s: %w", revision, err)
	}
	if err := c.keep(ctx, release, recordName(release.Name, revision), app.target, raw); err != nil {
		return fmt.Errorf("recording revision %s: %w", revision, err)
	}
	return nil
}

// keep a record. It has no owner: one that the garbage collector takes along with its Release would be missing where clusters are held and
// the Release's finalizer was taken off by hand.
func (c *Controller) keep(
	ctx context.Context, release *v1alpha1.Release, name string, object *unstructured.Unstructured, raw []byte,
) error {
	record := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: release.Namespace, Name: name,
			Labels:      map[string]string{v1alpha1.LabelRelease: release.Name},
			Annotations: map[string]string{annotationGeneration: strconv.FormatInt(object.GetGeneration(), 10)},
		},
		Data: runtime.RawExtension{Raw: raw}, Revision: release.Generation,
	}
	err := c.Client.Create(ctx, record.DeepCopy())
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	was := &appsv1.ControllerRevision{}
	if err := c.Reader.Get(ctx, client.ObjectKeyFromObject(record), was); client.IgnoreNotFound(err) != nil {
		return err
	}
	if stays(was) && was.Labels[v1alpha1.LabelRelease] == release.Name {
		return nil
	}
	if err := c.Client.Delete(ctx, was, client.Preconditions{UID: &was.UID}); client.IgnoreNotFound(err) != nil {
		return err
	}
	return c.Client.Create(ctx, record)
}

// stays says whether a record outlasts everything but its own deletion.
func stays(record metav1.Object) bool {
	return record.GetUID() != "" && record.GetDeletionTimestamp().IsZero() && len(record.GetOwnerReferences()) == 0
}

// has says whether a revision is in the history.
func (c *Controller) has(ctx context.Context, release *v1alpha1.Release, revision string) (bool, error) {
	record := &metav1.PartialObjectMetadata{}
	record.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ControllerRevision"))
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: release.Namespace, Name: recordName(release.Name, revision)}, record)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && stays(record), err
}

// before is what the marks of a template hold for a Release that has not looked yet: one of its name that is gone left them there.
func (c *Controller) before(ctx context.Context, release *v1alpha1.Release, target *unstructured.Unstructured) (*decide.Before, error) {
	marks := hold.OfMarks(target)
	if release.Status.Dispatch != nil || marks == nil || target.GetLabels()[v1alpha1.LabelStaged] != release.Name {
		return nil, nil
	}
	out := &decide.Before{Stable: marks.Stable, Rejected: marks.Rejected}
	records, err := c.records(ctx, release)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(records, func(a, b appsv1.ControllerRevision) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Revision, b.Revision))
	})
	for i := range records {
		name, ok := strings.CutPrefix(records[i].Name, recordName(release.Name, ""))
		if !ok || strings.HasPrefix(name, with) || !stays(&records[i]) {
			continue
		}
		one, err := listed(name, &records[i])
		if err != nil {
			return nil, err
		}
		if out.History = append(out.History, one); name == marks.Stable {
			out.Record = &one
		}
	}
	return out, nil
}

// listed is what the status says of a record.
func listed(revision string, record *appsv1.ControllerRevision) (v1alpha1.Revision, error) {
	of, err := decodeKept(record)
	if err != nil {
		return v1alpha1.Revision{}, err
	}
	object := &unstructured.Unstructured{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(of.Object, &object.Object); err != nil {
		return v1alpha1.Revision{}, fmt.Errorf("decoding record %s: %w", record.Name, err)
	}
	return v1alpha1.Revision{
		Name: revision, Time: record.CreationTimestamp, Images: manifest.Images(object), Bytes: int64(len(record.Data.Raw)),
	}, nil
}

// prune records that neither the history nor a cluster needs.
func (c *Controller) prune(ctx context.Context, release *v1alpha1.Release) error {
	records, err := c.records(ctx, release)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, revision := range revisions(&release.Status) {
		needed[recordName(release.Name, revision)] = true
	}
	for i := range records {
		if !needed[records[i].Name] {
			continue
		}
		of, err := decodeKept(&records[i])
		if err != nil {
			return err
		}
		for _, name := range of.With {
			needed[name] = true
		}
	}
	return c.drop(ctx, slices.DeleteFunc(records, func(r appsv1.ControllerRevision) bool { return needed[r.Name] }))
}

// forget all records of a Release that lets go.
func (c *Controller) forget(ctx context.Context, release *v1alpha1.Release) error {
	records, err := c.records(ctx, release)
	if err != nil {
		return err
	}
	return c.drop(ctx, records)
}

func (c *Controller) records(ctx context.Context, release *v1alpha1.Release) ([]appsv1.ControllerRevision, error) {
	var records appsv1.ControllerRevisionList
	if err := c.Reader.List(ctx, &records, client.InNamespace(release.Namespace),
		client.MatchingLabels{v1alpha1.LabelRelease: release.Name}); err != nil {
		return nil, fmt.Errorf("listing records: %w", err)
	}
	return records.Items, nil
}

func (c *Controller) drop(ctx context.Context, records []appsv1.ControllerRevision) error {
	for i := range records {
		if err := c.Client.Delete(ctx, &records[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting record %s: %w", records[i].Name, err)
		}
	}
	return nil
}

// revisions a status speaks of.
func revisions(status *v1alpha1.ReleaseStatus) []string {
	var out []string
	for _, one := range status.History {
		out = append(out, one.Name)
	}
	if d := status.Dispatch; d != nil {
		out = append(out, d.Stable, d.Revision)
	}
	for _, cluster := range status.Clusters {
		out = append(out, cluster.Revision)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func decodeKept(record *appsv1.ControllerRevision) (kept, error) {
	var out kept
	if err := kjson.UnmarshalCaseSensitivePreserveInts(record.Data.Raw, &out); err != nil {
		return out, fmt.Errorf("decoding record %s: %w", record.Name, err)
	}
	if out.Object == nil {
		out.Object = record.Data.Raw // of an object alone
	}
	return out, nil
}

// recorded object of a revision, and the overrides that belong to it where they are held.
func recorded(
	ctx context.Context, reader client.Reader, release, revision string, object *unstructured.Unstructured,
) (hold.Recording, *[]override, error) {
	fail := func(err error) (hold.Recording, *[]override, error) {
		return hold.Recording{}, nil, fmt.Errorf("reading the record of revision %s: %w", revision, err)
	}
	var record appsv1.ControllerRevision
	key := client.ObjectKey{Namespace: object.GetNamespace(), Name: recordName(release, revision)}
	if err := reader.Get(ctx, key, &record); err != nil {
		return fail(err)
	}
	of, err := decodeKept(&record)
	if err != nil {
		return fail(err)
	}
	raw := []byte(of.Object)
	if family, _ := hold.FamilyOf(object.GroupVersionKind().GroupKind()); family.With {
		name, ok := of.With[hold.Key(object)]
		if !ok {
			return fail(fmt.Errorf("it has no %s %s", object.GetKind(), object.GetName()))
		}
		record = appsv1.ControllerRevision{}
		if err := reader.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: name}, &record); err != nil {
			return fail(err)
		}
		raw = record.Data.Raw
	}
	out := hold.Recording{Object: &unstructured.Unstructured{}, Generation: record.Annotations[annotationGeneration]}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &out.Object.Object); err != nil {
		return fail(err)
	}
	return out, of.Overrides, nil
}
