package scalein

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	vm "github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// setKind is the version the adopter reads.
var setKind = vm.GroupVersion.WithKind("VMReplicaSet")

// virtualMachineSets are followed while a member gives servers up without replacement (failover.onUnrepairable Abandon). Each such member
// runs with fewer servers than its share of the binding; lowered elsewhere, the fleet would run short twice.
func virtualMachineSets() followed {
	return followed{
		controller: "scalein-abandoned", without: "no set is lowered by servers that were given up", kind: setKind,
		watched: func() client.Object { return &unstructured.Unstructured{} },
		concerned: func(o client.Object) bool {
			set, ok := o.(*unstructured.Unstructured)
			return ok && wishOfSet(set) != ""
		},
		read: func(a adopter, ctx context.Context, seen gathered, cluster string) member {
			if !givesUp(seen.templateObject)[cluster] {
				return member{} // It says nothing that could lower its share.
			}
			share, _ := seen.binding.of(cluster)
			m, err := a.readSet(ctx, seen.order, cluster, share)
			if err != nil {
				return member{unreachable: err.Error()}
			}
			return m
		},
	}
}

// wishOfSet is AdoptAlways while members say that servers were given up and are not to be replaced.
func wishOfSet(set *unstructured.Unstructured) string {
	way, _, _ := unstructured.NestedString(set.Object, "spec", "failover", "onUnrepairable")
	if way != string(vm.Abandon) || len(givesUp(set)) == 0 {
		return ""
	}
	return v1alpha1.AdoptAlways
}

// givesUp are the clusters of the servers that the set's status in the control plane calls abandoned.
func givesUp(set *unstructured.Unstructured) map[string]bool {
	out := map[string]bool{}
	entries, _, _ := unstructured.NestedSlice(set.Object, "status", "abandoned")
	for _, entry := range entries {
		if fields, ok := entry.(map[string]any); ok {
			if cluster, ok := fields["cluster"].(string); ok && cluster != "" {
				out[cluster] = true
			}
		}
	}
	return out
}

// readSet is how many servers one member keeps. Its word counts of the number it was given, once it has observed that: a status of before
// would lower the number a second time.
func (a adopter) readSet(ctx context.Context, order *v1alpha1.PodScaleIn, cluster string, share int32) (member, error) {
	api, err := a.members.Client(ctx, cluster)
	if err != nil {
		return member{}, err
	}
	set := workloadOf(order)
	if err := api.Get(ctx, client.ObjectKeyFromObject(set), set); err != nil {
		if apierrors.IsNotFound(err) {
			return member{}, nil
		}
		return member{}, fmt.Errorf("reading VMReplicaSet %s: %w", set.GetName(), err)
	}
	return setFacts(set, share)
}

func setFacts(set *unstructured.Unstructured, share int32) (member, error) {
	asked := replicasOf(set)
	seen, _, err := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
	if err != nil {
		return member{}, fmt.Errorf("reading status.observedGeneration of VMReplicaSet %s: %w", set.GetName(), err)
	}
	gone, _, err := unstructured.NestedInt64(set.Object, "status", "abandonedReplicas")
	if err != nil {
		return member{}, fmt.Errorf("reading status.abandonedReplicas of VMReplicaSet %s: %w", set.GetName(), err)
	}
	if asked != share || seen != set.GetGeneration() {
		return member{}, fmt.Errorf(
			"VMReplicaSet %s asks for %d servers at generation %d, of which %d was observed: the share of %d has not arrived",
			set.GetName(), asked, set.GetGeneration(), seen, share)
	}
	return member{uid: string(set.GetUID()), replicas: max(0, asked-int32(gone))}, nil
}
