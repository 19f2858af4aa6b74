package control

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get

// Identity of this member cluster, the UID of its namespace kube-system: by it a system that serves several members tells what is whose.
// The zero value was not read yet.
type Identity struct {
	mu  sync.Mutex
	uid string
}

// Of the cluster whose API server live asks. It is read once.
func (i *Identity) Of(ctx context.Context, live client.Reader) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.uid != "" {
		return i.uid, nil
	}
	system := &metav1.PartialObjectMetadata{}
	system.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := live.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, system); err != nil {
		return "", fmt.Errorf("reading who this cluster is: %w", err)
	}
	i.uid = string(system.UID)
	return i.uid, nil
}
