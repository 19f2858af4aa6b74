package publish

import (
	"context"
	"errors"
	"fmt"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// FieldManager under which a release is written.
const FieldManager = "argosy-publish"

// ErrChanging is returned while an application is between static management and federation: publish nowhere
// and try again shortly.
var ErrChanging = errors.New("the application is being moved between static management and federation")

// Publisher releases applications the way they are managed now.
type Publisher struct {
	// Control is karmada-apiserver.
	Control client.Client
	// Member gives a client of a member, for static releases.
	Member func(ctx context.Context, cluster string) (client.Client, error)
	Clock  clock.PassiveClock
}

// Result of a release.
type Result struct {
	Answer Answer
	// Written are the objects that were written, and where: "control plane" or a cluster.
	Written []Written
}

// Written is one object that was written.
type Written struct {
	Where  string
	Object string
	// Note says what was special, such as replicas that were left alone.
	Note string
}

// Release a bundle. Clusters are those a static release goes to; a federated one goes where its policies say.
func (p *Publisher) Release(ctx context.Context, namespace string, bundle *Bundle, clusters []string) (Result, error) {
	workload, err := bundle.Workload()
	if err != nil {
		return Result{}, err
	}
	application := Application{Namespace: namespace, Kind: workload.GetKind(), Name: workload.GetName()}
	answer, err := Ask(ctx, p.Control, application)
	if err != nil {
		return Result{}, fmt.Errorf("asking who manages the application: %w", err)
	}
	result := Result{Answer: answer}
	switch answer.Management {
	case v1alpha1.ManagementChanging:
		return result, fmt.Errorf("%w (phase %s)", ErrChanging, answer.Phase)
	case v1alpha1.ManagementFederated:
		return result, p.federated(ctx, application, bundle, &result)
	}
	if len(clusters) == 0 {
		clusters = bundle.Clusters()
	}
	if len(clusters) == 0 {
		return result, errors.New("the application is managed statically: name the clusters it is released to")
	}
	if err := p.static(ctx, namespace, bundle, clusters, &result); err != nil {
		return result, err
	}
	if answer.OnRelease {
		return result, p.released(ctx, application)
	}
	return result, nil
}

// static applies to each member, as CI/CD did before.
func (p *Publisher) static(ctx context.Context, namespace string, bundle *Bundle, clusters []string, result *Result) error {
	for _, cluster := range clusters {
		member, err := p.Member(ctx, cluster)
		if err != nil {
			return fmt.Errorf("reaching cluster %s: %w", cluster, err)
		}
		objects := bundle.For(cluster)
		for _, object := range objects {
			object.SetNamespace(namespace)
			note := ""
			if autoscaled(objects, object) {
				unstructured.RemoveNestedField(object.Object, "spec", "replicas")
				note = "replicas are its autoscaler's"
			}
			if err := member.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(FieldManager), client.ForceOwnership); err != nil {
				return fmt.Errorf("applying %s to cluster %s: %w", policy.User(policy.RefOf(object)), cluster, err)
			}
			result.Written = append(result.Written, Written{Where: cluster, Object: policy.User(policy.RefOf(object)), Note: note})
		}
	}
	return nil
}

func autoscaled(objects []*unstructured.Unstructured, workload *unstructured.Unstructured) bool {
	for _, object := range objects {
		if object.GetKind() != "HorizontalPodAutoscaler" {
			continue
		}
		kind, _, _ := unstructured.NestedString(object.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(object.Object, "spec", "scaleTargetRef", "name")
		if kind == workload.GetKind() && name == workload.GetName() {
			return true
		}
	}
	return false
}

// federated writes overrides, then policies of objects that are new, then templates.
func (p *Publisher) federated(ctx context.Context, application Application, bundle *Bundle, result *Result) error {
	resources, err := bundle.Author(application.Namespace, policy.Name(application.Kind, application.Name), result.Answer.Clusters)
	if err != nil {
		return err
	}
	for i := range resources {
		if resources[i].Local != "" {
			return fmt.Errorf("%s cannot be federated: %s", policy.User(resources[i].ResourceReference), resources[i].Local)
		}
	}
	for i := range resources {
		if err := p.override(ctx, &resources[i]); err != nil {
			return fmt.Errorf("writing the overrides of %s: %w", policy.User(resources[i].ResourceReference), err)
		}
	}
	for i := range resources {
		if err := p.policy(ctx, &resources[i], result); err != nil {
			return fmt.Errorf("writing the policy of %s: %w", policy.User(resources[i].ResourceReference), err)
		}
	}
	for i := range resources {
		if err := p.template(ctx, &resources[i], result); err != nil {
			return fmt.Errorf("writing the template of %s: %w", policy.User(resources[i].ResourceReference), err)
		}
	}
	return nil
}

func (p *Publisher) override(ctx context.Context, resource *policy.Resource) error {
	existing := &policyv1alpha1.OverridePolicy{}
	err := p.Control.Get(ctx, client.ObjectKeyFromObject(resource.Policy), existing)
	switch {
	case apierrors.IsNotFound(err) && resource.Override == nil:
		return nil
	case apierrors.IsNotFound(err):
		return p.Control.Create(ctx, resource.Override, client.FieldOwner(FieldManager))
	case err != nil:
		return err
	}
	existing.Spec.OverrideRules = []policyv1alpha1.RuleWithCluster{}
	if resource.Override != nil {
		existing.Spec.OverrideRules = resource.Override.Spec.OverrideRules
	}
	return p.Control.Update(ctx, existing, client.FieldOwner(FieldManager))
}

// policy of an object that is new; one that exists is its owner's to change.
func (p *Publisher) policy(ctx context.Context, resource *policy.Resource, result *Result) error {
	err := p.Control.Create(ctx, resource.Policy, client.FieldOwner(FieldManager))
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		result.Written = append(result.Written, Written{Where: "control plane", Object: "propagationpolicy/" + resource.Policy.Name})
	}
	return err
}

func (p *Publisher) template(ctx context.Context, resource *policy.Resource, result *Result) error {
	written := Written{Where: "control plane", Object: policy.User(resource.ResourceReference)}
	existing := &unstructured.Unstructured{}
	existing.SetAPIVersion(resource.APIVersion)
	existing.SetKind(resource.Kind)
	err := p.Control.Get(ctx, client.ObjectKeyFromObject(resource.Template), existing)
	switch {
	case apierrors.IsNotFound(err):
		if err := p.Control.Create(ctx, resource.Template, client.FieldOwner(FieldManager)); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		desired := resource.Template.DeepCopy()
		desired.SetLabels(carry(existing.GetLabels(), desired.GetLabels()))
		desired.SetAnnotations(carry(existing.GetAnnotations(), desired.GetAnnotations()))
		if resource.Replicas != nil {
			// How many there are in all is decided in the control plane, by people or autoscalers.
			replicas, _ := policy.Replicas(existing)
			if err := unstructured.SetNestedField(desired.Object, int64(replicas), "spec", "replicas"); err != nil {
				return err
			}
			written.Note = fmt.Sprintf("replicas stay %d", replicas)
		}
		if err := p.Control.Update(ctx, policy.Merge(existing, desired), client.FieldOwner(FieldManager)); err != nil {
			return err
		}
	}
	result.Written = append(result.Written, written)
	return nil
}

// carry our own marks of a template over to its next version.
func carry(existing, desired map[string]string) map[string]string {
	out := map[string]string{}
	for _, key := range []string{v1alpha1.LabelManagedBy, v1alpha1.AnnotationContentHash, "resourcetemplate.karmada.io/retain-replicas"} {
		if value, ok := existing[key]; ok {
			out[key] = value
		}
	}
	for key, value := range desired {
		out[key] = value
	}
	return out
}

// released tells a Migration with trigger OnRelease that the release it waited for is out.
func (p *Publisher) released(ctx context.Context, application Application) error {
	migration := &v1alpha1.Migration{}
	key := client.ObjectKey{Namespace: application.Namespace, Name: policy.Name(application.Kind, application.Name)}
	if err := p.Control.Get(ctx, key, migration); err != nil {
		if apierrors.IsNotFound(err) {
			return nil // the controller has not made it yet; the next release will find it
		}
		return fmt.Errorf("reading migration %s: %w", key, err)
	}
	before := migration.DeepCopy()
	now := metav1.NewTime(p.Clock.Now())
	migration.Spec.ReleasedTime = &now
	if err := p.Control.Patch(ctx, migration, client.MergeFrom(before), client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("telling migration %s of the release: %w", key, err)
	}
	return nil
}
