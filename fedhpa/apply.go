package fedhpa

import (
	"context"
	"encoding/json"
	"fmt"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/internal/mark"
)

// applier carries out a plan. Writes bear the resourceVersion of what was decided upon, so that nothing is
// ever written over something newer: on a conflict the world is gathered again. Only the template's scale does not: its status
// changes with every pod of every member, and its replicas are nobody else's while a FedHPA owns them.
type applier struct{ client client.Client }

func (a *applier) apply(ctx context.Context, v *view, action decide.Action) error {
	switch action.Kind {
	case decide.AddFinalizer, decide.RemoveFinalizer:
		return a.finalizer(ctx, v, action.Kind == decide.AddFinalizer)
	case decide.SetRetain, decide.ClearRetain:
		return a.retain(ctx, v, action.Kind == decide.SetRetain)
	case decide.WriteBinding:
		return a.writeBinding(ctx, v, action.Counts)
	case decide.ClearLedger, decide.NoteLettingGo, decide.ReturnReplicas:
		return a.patchBinding(ctx, v, lettingGo(action, v.target))
	case decide.ScaleTemplate:
		return a.scaleTemplate(ctx, v, action.Total)
	case decide.SendAutoscaler:
		return a.sendAutoscaler(ctx, v, action)
	case decide.DeleteAutoscaler:
		return a.deleteAutoscaler(ctx, v, action.Cluster)
	case decide.WithholdAutoscaler:
		return a.withholdAutoscaler(ctx, v, action.Cluster)
	case decide.AbandonAutoscaler:
		return abandon(ctx, a.client, v.works[action.Cluster])
	}
	return fmt.Errorf("no write is known for action %q", action.Kind)
}

func (a *applier) finalizer(ctx context.Context, v *view, add bool) error {
	before := v.fed.DeepCopy()
	if add {
		controllerutil.AddFinalizer(v.fed, api.FedHPAReleaseFinalizer)
	} else {
		controllerutil.RemoveFinalizer(v.fed, api.FedHPAReleaseFinalizer)
	}
	if err := a.client.Patch(ctx, v.fed, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("patching finalizers of FedHPA %s: %w", v.fed.Name, err)
	}
	return nil
}

func (a *applier) retain(ctx context.Context, v *view, set bool) error {
	var label, by any
	if set {
		label, by = "true", v.fed.Name
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": v.target.ResourceVersion,
		"labels":          map[string]any{mark.RetainReplicas: label},
		"annotations":     map[string]any{api.FedHPARetainedByAnnotation: by},
	}})
	if err != nil {
		return fmt.Errorf("encoding the retain label: %w", err)
	}
	if err := a.client.Patch(ctx, v.target.DeepCopy(), client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("patching the retain label of %s %s: %w", v.target.Kind, v.target.Name, err)
	}
	return nil
}

// writeBinding writes clusters, their sum and the ledger at once. A merge patch, not a PUT: fields a newer Karmada has and
// this build does not know stay as they are.
func (a *applier) writeBinding(ctx context.Context, v *view, counts decide.Counts) error {
	clusters := make([]workv1alpha2.TargetCluster, 0, len(counts))
	for _, c := range v.binding.Spec.Clusters {
		if n, in := counts[c.Name]; in {
			clusters = append(clusters, workv1alpha2.TargetCluster{Name: c.Name, Replicas: n})
		}
	}
	for _, m := range v.world.Members {
		if n, in := counts[m.Name]; in && !v.binding.Spec.TargetContains(m.Name) {
			clusters = append(clusters, workv1alpha2.TargetCluster{Name: m.Name, Replicas: n})
		}
	}
	return a.patchBinding(ctx, v, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{
			api.FedHPALedgerAnnotation: counts.String(), api.FedHPALettingGoAnnotation: nil,
		}},
		"spec": map[string]any{"clusters": clusters, "replicas": counts.Sum()},
	})
}

// lettingGo is the part of the binding that the steps of a release write.
func lettingGo(action decide.Action, target *metav1.PartialObjectMetadata) map[string]any {
	body := map[string]any{}
	annotations := map[string]any{api.FedHPALedgerAnnotation: nil, api.FedHPALettingGoAnnotation: nil}
	switch action.Kind {
	case decide.NoteLettingGo:
		annotations = map[string]any{api.FedHPALettingGoAnnotation: target.ResourceVersion}
	case decide.ReturnReplicas:
		body["spec"] = map[string]any{"replicas": action.Total}
	}
	body["metadata"] = map[string]any{"annotations": annotations}
	return body
}

func (a *applier) patchBinding(ctx context.Context, v *view, body map[string]any) error {
	body["metadata"].(map[string]any)["resourceVersion"] = v.binding.ResourceVersion
	patch, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding the patch of ResourceBinding %s: %w", v.binding.Name, err)
	}
	written := v.binding.DeepCopy()
	if err := a.client.Patch(ctx, written, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("patching ResourceBinding %s/%s: %w", v.binding.Namespace, v.binding.Name, err)
	}
	v.binding = written
	return nil
}

func (a *applier) scaleTemplate(ctx context.Context, v *view, total int32) error {
	patch, err := json.Marshal(map[string]any{
		"spec": map[string]any{"replicas": total},
	})
	if err != nil {
		return fmt.Errorf("encoding the scale of %s: %w", v.target.Name, err)
	}
	scale := &unstructured.Unstructured{}
	scale.SetGroupVersionKind(schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"})
	err = a.client.SubResource("scale").Patch(ctx, asUnstructured(v.target), client.RawPatch(types.MergePatchType, patch),
		&client.SubResourcePatchOptions{SubResourceBody: scale})
	if err != nil {
		return fmt.Errorf("scaling %s %s: %w", v.target.Kind, v.target.Name, err)
	}
	return nil
}

func (a *applier) sendAutoscaler(ctx context.Context, v *view, action decide.Action) error {
	wanted, err := newWork(action.Cluster, v.planned, action.Range)
	if err != nil {
		return err
	}
	work := v.works[action.Cluster]
	if work == nil {
		if err := a.client.Create(ctx, wanted); err != nil {
			return fmt.Errorf("creating Work %s/%s: %w", wanted.Namespace, wanted.Name, err)
		}
		return nil
	}
	// A label that somebody took off would hide the Work from its watch.
	metadata, spec := map[string]any{"labels": wanted.Labels}, map[string]any{"workload": wanted.Spec.Workload}
	if autoscalerIn(work, v.fed).Withheld {
		metadata["annotations"], spec["suspendDispatching"] = map[string]any{migration.AnnotationCutOff: nil}, nil
	}
	return patchWork(ctx, a.client, work, metadata, spec)
}

// withholdAutoscaler stops the dispatching of a member's autoscaler. The mark tells our suspension from one of somebody else.
func (a *applier) withholdAutoscaler(ctx context.Context, v *view, cluster string) error {
	work := v.works[cluster]
	if work == nil {
		return nil
	}
	return patchWork(ctx, a.client, work, map[string]any{"annotations": map[string]any{migration.AnnotationCutOff: v.fed.Name}},
		map[string]any{"suspendDispatching": true})
}

// abandon removes a Work and leaves the member's object as it is. On its deletion Karmada deletes that object, or with
// preserveResourcesOnDeletion writes the manifest over it; it does neither for a Work that no longer bears its finalizer.
func abandon(ctx context.Context, writer client.Client, work *workv1alpha1.Work) error {
	if work == nil {
		return nil
	}
	bare := work.DeepCopy()
	if controllerutil.RemoveFinalizer(bare, util.ExecutionControllerFinalizer) {
		if err := writer.Patch(ctx, bare, client.MergeFromWithOptions(work, client.MergeFromWithOptimisticLock{})); err != nil {
			return fmt.Errorf("patching finalizers of Work %s/%s: %w", work.Namespace, work.Name, err)
		}
	}
	err := writer.Delete(ctx, bare, client.Preconditions{UID: &bare.UID, ResourceVersion: &bare.ResourceVersion})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	return nil
}

func patchWork(ctx context.Context, writer client.Client, work *workv1alpha1.Work, metadata, spec map[string]any) error {
	metadata["resourceVersion"] = work.ResourceVersion
	patch, err := json.Marshal(map[string]any{"metadata": metadata, "spec": spec})
	if err != nil {
		return fmt.Errorf("encoding the patch of Work %s: %w", work.Name, err)
	}
	if err := writer.Patch(ctx, work.DeepCopy(), client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("patching Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	return nil
}

func (a *applier) deleteAutoscaler(ctx context.Context, v *view, cluster string) error {
	work := v.works[cluster]
	if work == nil {
		return nil
	}
	err := a.client.Delete(ctx, work.DeepCopy(), client.Preconditions{UID: &work.UID, ResourceVersion: &work.ResourceVersion})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	return nil
}
