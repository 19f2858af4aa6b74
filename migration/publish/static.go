package publish

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// release of objects straight to members.
type release struct {
	set      applySet
	bundle   *Bundle
	clusters []string
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
			namespaced, err := member.IsObjectNamespaced(object)
			switch {
			case meta.IsNoMatchError(err):
				return unserved(object, cluster)
			case err == nil && !namespaced:
				return fmt.Errorf("%s is no object of a namespace and would be everybody's in cluster %s: apply it by itself; nothing was "+
					"published", policy.User(policy.RefOf(object)), cluster)
			}
		}
	}
	return nil
}

// unserved says which kind a cluster lacks, and what to do about that. It wraps no error of discovery: what that says of an API server is
// of the one that the kubeconfig names.
func unserved(object *unstructured.Unstructured, cluster string) error {
	name, group := policy.User(policy.RefOf(object)), object.GroupVersionKind().Group
	if strings.HasSuffix(group, ".karmada.io") {
		return fmt.Errorf("%s is of the control plane, and cluster %s serves no %s of %s: take it out of the folder. A federated "+
			"application's policies publish writes itself; others are applied to karmada-apiserver; nothing was published",
			name, cluster, object.GetKind(), object.GetAPIVersion())
	}
	return fmt.Errorf("%s: cluster %s serves no %s of %s: install what brings the kind there, or take it out of the folder; nothing was "+
		"published", name, cluster, object.GetKind(), object.GetAPIVersion())
}

// static applies to each member, as CI/CD did before.
func (p *Publisher) static(ctx context.Context, release release, result *Result) error {
	for _, cluster := range release.clusters {
		objects := release.bundle.For(cluster)
		chosen := release.chosen(cluster)
		member, err := p.Member(ctx, cluster)
		if err != nil {
			return fmt.Errorf("reaching cluster %s: %w", cluster, err)
		}
		at := memberAt{cluster: cluster, client: member, set: release.set, objects: objects, federated: release.only != nil}
		kinds, err := release.set.write(ctx, member, objects)
		if err != nil {
			return fmt.Errorf("releasing to cluster %s: %w", cluster, err)
		}
		for _, object := range objects {
			note, is := chosen[policy.RefOf(object)]
			if !is {
				continue
			}
			object.SetNamespace(release.set.namespace)
			if autoscaled(objects, object) {
				unstructured.RemoveNestedField(object.Object, "spec", "replicas")
				note = "replicas are its autoscaler's"
			}
			written, err := p.apply(ctx, at, object)
			if err != nil {
				return fmt.Errorf("applying %s to cluster %s: %w", policy.User(policy.RefOf(object)), cluster, err)
			}
			written.Where, written.Note = cluster, note
			result.Written = append(result.Written, written)
		}
		if err := p.pruneMember(ctx, at, kinds, result); err != nil {
			return err
		}
	}
	return nil
}

// apply one object to a member.
func (p *Publisher) apply(ctx context.Context, at memberAt, object *unstructured.Unstructured) (Written, error) {
	written := Written{Object: policy.User(policy.RefOf(object))}
	member := at.client
	before, handedOver, err := handOver(ctx, member, object)
	if err != nil {
		return written, err
	}
	at.set.join(object, before)
	written.New = before == nil
	leaves := before != nil && leavesReplicas(object)
	if p.DryRun && before != nil && (handedOver || leaves) {
		// The dry run of an apply knows nothing of what another dry run handed over.
		after, err := applied(before, object)
		if err == nil {
			written.Changes = changes(before, after)
		}
		return written, err
	}
	if leaves {
		if err := keepReplicas(ctx, member, before); err != nil {
			return written, err
		}
	}
	if err := member.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(FieldManager),
		client.ForceOwnership); err != nil {
		return written, err
	}
	if before != nil {
		written.Changes = changes(before, object)
	}
	return written, nil
}

// handOver gives a release what kubectl applied before it: what is gone from the folder then goes from the member too, and does not
// stay for ever since two tools wrote it once. It returns the object as it is there; nil when there is none.
func handOver(ctx context.Context, member client.Client, object *unstructured.Unstructured) (live *unstructured.Unstructured,
	handedOver bool, err error) {
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live = &unstructured.Unstructured{}
		live.SetGroupVersionKind(object.GroupVersionKind())
		if err := member.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
			live = nil
			return client.IgnoreNotFound(err)
		}
		patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, sets.New(policy.KubectlApply), FieldManager)
		if err != nil || patch == nil {
			return err
		}
		handedOver = true
		return member.Patch(ctx, live, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(FieldManager))
	})
	return live, handedOver, err
}

// leavesReplicas says whether a release leaves the replicas of a workload to somebody else: its autoscaler, or whoever scales it by hand.
func leavesReplicas(object *unstructured.Unstructured) bool {
	_, set, err := unstructured.NestedFieldNoCopy(object.Object, "spec", "replicas")
	return policy.Divisible(object.GetKind()) && (err != nil || !set)
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

// givenUp is the field manager under which what this program gives up keeps its value until somebody else writes it.
const givenUp = "argosy-publish-given-up"

// keepReplicas where a release gives them up. Server-side apply removes what its last owner gives up, and the API's default of 1 would take
// the place of what ran: so what this program owns is handed over with its present value first.
func keepReplicas(ctx context.Context, member client.Client, live *unstructured.Unstructured) error {
	replicas, found, err := unstructured.NestedInt64(live.Object, "spec", "replicas")
	if err != nil || !found || !ownsReplicas(live) {
		return err
	}
	kept := &unstructured.Unstructured{}
	kept.SetGroupVersionKind(live.GroupVersionKind())
	kept.SetNamespace(live.GetNamespace())
	kept.SetName(live.GetName())
	if err := unstructured.SetNestedField(kept.Object, replicas, "spec", "replicas"); err != nil {
		return err
	}
	if err := member.Apply(ctx, client.ApplyConfigurationFromUnstructured(kept), client.FieldOwner(givenUp),
		client.ForceOwnership); err != nil {
		return fmt.Errorf("handing over its replicas: %w", err)
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
