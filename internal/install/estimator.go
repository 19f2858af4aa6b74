package install

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Where karmada-scheduler looks for an estimator, unless its flags say otherwise.
const (
	schedulerNamespace = "karmada-system"
	estimatorPrefix    = "karmada-scheduler-estimator-"
)

// estimatorServices are how karmada-scheduler finds the estimator of each member: a Service of karmada-apiserver, type
// ExternalName. One process answers for all of them.
func (i *Installer) estimatorServices(ctx context.Context, c client.Client) ([]*unstructured.Unstructured, error) {
	if i.Options.EstimatorHost == "" {
		return nil, nil
	}
	clusters := &unstructured.UnstructuredList{}
	clusters.SetAPIVersion("cluster.karmada.io/v1alpha1")
	clusters.SetKind("ClusterList")
	if err := c.List(ctx, clusters); err != nil {
		return nil, fmt.Errorf("listing the member clusters: %w", err)
	}
	var out []*unstructured.Unstructured
	for _, cluster := range clusters.Items {
		service := newObject("v1", "Service", schedulerNamespace, estimatorPrefix+cluster.GetName())
		port := int64(i.Options.EstimatorPort)
		service.Object["spec"] = map[string]any{
			"type":         "ExternalName",
			"externalName": i.Options.EstimatorHost,
			"ports":        []any{map[string]any{"name": "grpc", "protocol": "TCP", "port": port, "targetPort": port}},
		}
		out = append(out, service)
	}
	return out, nil
}
