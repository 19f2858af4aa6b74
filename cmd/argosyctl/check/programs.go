package check

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// Program of Argosy, as its Deployment in the host cluster says.
type Program struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Image   string `json:"image"`
	// Ready and Desired replicas.
	Ready   int32 `json:"ready"`
	Desired int32 `json:"desired"`
}

// Programs that run in a namespace of the host cluster.
func Programs(ctx context.Context, config *rest.Config, namespace string) ([]Program, error) {
	host, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reaching the host cluster: %w", err)
	}
	list, err := host.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=argosy"})
	if err != nil {
		return nil, fmt.Errorf("listing the Deployments of Argosy in namespace %s of the host cluster: %w", namespace, err)
	}
	programs := make([]Program, 0, len(list.Items))
	for i := range list.Items {
		programs = append(programs, programOf(&list.Items[i]))
	}
	return programs, nil
}

func programOf(d *appsv1.Deployment) Program {
	p := Program{
		Name: d.Name, Version: d.Labels["app.kubernetes.io/version"],
		Ready: d.Status.ReadyReplicas, Desired: ptr.Deref(d.Spec.Replicas, 1),
	}
	if containers := d.Spec.Template.Spec.Containers; len(containers) > 0 {
		p.Image = containers[0].Image
	}
	return p
}

// AskHostBefore reads the host cluster before an installation, with the Secrets that the chart mounts by its values.
func AskHostBefore(ctx context.Context, config *rest.Config, namespace string, values Values) Host {
	out := AskHost(ctx, config, namespace)
	if out.Err != nil {
		return out
	}
	host, err := kubernetes.NewForConfig(config)
	if err != nil {
		out.Err = fmt.Errorf("reaching the host cluster: %w", err)
		return out
	}
	out.Values, out.Secrets = values, readSecrets(ctx, host, namespace, values)
	return out
}

// AskHost reads the host cluster.
func AskHost(ctx context.Context, config *rest.Config, namespace string) Host {
	out := Host{Asked: true, Namespace: namespace}
	host, err := kubernetes.NewForConfig(config)
	if err != nil {
		out.Err = fmt.Errorf("reaching the host cluster: %w", err)
		return out
	}
	version, err := host.Discovery().ServerVersion()
	if err != nil {
		out.Err = fmt.Errorf("asking the host cluster for its version: %w", err)
		return out
	}
	out.Version = version.GitVersion
	out.Programs, out.Err = Programs(ctx, config, namespace)
	return out
}
