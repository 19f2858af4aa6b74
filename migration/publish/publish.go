package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	// Held are written objects that do not reach some cluster, since their policy is suspended there.
	Held []Written
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
	if err := bundle.within(namespace); err != nil {
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
		for _, cluster := range append(bundle.Clusters(), clusters...) {
			if !slices.Contains(answer.Clusters, cluster) {
				return result, fmt.Errorf("the application is federated in %s, and %s is none of them: its policies decide where it is; nothing was published", strings.Join(answer.Clusters, ", "), cluster)
			}
		}
		if err := p.federated(ctx, application, bundle, &result); err != nil {
			return result, err
		}
		return result, p.still(ctx, application, result.Answer)
	}
	if len(clusters) == 0 {
		clusters = bundle.Clusters()
	}
	if len(clusters) == 0 {
		return result, errors.New("the application is managed statically: name the clusters it is released to")
	}
	static := release{namespace: namespace, bundle: bundle, clusters: clusters}
	if err := p.reaches(ctx, static); err != nil {
		return result, err
	}
	if err := p.static(ctx, static, &result); err != nil {
		return result, err
	}
	if answer.OnRelease {
		if err := p.released(ctx, application); err != nil {
			return result, err
		}
	}
	return result, p.still(ctx, application, answer)
}

// still asks once more after a release: one that met the beginning of a take-over or of a cut-off went the wrong
// way, and is repeated the right one.
func (p *Publisher) still(ctx context.Context, application Application, before Answer) error {
	now, err := Ask(ctx, p.Control, application)
	if err != nil {
		return fmt.Errorf("asking who manages the application, after the release: %w", err)
	}
	if now.Management != before.Management {
		return fmt.Errorf("%w: it was %s when the release began and is %s now; release it again", ErrChanging, before.Management, now.Management)
	}
	return nil
}

// release of objects straight to members.
type release struct {
	namespace string
	bundle    *Bundle
	clusters  []string
	// only these objects, each with a note why; nil is all.
	only map[v1alpha1.ResourceReference]string
}

// chosen objects of a cluster, with what is to be noted of each.
func (r release) chosen(cluster string) map[v1alpha1.ResourceReference]string {
	if r.only != nil {
		return r.only
	}
	out := map[v1alpha1.ResourceReference]string{}
	for _, object := range r.bundle.For(cluster) {
		out[policy.RefOf(object)] = ""
	}
	return out
}

// reaches every cluster before anything is written: a name that is none must not leave the clusters before it released and those
// behind it not.
func (p *Publisher) reaches(ctx context.Context, release release) error {
	for _, cluster := range release.clusters {
		member, err := p.Member(ctx, cluster)
		if err != nil {
			return fmt.Errorf("reaching cluster %s: %w; nothing was published", cluster, err)
		}
		chosen := release.chosen(cluster)
		for _, object := range release.bundle.For(cluster) {
			if _, is := chosen[policy.RefOf(object)]; !is {
				continue
			}
			if namespaced, err := member.IsObjectNamespaced(object); err == nil && !namespaced {
				return fmt.Errorf("%s is no object of a namespace and would be everybody's in cluster %s: apply it by itself; nothing was published", policy.User(policy.RefOf(object)), cluster)
			}
		}
	}
	return nil
}

// static applies to each member, as CI/CD did before.
func (p *Publisher) static(ctx context.Context, release release, result *Result) error {
	for _, cluster := range release.clusters {
		objects := release.bundle.For(cluster)
		chosen := release.chosen(cluster)
		for _, object := range objects {
			note, is := chosen[policy.RefOf(object)]
			if !is {
				continue
			}
			object.SetNamespace(release.namespace)
			if autoscaled(objects, object) {
				if err := p.giveUpReplicas(ctx, cluster, object); err != nil {
					return err
				}
				note = "replicas are its autoscaler's"
			}
			if err := p.apply(ctx, cluster, object, note, result); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply one object to a member.
func (p *Publisher) apply(ctx context.Context, cluster string, object *unstructured.Unstructured, note string, result *Result) error {
	member, err := p.Member(ctx, cluster)
	if err != nil {
		return fmt.Errorf("reaching cluster %s: %w", cluster, err)
	}
	if err := member.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s to cluster %s: %w", policy.User(policy.RefOf(object)), cluster, err)
	}
	result.Written = append(result.Written, Written{Where: cluster, Object: policy.User(policy.RefOf(object)), Note: note})
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

// givenUp is the field manager under which what this program gives up keeps its value until somebody else writes it.
const givenUp = "argosy-publish-given-up"

// giveUpReplicas leaves the replicas of a workload to its autoscaler. Server-side apply removes what its last owner gives up, and the
// API's default of 1 would take the place of what ran: so what this program owns is handed over with its present value first.
func (p *Publisher) giveUpReplicas(ctx context.Context, cluster string, workload *unstructured.Unstructured) error {
	unstructured.RemoveNestedField(workload.Object, "spec", "replicas")
	member, err := p.Member(ctx, cluster)
	if err != nil {
		return fmt.Errorf("reaching cluster %s: %w", cluster, err)
	}
	name := policy.User(policy.RefOf(workload))
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(workload.GroupVersionKind())
	if err := member.Get(ctx, client.ObjectKeyFromObject(workload), live); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("reading %s in cluster %s: %w", name, cluster, err)
	}
	replicas, found, err := unstructured.NestedInt64(live.Object, "spec", "replicas")
	if err != nil || !found || !ownsReplicas(live) {
		return err
	}
	kept := &unstructured.Unstructured{}
	kept.SetGroupVersionKind(workload.GroupVersionKind())
	kept.SetNamespace(workload.GetNamespace())
	kept.SetName(workload.GetName())
	if err := unstructured.SetNestedField(kept.Object, replicas, "spec", "replicas"); err != nil {
		return err
	}
	if err := member.Apply(ctx, client.ApplyConfigurationFromUnstructured(kept), client.FieldOwner(givenUp), client.ForceOwnership); err != nil {
		return fmt.Errorf("handing over the replicas of %s in cluster %s: %w", name, cluster, err)
	}
	return nil
}

// ownsReplicas says whether a release of before wrote the replicas.
func ownsReplicas(live *unstructured.Unstructured) bool {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == FieldManager && entry.FieldsV1 != nil && strings.Contains(string(entry.FieldsV1.Raw), `"f:replicas"`) {
			return true
		}
	}
	return false
}
