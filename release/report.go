package release

import (
	"fmt"
	"slices"
	"strconv"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/release/decide"
	"github.com/argosy-dev/argosy/release/hold"
)

// reported is what a Work says, and what its member said of it.
func reported(work *workv1alpha1.Work) (*decide.Work, error) {
	out := &decide.Work{Suspended: ptr.Deref(work.Spec.SuspendDispatching, false)}
	answer := binding.AnswerOf(work)
	if out.Taken = answer.Taken; answer.Refused {
		out.Refused = answer.Failure
	} else {
		out.Unanswered = answer.Failure
	}
	if len(work.Spec.Workload.Manifests) == 0 {
		return out, nil
	}
	manifest := &unstructured.Unstructured{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(work.Spec.Workload.Manifests[0].Raw, &manifest.Object); err != nil {
		return nil, fmt.Errorf("decoding Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	marks := manifest.GetAnnotations()
	out.Revision, out.Bound = marks[v1alpha1.AnnotationRevision], hold.Bound(manifest)
	if n, err := strconv.ParseInt(marks[v1alpha1.AnnotationShare], 10, 32); err == nil {
		out.Share = &n
	}
	item := reportOf(work, manifest)
	if item == nil {
		return out, nil
	}
	status, err := statusOf(work, manifest)
	if err != nil {
		return nil, err
	}
	count(out, manifest, status)
	out.Healthy = item.Health == workv1alpha1.ResourceHealthy
	out.Unjudged = !out.Healthy && item.Health != workv1alpha1.ResourceUnhealthy
	return out, nil
}

// reportOf a manifest is what the member told of it; nil for nothing.
func reportOf(work *workv1alpha1.Work, manifest *unstructured.Unstructured) *workv1alpha1.ManifestStatus {
	at := slices.IndexFunc(work.Status.ManifestStatuses, func(item workv1alpha1.ManifestStatus) bool {
		return item.Status != nil && item.Identifier.Kind == manifest.GetKind() && item.Identifier.Name == manifest.GetName()
	})
	if at < 0 {
		return nil
	}
	return &work.Status.ManifestStatuses[at]
}

// statusOf a manifest, as the member reported it; empty when it did not.
func statusOf(work *workv1alpha1.Work, manifest *unstructured.Unstructured) (map[string]any, error) {
	status := map[string]any{}
	item := reportOf(work, manifest)
	if item == nil {
		return status, nil
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(item.Status.Raw, &status); err != nil {
		return nil, fmt.Errorf("decoding the status in Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	return status, nil
}

// ran says whether the member's controller has seen the object of a Work, in whatever revision.
func ran(status map[string]any) bool {
	generation, ok := status["observedGeneration"].(int64)
	return ok && generation > 0
}

// count what a member reported. It is about this manifest when it bears its generation of the template, and its revision: overrides that
// are held change without the template. And the member's controller has seen the member's own.
func count(out *decide.Work, manifest *unstructured.Unstructured, status map[string]any) {
	first := func(names ...string) int64 {
		for _, name := range names {
			if n, ok := status[name].(int64); ok {
				return n
			}
		}
		return 0
	}
	out.Ran = ran(status)
	of, err := strconv.ParseInt(manifest.GetAnnotations()[mark.TemplateGeneration], 10, 64)
	out.Observed = err == nil && first("resourceTemplateGeneration") == of && first("observedGeneration") >= first("generation")
	out.Observed = out.Observed && ofRevision(out, manifest, status)
	out.Updated = first("updatedReplicas", "updatedNumberScheduled")
	out.Ready = first("availableReplicas", "numberAvailable")
	if isDeployment(manifest) {
		out.Old = max(0, first("replicas")-out.Updated) // kubectl rollout status waits for them too
	}
	out.Desired = first("desiredNumberScheduled")
	if replicas, ok, err := unstructured.NestedInt64(manifest.Object, "spec", "replicas"); ok && err == nil {
		out.Desired = replicas
	}
	if manifest.GetLabels()[mark.RetainReplicas] == "true" {
		out.Desired = first("replicas") // the member's own autoscaler has the last word
	}
}

// ofRevision says whether a report is of the revision the Work bears. Where it does not say of which it is, the template's generation must
// do: it does where each revision is another template, and of a Deployment, whose generation rises with its annotations, marks of ours
// among them. Karmada reports of those itself.
func ofRevision(out *decide.Work, manifest *unstructured.Unstructured, status map[string]any) bool {
	if of, told := status[v1alpha1.StatusRevision].(string); told {
		return of == out.Revision
	}
	// A program before this one reported it, or nobody has since the overrides are held.
	out.Untold = hold.HoldsOverrides(manifest) && !isDeployment(manifest)
	return !out.Untold
}

func isDeployment(manifest *unstructured.Unstructured) bool {
	kind := manifest.GroupVersionKind()
	return kind.Group == appsv1.GroupName && kind.Kind == "Deployment"
}
