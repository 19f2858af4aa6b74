package reach

import (
	"context"
	"fmt"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Clusters knows it by the condition Ready, which Karmada keeps of each Cluster.
type Clusters struct {
	// Reader is a cache.
	Reader client.Reader
}

// Unreachable implements Members. Of a Cluster that is not there the Works are on their way out, and of one without the condition nothing
// was heard yet: neither has more to say than its status.
func (c *Clusters) Unreachable(ctx context.Context, name string) (string, error) {
	var cluster clusterv1alpha1.Cluster
	err := c.Reader.Get(ctx, types.NamespacedName{Name: name}, &cluster)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading Cluster %s: %w", name, err)
	}
	return NotReady(&cluster), nil
}

// NotReady says since when and why a Cluster is not Ready, in the words of its condition; empty where it is, or where none is said.
func NotReady(cluster *clusterv1alpha1.Cluster) string {
	ready := meta.FindStatusCondition(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return ""
	}
	return fmt.Sprintf("Ready is %s since %s: %s", ready.Status, ready.LastTransitionTime.UTC().Format(time.RFC3339), ready.Reason)
}

// TrimCluster keeps of a Cluster what Clusters reads: its lists of APIs are most of it.
func TrimCluster(object any) (any, error) {
	if cluster, ok := object.(*clusterv1alpha1.Cluster); ok {
		cluster.ManagedFields = nil
		cluster.Spec = clusterv1alpha1.ClusterSpec{}
		cluster.Status = clusterv1alpha1.ClusterStatus{Conditions: cluster.Status.Conditions}
	}
	return object, nil
}
