package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// spec describes a child that serves its health at url. program is a third-party one; Argosy's own
// are described in argosy.go.
func (w *workspace) spec(name, program, healthURL string, args ...string) *process.Spec {
	client := w.healthClient()
	return &process.Spec{
		Name: name,
		Path: w.programs[program],
		Args: args,
		Log:  w.log(name),
		Ready: func(ctx context.Context) error {
			return get(ctx, client, healthURL)
		},
	}
}

func (w *workspace) healthClient() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.ca.PEM)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}}
}

// take claims a port for each variable that is still zero.
func (w *workspace) take(numbers ...*int) error {
	for _, n := range numbers {
		if *n != 0 {
			if err := w.ports.Claim(*n); err != nil {
				return err
			}
			continue
		}
		var err error
		if *n, err = w.ports.Take(); err != nil {
			return err
		}
	}
	return nil
}

// controllerManagerArgs are shared by the members' kube-controller-managers and Karmada's.
func (w *workspace) controllerManagerArgs(kubeconfig string, port int) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + w.pki("server.crt"),
		"--tls-private-key-file=" + w.pki("server.key"),
		"--root-ca-file=" + w.pki("ca.crt"),
		"--cluster-signing-cert-file=" + w.pki("ca.crt"),
		"--cluster-signing-key-file=" + w.pki("ca.key"),
		"--service-account-private-key-file=" + w.pki("service-accounts.key"),
	}
}

// aggregatedService is an API served by another process behind kube-apiserver's aggregator.
type aggregatedService struct {
	group, version     string
	namespace, service string
	port               int
}

// applyService registers it through a Service of type ExternalName: there is no cluster network
// that could route a cluster IP to a local process.
func (w *workspace) applyService(ctx context.Context, kubeconfig string, s aggregatedService) error {
	cfg, err := restConfig(kubeconfig)
	if err != nil {
		return err
	}
	service := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"namespace": s.namespace, "name": s.service},
		"spec":     map[string]any{"type": "ExternalName", "externalName": "localhost"},
	}}
	api := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": s.version + "." + s.group},
		"spec": map[string]any{
			"group": s.group, "version": s.version,
			"groupPriorityMinimum": int64(2000), "versionPriority": int64(10),
			"caBundle": w.ca.PEM64(),
			"service":  map[string]any{"namespace": s.namespace, "name": s.service, "port": int64(s.port)},
		},
	}}
	return apply(ctx, cfg, namespace(s.namespace), service, api)
}

// servesGroup tells whether the API server answers discovery for a group and version.
func servesGroup(_ context.Context, kubeconfig, groupVersion string) error {
	cfg, err := restConfig(kubeconfig)
	if err != nil {
		return err
	}
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return err
	}
	if _, err := client.ServerResourcesForGroupVersion(groupVersion); err != nil {
		return fmt.Errorf("asking for %s: %w", groupVersion, err)
	}
	return nil
}
