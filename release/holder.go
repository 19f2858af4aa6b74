package release

import (
	"context"
	"fmt"
	"slices"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/overridemanager"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release/hold"
)

// Holder gives a cluster the revision it is to have.
type Holder struct {
	// Client of a cache: override policies are asked for at each record that is rendered.
	Client client.Client
	// Reader reads records past the cache.
	Reader client.Reader
}

// Hold a manifest: nil when it is to be what Karmada rendered. work is the Work to be written, old the one that is there, if any, and was
// its manifest.
func (h *Holder) Hold(
	ctx context.Context, cluster string, work, old *workv1alpha1.Work, manifest, was *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	holds := hold.HoldsOverrides(manifest)
	if !hold.Staged(manifest) || manifest.GetAnnotations()[v1alpha1.AnnotationOpen] == v1alpha1.OpenAll && !holds {
		return nil, nil
	}
	asked := hold.Work{Cluster: cluster, New: manifest, Old: was, Suspended: ptr.Deref(work.Spec.SuspendDispatching, false)}
	if old != nil {
		asked.OverridesChanged = overrides(work) != overrides(old)
		status, err := statusOf(old, manifest)
		if err != nil {
			return nil, err
		}
		asked.Ran = ran(status)
	}
	want, err := hold.Choose(asked)
	if err != nil {
		return nil, err
	}
	var recording hold.Recording
	// What Karmada rendered has the overrides of today: where they are held, only the record tells which are the revision's.
	if want.From == hold.Recorded || want.From == hold.New && holds {
		if recording, err = h.recording(ctx, cluster, manifest, want.Revision); err != nil {
			return nil, err
		}
	}
	return hold.Compose(asked, want, recording)
}

// recording of a revision as a cluster is to have it.
func (h *Holder) recording(
	ctx context.Context, cluster string, manifest *unstructured.Unstructured, revision string,
) (hold.Recording, error) {
	out, policies, err := recorded(ctx, h.Reader, manifest.GetLabels()[v1alpha1.LabelStaged], revision, manifest)
	if err != nil {
		return out, err
	}
	reader := h.Client
	if policies != nil {
		reader = recordedOverrides{Client: h.Client, overrides: *policies}
	}
	// As Karmada applies them; it has told about those of the template, and a second event for each would say nothing new.
	if _, _, err := overridemanager.New(reader, &record.FakeRecorder{}).ApplyOverridePolicies(out.Object, cluster); err != nil {
		return out, fmt.Errorf("applying the overrides of revision %s: %w", revision, err)
	}
	return out, nil
}

// overrides Karmada noted on a Work.
func overrides(work *workv1alpha1.Work) [2]string {
	return [2]string{work.Annotations[util.AppliedClusterOverrides], work.Annotations[util.AppliedOverrides]}
}

// Running are the other revisions that a cluster may run of a template: what they depend on is needed there. A template whose release is
// complete has none, and costs no read.
func (h *Holder) Running(ctx context.Context, template *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	marks := template.GetAnnotations()
	if !hold.Staged(template) || marks[v1alpha1.AnnotationOpen] == v1alpha1.OpenAll &&
		marks[v1alpha1.AnnotationRevision] == marks[v1alpha1.AnnotationStable] {
		return nil, nil
	}
	name := template.GetLabels()[v1alpha1.LabelStaged]
	of := &v1alpha1.Release{}
	if err := h.Reader.Get(ctx, client.ObjectKey{Namespace: template.GetNamespace(), Name: name}, of); err != nil {
		return nil, fmt.Errorf("reading Release %s: %w", name, err)
	}
	if of.Status.Dispatch == nil && len(of.Status.Clusters) == 0 {
		// Made anew: the marks say what is stable, and nobody what clusters run beside that.
		return nil, fmt.Errorf("reading Release %s: it has not looked yet at what clusters run", name)
	}
	needed := []string{marks[v1alpha1.AnnotationStable]}
	for _, cluster := range of.Status.Clusters {
		needed = append(needed, cluster.Revision)
	}
	slices.Sort(needed)
	var out []*unstructured.Unstructured
	for _, revision := range slices.Compact(needed) {
		if revision == "" || revision == marks[v1alpha1.AnnotationRevision] {
			continue
		}
		record, _, err := recorded(ctx, h.Reader, name, revision, template)
		if err != nil {
			return nil, err
		}
		out = append(out, record.Object)
	}
	return out, nil
}
