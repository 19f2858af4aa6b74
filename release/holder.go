package release

import (
	"context"

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
	if !hold.Staged(manifest) || manifest.GetAnnotations()[v1alpha1.AnnotationOpen] == v1alpha1.OpenAll {
		return nil, nil
	}
	asked := hold.Work{Cluster: cluster, New: manifest, Old: was, Suspended: ptr.Deref(work.Spec.SuspendDispatching, false)}
	if old != nil {
		asked.OverridesChanged = overrides(work) != overrides(old)
	}
	want, err := hold.Choose(asked)
	if err != nil {
		return nil, err
	}
	var recording hold.Recording
	if want.From == hold.Recorded {
		name := manifest.GetLabels()[v1alpha1.LabelStaged]
		if recording, err = recorded(ctx, h.Reader, manifest.GetNamespace(), name, want.Revision); err != nil {
			return nil, err
		}
		// As Karmada applies them; it has told about those of the template, and a second event for each would say nothing new.
		overrider := overridemanager.New(h.Client, &record.FakeRecorder{})
		if _, _, err := overrider.ApplyOverridePolicies(recording.Object, cluster); err != nil {
			return nil, err
		}
	}
	return hold.Compose(asked, want, recording)
}

// overrides Karmada noted on a Work.
func overrides(work *workv1alpha1.Work) [2]string {
	return [2]string{work.Annotations[util.AppliedClusterOverrides], work.Annotations[util.AppliedOverrides]}
}
