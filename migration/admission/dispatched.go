package admission

import (
	"context"
	"fmt"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Dispatched refuses the deletion of ResourceBindings and Works by hand, which Karmada answers by writing stored manifests into
// members. Who deletes is not asked: Karmada's own controllers commonly run as the very user administrators are. What tells is
// the state: Karmada deletes a binding when its template goes, which admission refuses while the application is cut off, and a Work
// when its binding goes or leaves the cluster out. In every other case, and in doubt, the deletion is allowed.
type Dispatched struct {
	Decoder admission.Decoder
	Reader  client.Reader
}

// Handle the deletion of a ResourceBinding or a Work.
func (d *Dispatched) Handle(ctx context.Context, request admission.Request) admission.Response {
	if request.Operation != admissionv1.Delete {
		return admission.Allowed("")
	}
	judge := d.binding
	if request.Kind.Kind == "Work" {
		judge = d.work
	}
	why, err := judge(ctx, request)
	if err != nil {
		log.FromContext(ctx).Error(err, "Judging a deletion; it is allowed", "kind", request.Kind.Kind, "namespace", request.Namespace, "name",
			request.Name)
		return admission.Allowed("")
	}
	if why == "" {
		return admission.Allowed("")
	}
	// As a warning too: 'karmadactl unregister' keeps the reason of a refusal to itself, and kubectl's library prints warnings.
	return admission.Denied(why).WithWarnings(why)
}

func (d *Dispatched) binding(ctx context.Context, request admission.Request) (string, error) {
	binding := &workv1alpha2.ResourceBinding{}
	if err := d.Decoder.DecodeRaw(request.OldObject, binding); err != nil {
		return "", err
	}
	holders, err := d.holders(ctx, binding, isCutOff)
	if err != nil || len(holders) == 0 || !binding.DeletionTimestamp.IsZero() {
		return "", err
	}
	return fmt.Sprintf(
		"ResourceBinding %s belongs to %s, which is cut off from the federation: deleting it would make Karmada write its stale manifest back "+
			"into the members. To remove it safely run 'argosyctl migration leave -n %s %s'",
		binding.Name, policy.User(resourceOf(binding)), binding.Namespace, application(holders[0].Name)), nil
}

func (d *Dispatched) work(ctx context.Context, request admission.Request) (string, error) {
	cluster, err := names.GetClusterName(request.Namespace)
	if err != nil {
		return "", err
	}
	work := &workv1alpha1.Work{}
	if err := d.Decoder.DecodeRaw(request.OldObject, work); err != nil {
		return "", err
	}
	binding := &workv1alpha2.ResourceBinding{}
	key := client.ObjectKey{
		Namespace: work.Annotations[workv1alpha2.ResourceBindingNamespaceAnnotationKey],
		Name:      work.Annotations[workv1alpha2.ResourceBindingNameAnnotationKey],
	}
	if err := d.Reader.Get(ctx, key, binding); err != nil {
		return "", client.IgnoreNotFound(err)
	}
	switch {
	case !work.DeletionTimestamp.IsZero(), !binding.DeletionTimestamp.IsZero(), !binding.Spec.TargetContains(cluster):
		return "", nil
	case work.Labels[workv1alpha2.ResourceBindingPermanentIDLabel] != binding.Labels[workv1alpha2.ResourceBindingPermanentIDLabel]:
		return "", nil // a binding of that name before this one made it
	}
	holders, err := d.holders(ctx, binding, isPresent)
	if err != nil || len(holders) == 0 {
		return "", err
	}
	app := application(holders[0].Name)
	return fmt.Sprintf(
		"Work %s carries %s of application %s/%s into cluster %s: deleting it would make Karmada write its stored manifest there, and leave "+
			"the cluster without it. If the cluster is to go, let its applications leave first: 'argosyctl migration rollback -n %s %s', then "+
			"'argosyctl migration leave'",
		work.Name, policy.User(resourceOf(binding)), binding.Namespace, app, cluster, binding.Namespace, app), nil
}

func resourceOf(binding *workv1alpha2.ResourceBinding) v1alpha1.ResourceReference {
	resource := binding.Spec.Resource
	return v1alpha1.ResourceReference{APIVersion: resource.APIVersion, Kind: resource.Kind, Name: resource.Name}
}

// holders are the Migrations that carry a binding's object, stand as asked, and are not removing it by an approved plan.
func (d *Dispatched) holders(ctx context.Context, binding *workv1alpha2.ResourceBinding,
	stands func(*v1alpha1.Migration) bool) ([]v1alpha1.Migration, error) {
	var list v1alpha1.MigrationList
	if err := d.Reader.List(ctx, &list, client.InNamespace(binding.Namespace)); err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	var out []v1alpha1.Migration
	for i := range list.Items {
		migration := &list.Items[i]
		if !stands(migration) || migration.Status.RemovalStartTime != nil {
			continue
		}
		for _, resource := range migration.Status.Resources {
			if resource.Policy != "" && resource.ResourceReference == resourceOf(binding) {
				out = append(out, *migration)
				break
			}
		}
	}
	return out, nil
}

func isPresent(migration *v1alpha1.Migration) bool { return plan.InControlPlane(migration.Status) }

// isCutOff is true while admission refuses the deletion of an application's templates.
func isCutOff(migration *v1alpha1.Migration) bool {
	switch migration.Status.Phase {
	case v1alpha1.PhaseCuttingOff, v1alpha1.PhaseCutOff, v1alpha1.PhaseLeaving:
		return true
	}
	return false
}
