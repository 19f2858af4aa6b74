// Package members reaches the clusters of the federation with the credentials Karmada itself uses.
//
// It decides nothing. It reads Cluster objects and their Secrets from karmada-apiserver and hands out a
// client for each member; what is done with it is the caller's.
package members

import (
	"context"
	"fmt"
	"sync"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// timeout of one request to a member: a member that is slower is as good as unreachable to a decision.
const timeout = 10 * time.Second

// Members hands out clients; it keeps one for each cluster until its address or credentials change.
type Members struct {
	// Reader of karmada-apiserver.
	Reader client.Reader

	mu    sync.Mutex
	known map[string]member
}

type member struct {
	fingerprint string
	client      client.Client
}

// Client of a member, for typed and unstructured objects. It does not connect by itself: an error here
// is one of configuration, an unreachable member shows at the first request.
func (m *Members) Client(ctx context.Context, name string) (client.Client, error) {
	cluster := &clusterv1alpha1.Cluster{}
	if err := m.Reader.Get(ctx, client.ObjectKey{Name: name}, cluster); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("cluster %s: not joined to the federation", name)
		}
		return nil, fmt.Errorf("reading cluster %s: %w", name, err)
	}
	fingerprint, secret, err := m.secret(ctx, cluster)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if have, ok := m.known[name]; ok && have.fingerprint == fingerprint {
		return have.client, nil
	}
	config, err := Config(cluster, secret)
	if err != nil {
		return nil, err
	}
	config.Timeout = timeout
	config.QPS, config.Burst = 50, 100
	// Kinds are mapped to resources lazily, by discovery: members are of other versions than we are.
	built, err := client.New(config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("building the client of cluster %s: %w", name, err)
	}
	if m.known == nil {
		m.known = map[string]member{}
	}
	m.known[name] = member{fingerprint: fingerprint, client: built}
	return built, nil
}

// Config reaches a cluster as Karmada's own components do: by what its Cluster and the Secret named there say, through its proxy. It has no
// timeout.
func Config(cluster *clusterv1alpha1.Cluster, secret *corev1.Secret) (*rest.Config, error) {
	config, err := util.BuildClusterConfig(cluster.Name,
		func(string) (*clusterv1alpha1.Cluster, error) { return cluster, nil },
		func(string, string) (*corev1.Secret, error) { return secret, nil })
	if err != nil {
		return nil, fmt.Errorf("cluster %s: by its Cluster and secret %s/%s: %w", cluster.Name, secret.Namespace, secret.Name, err)
	}
	config.Timeout = 0
	return config, nil
}

// secret of a cluster, and what tells one client's address and credentials from another's.
func (m *Members) secret(ctx context.Context, cluster *clusterv1alpha1.Cluster) (string, *corev1.Secret, error) {
	if cluster.Spec.SecretRef == nil {
		return "", nil, fmt.Errorf("cluster %s has no spec.secretRef: join it in push mode, or give it one", cluster.Name)
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: cluster.Spec.SecretRef.Namespace, Name: cluster.Spec.SecretRef.Name}
	if err := m.Reader.Get(ctx, key, secret); err != nil {
		return "", nil, fmt.Errorf("reading secret %s of cluster %s: %w", key, cluster.Name, err)
	}
	return fmt.Sprintf("%s|%s|%v|%s|%s|%s", cluster.UID, cluster.Spec.APIEndpoint, cluster.Spec.InsecureSkipTLSVerification,
		Proxy(cluster), secret.UID, secret.ResourceVersion), secret, nil
}

// Proxy tells one way through a proxy from another: its address, and what is sent to it (fmt writes a map in the order of its keys).
func Proxy(cluster *clusterv1alpha1.Cluster) string {
	return fmt.Sprint(cluster.Spec.ProxyURL, cluster.Spec.ProxyHeader)
}
