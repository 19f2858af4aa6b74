package check

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// Values of the chart that name Secrets which must be there before it is installed, and what belongs to these. A test compares the
// defaults with the chart's.
type Values struct {
	Karmada struct {
		KubeconfigSecret KubeconfigSecret `json:"kubeconfigSecret"`
		APIServerPort    int32            `json:"apiserverPort"`
	} `json:"karmada"`
	NetworkPolicy struct {
		Enabled bool `json:"enabled"`
	} `json:"networkPolicy"`
	Estimator struct {
		Enabled bool            `json:"enabled"`
		TLS     EstimatorSecret `json:"tls"`
	} `json:"estimator"`
	// Given: they are somebody's, not the chart's defaults alone.
	Given bool `json:"-"`
}

// KubeconfigSecret is the chart's karmada.kubeconfigSecret.
type KubeconfigSecret struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// EstimatorSecret is the chart's estimator.tls.
type EstimatorSecret struct {
	SecretName  string `json:"secretName"`
	CertKey     string `json:"certKey"`
	KeyKey      string `json:"keyKey"`
	ClientCAKey string `json:"clientCAKey"`
}

// ReadValues gives the chart's defaults with what the files say over them, the last one's word over the others', as helm does.
func ReadValues(files []string) (Values, error) {
	values := Values{Given: len(files) > 0}
	values.Karmada.KubeconfigSecret = KubeconfigSecret{Name: "karmada-kubeconfig", Key: "kubeconfig"}
	values.Karmada.APIServerPort = 5443
	values.NetworkPolicy.Enabled, values.Estimator.Enabled = true, true
	values.Estimator.TLS = karmadaCert("ca.crt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return values, fmt.Errorf("reading the chart's values: %w", err)
		}
		// Not strictly: the chart has more values than these, and its schema refuses what it does not know.
		if err := yaml.Unmarshal(text, &values); err != nil {
			return values, fmt.Errorf("reading the chart's values in %s: %w", file, err)
		}
	}
	return values, nil
}

// karmadaCert is the Secret of most installers; not all of them call the authority's key alike.
func karmadaCert(authority string) EstimatorSecret {
	return EstimatorSecret{SecretName: "karmada-cert", CertKey: "karmada.crt", KeyKey: "karmada.key", ClientCAKey: authority}
}

// What Karmada's installers write into its namespace (docs/install.md). The operator's names begin with the name of its Karmada, which
// nobody knows here.
var (
	installersKubeconfigs = []KubeconfigSecret{
		{Name: "karmada-controller-manager-config", Key: "karmada.config"}, // karmadactl init, hack/local-up-karmada.sh
		{Name: "karmada-kubeconfig", Key: "kubeconfig"},                    // Karmada's chart
	}
	installersCertificates = []EstimatorSecret{
		karmadaCert("ca.crt"),        // karmadactl init
		karmadaCert("server-ca.crt"), // Karmada's chart
		{SecretName: "karmada-scheduler-estimator-cert", CertKey: "tls.crt", KeyKey: "tls.key", ClientCAKey: "ca.crt"}, // local-up
	}
)
