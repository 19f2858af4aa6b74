package nemesis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// taintKey is one that no policy tolerates.
const taintKey = "nemesis.argosy.dev/away"

// done ends a fault that is over at once.
func done(context.Context) (bool, error) { return true, nil }

// taint lets Karmada evict all that runs in a member.
func taint(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	if err := h.setTaint(ctx, f.Target, true); err != nil {
		return nil, nil, err
	}
	return nil, func(ctx context.Context) (bool, error) { return true, h.setTaint(ctx, f.Target, false) }, nil
}

func (h *Hostile) setTaint(ctx context.Context, member string, on bool) error {
	return retry.OnError(retry.DefaultBackoff, func(error) bool { return true }, func() error {
		cluster := &clusterv1alpha1.Cluster{}
		if err := h.Karmada.Get(ctx, client.ObjectKey{Name: member}, cluster); err != nil {
			return err
		}
		var taints []corev1.Taint
		for _, t := range cluster.Spec.Taints {
			if t.Key != taintKey {
				taints = append(taints, t)
			}
		}
		if on {
			taints = append(taints, corev1.Taint{Key: taintKey, Effect: corev1.TaintEffectNoExecute})
		}
		cluster.Spec.Taints = taints
		return h.Karmada.Update(ctx, cluster)
	})
}

// cordon takes all nodes of a member but the first out of scheduling and deletes some pods on them, as a drain begins: those wait for room.
func cordon(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	member := h.Members[f.Target]
	if err := h.setCordon(ctx, member, true); err != nil {
		return nil, nil, err
	}
	var pods corev1.PodList
	namespace := h.Find("").GetNamespace()
	if err := member.List(ctx, &pods, client.InNamespace(namespace), client.Limit(3)); err != nil {
		return nil, nil, err
	}
	drained := 0
	for i := range pods.Items {
		if pods.Items[i].Labels["app"] == Untouched {
			continue
		}
		if err := member.Delete(ctx, &pods.Items[i]); err == nil {
			drained++
		}
	}
	return nil, func(ctx context.Context) (bool, error) { return drained > 0, h.setCordon(ctx, member, false) }, nil
}

func (h *Hostile) setCordon(ctx context.Context, member client.Client, on bool) error {
	return retry.OnError(retry.DefaultBackoff, func(error) bool { return true }, func() error {
		var nodes corev1.NodeList
		if err := member.List(ctx, &nodes); err != nil {
			return err
		}
		for i := range nodes.Items {
			if i == 0 {
				continue
			}
			patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, on))
			if err := member.Patch(ctx, &nodes.Items[i], patch); err != nil {
				return err
			}
		}
		return nil
	})
}

// rebalance asks Karmada's scheduler to divide an application anew.
func rebalance(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	app := h.Find(f.Target)
	rebalancer := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"workloads": []any{map[string]any{
				"apiVersion": app.GetAPIVersion(), "kind": app.GetKind(), "namespace": app.GetNamespace(), "name": app.GetName(),
			}},
			"ttlSecondsAfterFinished": int64(5),
		},
	}}
	rebalancer.SetAPIVersion("apps.karmada.io/v1alpha1")
	rebalancer.SetKind("WorkloadRebalancer")
	rebalancer.SetGenerateName("nemesis-")
	return nil, done, h.Karmada.Create(ctx, rebalancer)
}

// inMember is an application in a member, by a target app@member.
func (h *Hostile) inMember(target string) (app *unstructured.Unstructured, name string, member client.Client) {
	name, cluster, _ := strings.Cut(target, "@")
	return h.Find(name), cluster, h.Members[cluster]
}

func key(plane string, app *unstructured.Unstructured) *history.Key {
	return &history.Key{
		Plane: plane, Resource: history.ResourceOf(app.GetAPIVersion(), app.GetKind()), Namespace: app.GetNamespace(), Name: app.GetName(),
	}
}

// handScale is somebody who sets an application to one replica in a member.
func handScale(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	app, cluster, member := h.inMember(f.Target)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":1}}`))
	return key(cluster, app), done, member.Patch(ctx, app, patch)
}

// handDelete is somebody who deletes an application in a member.
func handDelete(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	app, cluster, member := h.inMember(f.Target)
	return key(cluster, app), done, member.Delete(ctx, app, client.PropagationPolicy("Background"))
}

// handWork is somebody who deletes the Work of an application's member.
func handWork(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	app, cluster, _ := h.inMember(f.Target)
	var works workv1alpha1.WorkList
	if err := h.Karmada.List(ctx, &works, client.InNamespace("karmada-es-"+cluster)); err != nil {
		return nil, nil, err
	}
	for i := range works.Items {
		name := works.Items[i].Annotations[workv1alpha2.ResourceBindingNameAnnotationKey]
		namespace := works.Items[i].Annotations[workv1alpha2.ResourceBindingNamespaceAnnotationKey]
		if name == binding(app) && namespace == app.GetNamespace() {
			return key(cluster, app), done, h.Karmada.Delete(ctx, &works.Items[i])
		}
	}
	return nil, nil, errors.New("there is no such Work")
}

// handBinding is somebody who takes a replica out of a scheduling result.
func handBinding(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	app := h.Find(f.Target)
	b := &workv1alpha2.ResourceBinding{}
	if err := h.Karmada.Get(ctx, client.ObjectKey{Namespace: app.GetNamespace(), Name: binding(app)}, b); err != nil {
		return nil, nil, err
	}
	for i := range b.Spec.Clusters {
		if b.Spec.Clusters[i].Replicas > 1 {
			b.Spec.Clusters[i].Replicas--
			return key(history.ControlPlane, app), done, h.Karmada.Update(ctx, b)
		}
	}
	return nil, nil, errors.New("no cluster has two replicas")
}

func binding(app *unstructured.Unstructured) string {
	return app.GetName() + "-" + strings.ToLower(app.GetKind())
}

// Untouched is the label app of pods that no drain may delete: an order names them.
const Untouched = "names"
