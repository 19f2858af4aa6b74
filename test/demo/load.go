package demo

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// usageAnnotation is where KWOK reads how much CPU a pod uses.
const usageAnnotation = "kwok.x-k8s.io/usage-cpu"

// Load is traffic on one workload in one member: a total of CPU, in thousandths, which the workload's pods share evenly as behind a load
// balancer. More pods mean less for each, so that a native HPA finds its count and stays there.
type Load struct {
	Member    client.Client
	Namespace string
	Labels    map[string]string
}

// Run spreads the total over the pods, each second anew, until the context ends.
func (l Load) Run(ctx context.Context, millicores int) {
	// What fails now, in a member that is stopped, is tried again a second later.
	_ = wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		_ = l.spread(ctx, millicores)
		return false, nil
	})
}

func (l Load) spread(ctx context.Context, millicores int) error {
	var pods corev1.PodList
	if err := l.Member.List(ctx, &pods, client.InNamespace(l.Namespace), client.MatchingLabels(l.Labels)); err != nil {
		return fmt.Errorf("listing pods under load: %w", err)
	}
	var serving []*corev1.Pod
	for i := range pods.Items {
		if isReady(pods.Items[i]) {
			serving = append(serving, &pods.Items[i])
		}
	}
	for _, pod := range serving {
		share := fmt.Sprintf("%dm", millicores/len(serving))
		if pod.Annotations[usageAnnotation] == share {
			continue
		}
		patch := client.MergeFrom(pod.DeepCopy())
		pod.Annotations[usageAnnotation] = share
		if err := l.Member.Patch(ctx, pod, patch); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("putting load on pod %s: %w", pod.Name, err)
		}
	}
	return nil
}
