package lab

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// registerEstimator lets karmada-scheduler find argosy-estimator: it looks for one Service for each member.
func (a *argosy) registerEstimator(ctx context.Context) error {
	cfg, err := restConfig(a.kubeconfig())
	if err != nil {
		return err
	}
	objects := []*unstructured.Unstructured{namespace(karmadaSystem)}
	for _, member := range a.members {
		objects = append(objects, estimatorService("karmada-scheduler-estimator-"+member, a.estimator, a.estimator))
	}
	return apply(ctx, cfg, objects...)
}

// estimatorService is how karmada-scheduler finds an estimator: it knows the Service's port by its own --scheduler-estimator-port, and dials the target.
func estimatorService(name string, port, target int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"namespace": karmadaSystem, "name": name},
		"spec": map[string]any{"type": "ExternalName", "externalName": "localhost",
			"ports": []any{map[string]any{"name": "grpc", "protocol": "TCP", "port": int64(port), "targetPort": int64(target)}}},
	}}
}
