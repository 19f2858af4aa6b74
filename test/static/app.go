// Package static releases applications straight into members, each on its own, as CI/CD did before there
// was a federation: the same names everywhere, and configuration, replicas and labels that differ.
package static

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// App is one application as it is in the members.
type App struct {
	Namespace string
	Name      string
	// Kind of the workload; a DaemonSet's Replicas are the nodes of each member.
	Kind string
	// API is the workload's apiVersion where its kind alone does not tell.
	API string
	// Image of its one container.
	Image string
	// Replicas by member; its keys are the members that run it.
	Replicas map[string]int64
	// Autoscaled adds a HorizontalPodAutoscaler to each member.
	Autoscaled bool
	// SharedConfig is the name of a ConfigMap the application uses beside its own.
	SharedConfig string
	// NodePort adds a Service of that type, whose port each member chose.
	NodePort map[string]int64
	// Front adds an Ingress, whose host each member has of its own, and a PodDisruptionBudget.
	Front bool
	// Volume adds a PersistentVolumeClaim that the pods mount, bound to a volume that only its member has.
	Volume bool
	// Extra is put on top of the workload's spec.
	Extra map[string]any
}

// APIVersion of the workload.
func (a App) APIVersion() string {
	if a.API != "" {
		return a.API
	}
	if a.Kind == "CloneSet" {
		return "apps.kruise.io/v1alpha1"
	}
	return "apps/v1"
}

// Members that run it, by name.
func (a App) Members() []string { return slices.Sorted(maps.Keys(a.Replicas)) }

// Release writes the application into every member, and returns when all accepted it.
func (a App) Release(ctx context.Context, members map[string]client.Client) error {
	for _, name := range a.Members() {
		member, ok := members[name]
		if !ok {
			return fmt.Errorf("there is no member %s", name)
		}
		for _, object := range a.Objects(name) {
			if err := put(ctx, member, object); err != nil {
				return fmt.Errorf("releasing %s %s to %s: %w", object.GetKind(), object.GetName(), name, err)
			}
		}
	}
	return nil
}

func put(ctx context.Context, member client.Client, object *unstructured.Unstructured) error {
	err := member.Create(ctx, object.DeepCopy())
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	if object.GetKind() == "Namespace" || object.GetKind() == "PersistentVolume" {
		return nil
	}
	return member.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("ci"), client.ForceOwnership)
}

// Objects of the application in one member.
func (a App) Objects(member string) []*unstructured.Unstructured {
	config := a.object("v1", "ConfigMap", a.Name, map[string]any{"data": map[string]any{
		"cluster": member, "level": "info", "endpoint": "http://" + member + ".internal/" + a.Name,
	}})
	secret := a.object("v1", "Secret", a.Name, map[string]any{"stringData": map[string]any{"token": "the same everywhere"}})
	service := a.object("v1", "Service", a.Name, map[string]any{"spec": map[string]any{
		"selector": map[string]any{"app": a.Name}, "ports": []any{map[string]any{"name": "http", "port": int64(80), "targetPort": int64(8080)}},
	}})
	if port, ok := a.NodePort[member]; ok {
		_ = unstructured.SetNestedField(service.Object, "NodePort", "spec", "type")
		_ = unstructured.SetNestedSlice(service.Object, []any{map[string]any{
			"name": "http", "port": int64(80), "targetPort": int64(8080), "nodePort": port}}, "spec", "ports")
	}
	namespace := a.object("v1", "Namespace", a.Namespace, nil)
	namespace.SetNamespace("")
	objects := []*unstructured.Unstructured{namespace, config, secret, service}
	if a.SharedConfig != "" {
		objects = append(objects, a.object("v1", "ConfigMap", a.SharedConfig, map[string]any{"data": map[string]any{"region": member}}))
	}
	objects = append(objects, a.more(member)...)
	objects = append(objects, a.workload(member))
	if a.Autoscaled {
		objects = append(objects, a.object("autoscaling/v2", "HorizontalPodAutoscaler", a.Name, map[string]any{"spec": map[string]any{
			"scaleTargetRef": map[string]any{"apiVersion": a.APIVersion(), "kind": a.Kind, "name": a.Name},
			"minReplicas":    a.Replicas[member], "maxReplicas": a.Replicas[member] * 2,
		}}))
	}
	return objects
}

// more is what an application has in front of and under it.
func (a App) more(member string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	if a.Front {
		backend := map[string]any{"service": map[string]any{"name": a.Name, "port": map[string]any{"number": int64(80)}}}
		out = append(out, a.object("networking.k8s.io/v1", "Ingress", a.Name, map[string]any{"spec": map[string]any{"rules": []any{map[string]any{
			"host": member + ".example", "http": map[string]any{
				"paths": []any{map[string]any{"path": "/", "pathType": "Prefix", "backend": backend}},
			},
		}}}}), a.object("policy/v1", "PodDisruptionBudget", a.Name, map[string]any{"spec": map[string]any{
			"maxUnavailable": int64(1), "selector": map[string]any{"matchLabels": map[string]any{"app": a.Name}},
		}}))
	}
	if a.Volume {
		size := map[string]any{"storage": "1Gi"}
		volume := a.object("v1", "PersistentVolume", a.Name+"-"+member, map[string]any{"spec": map[string]any{
			"capacity": size, "accessModes": []any{"ReadWriteMany"}, "hostPath": map[string]any{"path": "/data"}, "storageClassName": "by-hand",
			"claimRef": map[string]any{"namespace": a.Namespace, "name": a.Name},
		}})
		volume.SetNamespace("")
		out = append(out, volume, a.object("v1", "PersistentVolumeClaim", a.Name, map[string]any{"spec": map[string]any{
			"resources": map[string]any{"requests": size}, "accessModes": []any{"ReadWriteMany"}, "storageClassName": "by-hand",
		}}))
	}
	return out
}

func (a App) workload(member string) *unstructured.Unstructured {
	from := []any{
		map[string]any{"configMapRef": map[string]any{"name": a.Name}},
		map[string]any{"secretRef": map[string]any{"name": a.Name}},
	}
	if a.SharedConfig != "" {
		from = append(from, map[string]any{"configMapRef": map[string]any{"name": a.SharedConfig}})
	}
	workload := a.object(a.APIVersion(), a.Kind, a.Name, map[string]any{"spec": map[string]any{
		"selector": map[string]any{"matchLabels": map[string]any{"app": a.Name}},
		"template": map[string]any{
			"metadata": map[string]any{
				"labels": map[string]any{"app": a.Name},
				// Someone restarted it once; without this annotation in the template it would restart again.
				"annotations": map[string]any{"kubectl.kubernetes.io/restartedAt": "2025-11-03T02:14:00Z"},
			},
			"spec": map[string]any{"containers": []any{map[string]any{
				"name": "app", "image": a.Image, "envFrom": from,
				"env":       []any{map[string]any{"name": "CLUSTER", "value": member}},
				"resources": map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "64Mi"}},
			}}},
		},
	}})
	spec := workload.Object["spec"].(map[string]any)
	switch a.Kind {
	case "DaemonSet":
	case "StatefulSet":
		spec["serviceName"] = a.Name
		fallthrough
	default:
		spec["replicas"] = a.Replicas[member]
	}
	if a.Volume {
		_ = unstructured.SetNestedSlice(spec, []any{map[string]any{
			"name": "data", "persistentVolumeClaim": map[string]any{"claimName": a.Name}}}, "template", "spec", "volumes")
	}
	maps.Copy(spec, a.Extra)
	return workload
}

func (a App) object(apiVersion, kind, name string, content map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{}}
	maps.Copy(object.Object, content)
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	object.SetNamespace(a.Namespace)
	object.SetName(name)
	object.SetLabels(map[string]string{"app.kubernetes.io/name": a.Name})
	return object
}

// Pod is what must not change.
type Pod struct {
	UID      string
	Restarts int32
}

// ErrNotReady is returned while pods are missing or not ready.
var ErrNotReady = errors.New("not all pods are ready")

// Pods of the application in every member, as "member/name"; an error while they are not all ready.
func (a App) Pods(ctx context.Context, members map[string]client.Client) (map[string]Pod, error) {
	out := map[string]Pod{}
	for _, name := range a.Members() {
		if err := a.settled(ctx, members[name]); err != nil {
			return nil, fmt.Errorf("%s of %s in %s: %w", a.Kind, a.Name, name, err)
		}
		var pods corev1.PodList
		if err := members[name].List(ctx, &pods, client.InNamespace(a.Namespace), client.MatchingLabels{"app": a.Name}); err != nil {
			return nil, fmt.Errorf("listing pods of %s: %w", name, err)
		}
		ready := int64(0)
		for i := range pods.Items {
			pod := &pods.Items[i]
			seen := Pod{UID: string(pod.UID)}
			for j := range pod.Status.ContainerStatuses {
				seen.Restarts += pod.Status.ContainerStatuses[j].RestartCount
			}
			for _, condition := range pod.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
					ready++
				}
			}
			out[name+"/"+pod.Name] = seen
		}
		if ready != a.Replicas[name] || int64(len(pods.Items)) != ready {
			return out, fmt.Errorf("%s of %s in %s: %d of %d: %w", a.Kind, a.Name, name, ready, a.Replicas[name], ErrNotReady)
		}
	}
	return out, nil
}

// settled is nil when no rollout is under way.
func (a App) settled(ctx context.Context, member client.Client) error {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(a.APIVersion())
	object.SetKind(a.Kind)
	if err := member.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, object); err != nil {
		return err
	}
	status := func(field string) int64 {
		value, _, _ := unstructured.NestedInt64(object.Object, "status", field)
		return value
	}
	if a.Kind == "DaemonSet" {
		if status("observedGeneration") < object.GetGeneration() || status("updatedNumberScheduled") != status("desiredNumberScheduled") {
			return ErrNotReady
		}
		return nil
	}
	wanted, _, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
	if status("observedGeneration") < object.GetGeneration() || status("replicas") != wanted || status("updatedReplicas") != wanted {
		return ErrNotReady
	}
	return nil
}

// Spec of the workload in a member, and its uid.
func (a App) Spec(ctx context.Context, member client.Client) (spec map[string]any, uid string, err error) {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(a.APIVersion())
	object.SetKind(a.Kind)
	if err := member.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, object); err != nil {
		return nil, "", fmt.Errorf("reading %s %s: %w", a.Kind, a.Name, err)
	}
	spec, _, err = unstructured.NestedMap(object.Object, "spec")
	return spec, string(object.GetUID()), err
}
