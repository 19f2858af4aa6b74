package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/release/hold"
)

// hinders says why changes of a template cannot be held, or not in these stages.
func hinders(release *v1alpha1.Release, template *unstructured.Unstructured) (reason, message string) {
	if reason, message = unfit(template); message != "" {
		return reason, message
	}
	return owned(release, template)
}

// unfit says why changes of a template cannot be held.
func unfit(template *unstructured.Unstructured) (reason, message string) {
	family, ok := hold.FamilyOf(template.GroupVersionKind().GroupKind())
	if !ok || family.With {
		return v1alpha1.ReasonKindNotStaged, fmt.Sprintf("%s of %s is not released in stages", template.GetKind(), template.GetAPIVersion())
	}
	if family.Partition == nil {
		return "", ""
	}
	value, ok, err := unstructured.NestedFieldNoCopy(template.Object, family.Partition...)
	if err != nil || !ok || value == int64(0) || value == "0%" {
		return "", ""
	}
	return v1alpha1.ReasonPartitionSet, fmt.Sprintf("%s of the template is %v: take it off, the Release sets it in each cluster",
		strings.Join(family.Partition, "."), value)
}

// owned says why a number of replicas cannot be opened: what divides a cluster's replicas belongs to its member.
func owned(release *v1alpha1.Release, template *unstructured.Unstructured) (reason, message string) {
	numbered := slices.IndexFunc(release.Spec.Stages, func(s v1alpha1.Stage) bool { return s.Updated != nil })
	if numbered < 0 {
		return "", ""
	}
	const instead = ": stage %s cannot open a number of replicas; let stages open clusters, without updated"
	name := release.Spec.Stages[numbered].Name
	switch {
	case template.GetLabels()[mark.Retain] == mark.RetainRollout || template.GetAnnotations()[mark.Retain] == mark.RetainRollout:
		return v1alpha1.ReasonMembersOwn, fmt.Sprintf("%s=%s: the partition is a rollout tool's in each member"+instead, mark.Retain,
			mark.RetainRollout, name)
	case template.GetLabels()[mark.RetainReplicas] == "true":
		// Of replicas that an autoscaler adds, OpenKruise makes every one beyond the partition new.
		return v1alpha1.ReasonMembersOwn, fmt.Sprintf("%s=true: an autoscaler in each member has the last word about replicas"+instead,
			mark.RetainReplicas, name)
	}
	return "", ""
}

// taken says whether an older Release has the target, or an object that is to go out with it.
func (c *Controller) taken(
	ctx context.Context, release *v1alpha1.Release, target *unstructured.Unstructured,
) (reason, message string, err error) {
	var others v1alpha1.ReleaseList
	if err := c.Reader.List(ctx, &others, client.InNamespace(release.Namespace)); err != nil {
		return "", "", fmt.Errorf("listing Releases: %w", err)
	}
	for i := range others.Items {
		other := &others.Items[i]
		older := other.CreationTimestamp.Before(&release.CreationTimestamp) ||
			other.CreationTimestamp.Equal(&release.CreationTimestamp) && other.Name < release.Name
		if other.Name == release.Name || !older {
			continue
		}
		if sameTarget(other.Spec.TargetRef, release.Spec.TargetRef) {
			return v1alpha1.ReasonTargetTaken, "Release " + other.Name + " has the target already: delete one of them", nil
		}
		for _, with := range release.Spec.With {
			if slices.Contains(other.Spec.With, with) {
				return v1alpha1.ReasonTargetTaken, fmt.Sprintf("%s %s goes out with Release %s already: an object belongs to one Release",
					with.Kind, with.Name, other.Name), nil
			}
		}
	}
	if hold.Staged(target) {
		marked := target.GetLabels()[v1alpha1.LabelStaged]
		gone := !slices.ContainsFunc(others.Items, func(r v1alpha1.Release) bool { return r.Name == marked && targets(&r, target) })
		if marked != release.Name && gone {
			return v1alpha1.ReasonTargetTaken, fmt.Sprintf("the target bears the marks of Release %s, which is gone, and what that held is held: "+
				"make it anew under that name; it takes up what it finds", marked), nil
		}
	}
	return "", "", nil
}

// sameTarget says whether two references are to one object, in whatever versions of its API.
func sameTarget(a, b v1alpha1.TargetReference) bool {
	return a.Name == b.Name &&
		schema.FromAPIVersionAndKind(a.APIVersion, a.Kind).GroupKind() == schema.FromAPIVersionAndKind(b.APIVersion, b.Kind).GroupKind()
}
