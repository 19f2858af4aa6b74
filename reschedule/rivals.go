package reschedule

import (
	"context"
	"fmt"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// rivals finds whoever else has a say in the replicas: by marks on the template and its policy, and by objects that name it.
func (c *Controller) rivals(ctx context.Context, b *workv1alpha2.ResourceBinding, alone *decide.Alone) error {
	ref := b.Spec.Resource
	template := &metav1.PartialObjectMetadata{}
	template.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := c.reader.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, template)
	switch {
	case apierrors.IsNotFound(err):
		alone.Deleting = true
		return nil
	case apierrors.IsForbidden(err) || meta.IsNoMatchError(err):
		alone.Unread = fmt.Sprintf("its template cannot be read, which may opt out: %v", err)
		return nil
	case err != nil:
		return fmt.Errorf("reading %s %s/%s: %w", ref.Kind, ref.Namespace, ref.Name, err)
	}
	alone.Deleting = alone.Deleting || !template.DeletionTimestamp.IsZero()
	notes := template.GetAnnotations()
	if notes[mark.RescheduleDisabled] == "true" {
		alone.Disabled = ref.Kind + " " + ref.Name
	} else if alone.Disabled, err = c.disabledByPolicy(ctx, notes); err != nil {
		return err
	}
	if template.GetLabels()[mark.RetainReplicas] == "true" {
		alone.Owner = "the members own their replicas (label " + mark.RetainReplicas + ")"
	}
	for _, note := range []string{migrationv1alpha1.AnnotationCutOff, migrationv1alpha1.AnnotationGuarded,
		migrationv1alpha1.AnnotationLeaving} {
		if notes[note] != "" {
			alone.Migration = "it is cut off from the federation, or about to be (annotation " + note + ")"
		}
	}
	return c.named(ctx, b, alone)
}

// disabledByPolicy names the policy of the template if it opts out.
func (c *Controller) disabledByPolicy(ctx context.Context, notes map[string]string) (string, error) {
	var policy client.Object
	var kind string
	switch {
	case notes[policyv1alpha1.PropagationPolicyNameAnnotation] != "":
		kind, policy = "PropagationPolicy", &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{
			Namespace: notes[policyv1alpha1.PropagationPolicyNamespaceAnnotation], Name: notes[policyv1alpha1.PropagationPolicyNameAnnotation],
		}}
	case notes[policyv1alpha1.ClusterPropagationPolicyAnnotation] != "":
		kind, policy = "ClusterPropagationPolicy", &policyv1alpha1.ClusterPropagationPolicy{ObjectMeta: metav1.ObjectMeta{
			Name: notes[policyv1alpha1.ClusterPropagationPolicyAnnotation],
		}}
	default:
		return "", nil
	}
	key := client.ObjectKeyFromObject(policy)
	if err := c.reader.Get(ctx, key, policy); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("reading %s %s: %w", kind, key, err)
	}
	if policy.GetAnnotations()[mark.RescheduleDisabled] == "true" {
		return kind + " " + key.Name, nil
	}
	return "", nil
}

// named finds the objects of Argosy that name the workload. A control plane need not serve each kind.
func (c *Controller) named(ctx context.Context, b *workv1alpha2.ResourceBinding, alone *decide.Alone) error {
	of := b.Spec.Resource
	is := func(apiVersion, kind, name string) bool {
		return name == of.Name &&
			schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind() == schema.FromAPIVersionAndKind(of.APIVersion, of.Kind).GroupKind()
	}
	var (
		feds       autoscalingv1alpha1.FedHPAList
		crons      autoscalingv1alpha1.CronHPAList
		orders     appsv1alpha1.PodScaleInList
		releases   releasev1alpha1.ReleaseList
		migrations migrationv1alpha1.MigrationList
	)
	for _, list := range []client.ObjectList{&feds, &crons, &orders, &releases, &migrations} {
		err := c.cache.List(ctx, list, client.InNamespace(b.Namespace), client.UnsafeDisableDeepCopy)
		if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
			return fmt.Errorf("listing %T: %w", list, err)
		}
	}
	for _, o := range feds.Items {
		if ref := o.Spec.ScaleTargetRef; is(ref.APIVersion, ref.Kind, ref.Name) {
			alone.Owner = "FedHPA " + o.Name + " divides its replicas, and moves those that wait itself"
		}
	}
	for _, o := range crons.Items {
		ref, next := o.Spec.ScaleTargetRef, o.Status.NextRunTime
		if is(ref.APIVersion, ref.Kind, ref.Name) && next != nil && next.Sub(c.clock.Now()).Abs() < time.Minute {
			alone.Fires = o.Name
		}
	}
	for _, o := range orders.Items {
		if ref := o.Spec.TargetRef; is(ref.APIVersion, ref.Kind, ref.Name) && o.Status.CompletionTime == nil {
			alone.ScaleIn = o.Name
		}
	}
	namedByStages(releases.Items, migrations.Items, is, alone)
	return nil
}

// namedByStages finds a Release or a Migration that has not ended.
func namedByStages(releases []releasev1alpha1.Release, migrations []migrationv1alpha1.Migration,
	is func(apiVersion, kind, name string) bool, alone *decide.Alone) {
	for _, o := range releases {
		if ref := o.Spec.TargetRef; is(ref.APIVersion, ref.Kind, ref.Name) &&
			!meta.IsStatusConditionTrue(o.Status.Conditions, releasev1alpha1.ConditionComplete) {
			alone.Release = o.Name
		}
	}
	for _, o := range migrations {
		if is(o.Spec.APIVersion, o.Spec.Kind, o.Spec.Name) && o.Status.Phase != migrationv1alpha1.PhaseFederated &&
			o.Status.Phase != migrationv1alpha1.PhaseLeft {
			alone.Migration = fmt.Sprintf("Migration %s has it in hand (%s)", o.Name, o.Status.Phase)
		}
	}
}
