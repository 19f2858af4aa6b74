package v1alpha1

// PrometheusSecretNamespace of the control plane holds the Secrets of Prometheus gates, and PrometheusSecretType is their type: no other
// Secret is sent
// anywhere.
const (
	PrometheusSecretNamespace = "argosy-system"
	PrometheusSecretType      = "gate.argosy.dev/prometheus"
)

// PrometheusGate is a query that must return zeroes, and nothing else, while an application is well.
// +kubebuilder:validation:XValidation:rule="!has(self.secretName) || self.address.startsWith('https://')",message="secretName needs an address with https"
type PrometheusGate struct {
	// address of Prometheus, such as https://prometheus.example:9090.
	// +kubebuilder:validation:Pattern=`^https?://`
	// +kubebuilder:validation:MaxLength=253
	Address string `json:"address"`
	// query in PromQL. $namespace, $kind and $name stand for the application's own.
	// A sample other than 0 means the application is not well, and so does no sample at all: compare with bool, as in "... > bool 0".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Query string `json:"query"`
	// secretName of a Secret in namespace argosy-system of the control plane, of type gate.argosy.dev/prometheus. Its key address is
	// the address it may be sent to. The others are as needed: ca.crt (default the system's authorities), tls.crt and tls.key for a client
	// certificate, token for a bearer token.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SecretName string `json:"secretName,omitempty"`
}
