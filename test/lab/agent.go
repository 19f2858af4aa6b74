package lab

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// A member in pull mode runs a karmada-agent, which registers the cluster and carries its Works out itself. 'karmadactl register'
// would run it as a Deployment; here nothing in a container runs, so it is a process like the others.

func (m *member) agentKubeconfig() string { return filepath.Join(m.dir, m.name+".agent.kubeconfig") }

// prepareAgent writes how the agent reaches the control plane.
func (m *member) prepareAgent(context.Context) error {
	address := m.karmada.server.url()
	if route := m.options.AgentRoute; route != nil {
		var err error
		if address, err = route(address); err != nil {
			return fmt.Errorf("routing the agent of %s: %w", m.name, err)
		}
	}
	return m.writeKubeconfig(m.agentKubeconfig(), KarmadaPlaneName, address)
}

func (m *member) agentSpec() *process.Spec {
	return m.spec(m.name+"/agent", "karmada-agent", fmt.Sprintf("http://127.0.0.1:%d/healthz", m.agent),
		"--kubeconfig="+m.kubeconfig(),
		"--karmada-kubeconfig="+m.agentKubeconfig(),
		"--cluster-name="+m.name,
		// With these and the credentials the agent reports, the control plane reads the member too.
		"--cluster-api-endpoint="+m.server.url(),
		// The same frequency as karmada-controller-manager's.
		"--cluster-status-update-frequency=5s",
		"--leader-elect=false",
		"--metrics-bind-address=0",
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", m.agent),
		"--v=2",
	)
}
