package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/newer"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Left is an object that an earlier release brought and the folder no longer has.
type Left struct {
	// Where it is: ControlPlane, and so in the clusters of its policy, or a cluster.
	Where  string
	Object string
	// Pruned is true where it was deleted, or is being so.
	Pruned bool
	// Note says why it stays though pruning was asked for, or what is special about its deletion.
	Note string
}

// sameObject of the folder in any version of its API: one that went from autoscaling/v1 to v2 has not left.
type sameObject struct {
	schema.GroupKind
	name string
}

func identity(object *unstructured.Unstructured) sameObject {
	return sameObject{GroupKind: object.GroupVersionKind().GroupKind(), name: object.GetName()}
}

func identities(objects []*unstructured.Unstructured) map[sameObject]bool {
	out := map[sameObject]bool{}
	for _, object := range objects {
		out[identity(object)] = true
	}
	return out
}

// identities of what the folder has for any of the clusters.
func (b *Bundle) identities(clusters []string) map[sameObject]bool {
	out := map[sameObject]bool{}
	for _, cluster := range clusters {
		maps.Copy(out, identities(b.For(cluster)))
	}
	return out
}

// pruneMember finds what left the folder in a member, and deletes it where that was asked for.
func (p *Publisher) pruneMember(ctx context.Context, at memberAt, kinds []schema.GroupKind, result *Result) error {
	has := identities(at.objects)
	for _, kind := range kinds {
		mapping, err := at.client.RESTMapper().RESTMapping(kind)
		if meta.IsNoMatchError(err) {
			continue // the member does not serve it, or no longer
		}
		if err != nil {
			return fmt.Errorf("looking for what left the folder in cluster %s: %w", at.cluster, err)
		}
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(mapping.GroupVersionKind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := at.client.List(ctx, &list, client.InNamespace(at.set.namespace), client.MatchingLabels{partOfLabel: at.set.id()}); err != nil {
			return fmt.Errorf("looking for what left the folder in cluster %s: listing %s: %w", at.cluster, kind, err)
		}
		for i := range list.Items {
			object := &list.Items[i]
			object.SetGroupVersionKind(mapping.GroupVersionKind)
			federated := object.GetLabels()["karmada.io/managed"] == "true"
			if has[identity(object)] || !released(object) && !federated || at.federated && federated {
				continue
			}
			left, err := p.leftInMember(ctx, at, object)
			if err != nil {
				return err
			}
			result.Left = append(result.Left, left)
		}
	}
	return nil
}

// memberAt is a member in the middle of a release.
type memberAt struct {
	cluster string
	client  client.Client
	set     applySet
	// objects that the folder has for the cluster.
	objects []*unstructured.Unstructured
	// federated applications leave what Karmada writes to the control plane.
	federated bool
}

// workload of the folder, as the cluster is to have it; every folder that was loaded has one.
func (at memberAt) workload() *unstructured.Unstructured {
	for _, object := range at.objects {
		if policy.Supported(object.GetAPIVersion(), object.GetKind()) {
			return object
		}
	}
	return &unstructured.Unstructured{}
}

func (p *Publisher) leftInMember(ctx context.Context, at memberAt, object *unstructured.Unstructured) (Left, error) {
	left := Left{Where: at.cluster, Object: policy.User(policy.RefOf(object))}
	left.Note = somebodys(object)
	if left.Note == "" && object.GetLabels()["karmada.io/managed"] == "true" {
		left.Note = "Karmada still holds it for the application that was cut off: let that leave ('argosyctl migration leave'), or adopt it " +
			"again and prune then"
	}
	if left.Note == "" {
		users, err := usersOf(ctx, at, object, at.workload())
		if err != nil {
			return left, err
		}
		if len(users) > 0 {
			left.Note = "it is used by " + strings.Join(users, ", ")
		}
	}
	if left.Note != "" || !p.Prune {
		return left, nil
	}
	version, uid := object.GetResourceVersion(), object.GetUID()
	err := at.client.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		return left, fmt.Errorf("deleting %s, which left the folder, from cluster %s: %w", left.Object, at.cluster, err)
	}
	left.Pruned = true
	return left, nil
}

// somebodys says whose an object is beside the release's, so that it is not deleted; empty when it is nobody else's.
func somebodys(object *unstructured.Unstructured) string {
	switch owner := policy.ControlledBy(object); {
	case object.GetDeletionTimestamp() != nil:
		return "it is being deleted already"
	case owner != "":
		return "it is owned by " + owner
	case len(object.GetOwnerReferences()) > 0:
		return "it is owned by " + object.GetOwnerReferences()[0].Kind + " " + object.GetOwnerReferences()[0].Name
	case len(policy.Marks(object)) > 0:
		return "it bears the mark of " + strings.Join(policy.Marks(object), ", ")
	case object.GetKind() == "PersistentVolumeClaim":
		return "it holds data: delete it yourself"
	case policy.Supported(object.GetAPIVersion(), object.GetKind()):
		return "it is a workload: delete it yourself"
	}
	return ""
}

// usersOf an object are the workloads of a member that need it: the folder may have dropped it too early, or another application may have
// come to use it. Self is the application's own workload as the release leaves it.
func usersOf(ctx context.Context, at memberAt, object, self *unstructured.Unstructured) ([]string, error) {
	own := policy.User(policy.RefOf(self))
	objects := []*unstructured.Unstructured{object, self}
	for _, gvk := range policy.Carried() {
		if !policy.Supported(gvk.GroupVersion().String(), gvk.Kind) {
			continue
		}
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		err := at.client.List(ctx, &list, client.InNamespace(at.set.namespace))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking for who uses %s in cluster %s: listing %s: %w", policy.User(policy.RefOf(object)), at.cluster,
				gvk.Kind, err)
		}
		for i := range list.Items {
			list.Items[i].SetGroupVersionKind(gvk)
			if policy.User(policy.RefOf(&list.Items[i])) != own {
				objects = append(objects, &list.Items[i])
			}
		}
	}
	users, err := policy.Users(objects, policy.RefOf(object))
	if err != nil {
		return nil, fmt.Errorf("looking for who uses %s in cluster %s: %w", policy.User(policy.RefOf(object)), at.cluster, err)
	}
	switch object.GetKind() {
	case "ConfigMap", "Secret", "ServiceAccount":
		return users, nil
	}
	// What selects the application's own pods, or scales it, is no need of theirs.
	return slices.DeleteFunc(users, func(user string) bool { return user == own }), nil
}

// fromControl is what a release leaves in the control plane.
type fromControl struct {
	set    applySet
	owner  string
	bundle *Bundle
	// clusters the application is federated in.
	clusters []string
}

// pruneControl finds the policies whose objects left the folder, and has the controller take them out where that was asked for: template
// first, without preserving, then policy and overrides. Karmada then deletes the objects from the members.
func (p *Publisher) pruneControl(ctx context.Context, of fromControl, result *Result) error {
	var policies policyv1alpha1.PropagationPolicyList
	if err := p.Control.List(ctx, &policies, client.InNamespace(of.set.namespace),
		client.MatchingLabels{v1alpha1.LabelManagedBy: of.owner}); err != nil {
		return fmt.Errorf("looking for what left the folder: listing policies: %w", err)
	}
	folder := of.bundle.identities(of.clusters)
	for i := range policies.Items {
		existing := &policies.Items[i]
		if len(existing.Spec.ResourceSelectors) != 1 {
			continue
		}
		selector := existing.Spec.ResourceSelectors[0]
		kind := schema.FromAPIVersionAndKind(selector.APIVersion, selector.Kind)
		if folder[sameObject{GroupKind: kind.GroupKind(), name: selector.Name}] {
			continue
		}
		template := &unstructured.Unstructured{}
		template.SetGroupVersionKind(kind)
		err := p.Control.Get(ctx, client.ObjectKey{Namespace: of.set.namespace, Name: selector.Name}, template)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("looking for what left the folder: reading the template of %s %s: %w", selector.Kind, selector.Name, err)
		}
		if err != nil || !of.set.has(template) {
			continue // no release brought it
		}
		left, err := p.leftInControl(ctx, of, existing, template)
		if err != nil {
			return err
		}
		result.Left = append(result.Left, left)
	}
	return nil
}

func (p *Publisher) leftInControl(ctx context.Context, of fromControl, existing *policyv1alpha1.PropagationPolicy,
	template *unstructured.Unstructured) (Left, error) {
	left := Left{Where: ControlPlane, Object: policy.User(policy.RefOf(template)), Note: somebodys(template)}
	users := existing.Annotations[v1alpha1.AnnotationReferrers]
	switch {
	case existing.Annotations[v1alpha1.AnnotationPruned] != "" || existing.DeletionTimestamp != nil:
		left.Note = "it is being taken out already"
	case left.Note != "":
	case strings.Contains(users, ","):
		left.Note = "it is shared by " + strings.ReplaceAll(users, ",", ", ")
	case existing.Spec.Suspension != nil:
		left.Note = "PropagationPolicy " + existing.Name + " is suspended"
	}
	if left.Note != "" || !p.Prune {
		return left, nil
	}
	for _, cluster := range of.clusters {
		member, err := p.Member(ctx, cluster)
		if err != nil {
			return left, fmt.Errorf("reaching cluster %s, to see who uses %s there: %w", cluster, left.Object, err)
		}
		at := memberAt{cluster: cluster, client: member, set: of.set, objects: of.bundle.For(cluster)}
		users, err := usersOf(ctx, at, template, at.workload())
		if err != nil {
			return left, err
		}
		if len(users) > 0 {
			left.Note = "it is used by " + strings.Join(users, ", ") + " in cluster " + cluster
			return left, nil
		}
	}
	if err := p.takeOut(ctx, existing); err != nil {
		return left, fmt.Errorf("having %s taken out, which left the folder: %w", left.Object, err)
	}
	left.Pruned = true
	if affinity := existing.Spec.Placement.ClusterAffinity; affinity != nil {
		left.Note = "and with it from " + strings.Join(affinity.ClusterNames, ", ")
	}
	return left, nil
}

// takeOut asks the controller to take a policy's object out of the control plane, and Karmada not to preserve it. A rollback that begins
// meanwhile takes both back.
func (p *Publisher) takeOut(ctx context.Context, existing *policyv1alpha1.PropagationPolicy) error {
	read := &policyv1alpha1.PropagationPolicy{}
	read.Namespace, read.Name = existing.Namespace, existing.Name
	raw, err := newer.Get(ctx, p.Control, p.Control, read)
	if err != nil {
		return err
	}
	next := read.DeepCopy()
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[v1alpha1.AnnotationPruned] = read.Labels[v1alpha1.LabelManagedBy]
	next.Spec.PreserveResourcesOnDeletion = ptr.To(false)
	return newer.Patch(ctx, p.Control, raw, next, client.FieldOwner(FieldManager))
}
