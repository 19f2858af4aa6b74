// Package scrape says how a program serves its metrics: in the clear to whoever reaches the port, or over TLS to whoever karmada-apiserver
// knows and lets "get" /metrics.
package scrape

import (
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argosy-dev/argosy/internal/access"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Options of a manager's metrics. A secure one is asked with a bearer token of the API server that the manager works on; without a folder
// of tls.crt and tls.key its certificate is made at each start, and signed by nobody.
func Options(address string, secure bool, certDir string) metricsserver.Options {
	if !secure {
		return metricsserver.Options{BindAddress: address}
	}
	return metricsserver.Options{
		BindAddress: address, SecureServing: true, CertDir: certDir, FilterProvider: access.Filter,
	}
}
