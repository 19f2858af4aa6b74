package lab

import (
	"context"
	"fmt"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// labProgram is this lab's own program, which is built into bin/ of the clone.
const labProgram = "argosy-lab"

// metricsServer is the real program.
const metricsServer = "metrics-server"

// UsageCommand is the hidden command of argosy-lab that serves what a member's pods use.
const UsageCommand = "usage"

// usage serves what the annotations of the pods say, at once.
func (m *member) usage() *process.Spec {
	address := fmt.Sprintf("127.0.0.1:%d", m.metrics)
	return m.spec(m.name+"/usage", labProgram, "https://"+address+"/livez",
		UsageCommand, "--kubeconfig="+m.kubeconfig(), "--address="+address,
		"--tls-cert-file="+m.pki("server.crt"), "--tls-private-key-file="+m.pki("server.key"))
}

// registerMetrics makes the member serve metrics.k8s.io from its metrics-server, or what stands in for it.
func (m *member) registerMetrics(ctx context.Context) error {
	return m.applyService(ctx, m.kubeconfig(), aggregatedService{
		group: "metrics.k8s.io", version: "v1beta1",
		namespace: "kube-system", service: "metrics-server", port: m.metrics,
	})
}

func (m *member) metricsServer() *process.Spec {
	return m.spec(m.name+"/metrics-server", metricsServer, fmt.Sprintf("https://127.0.0.1:%d/livez", m.metrics),
		"--kubeconfig="+m.kubeconfig(),
		"--authentication-kubeconfig="+m.kubeconfig(),
		"--authorization-kubeconfig="+m.kubeconfig(),
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", m.metrics),
		"--tls-cert-file="+m.pki("server.crt"),
		"--tls-private-key-file="+m.pki("server.key"),
		// KWOK answers for every node on its own port, with the lab's certificate.
		"--kubelet-insecure-tls",
		"--kubelet-use-node-status-port",
		"--kubelet-preferred-address-types=InternalIP",
		"--metric-resolution=10s",
		"--kubelet-request-timeout=5s",
	)
}
