package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab/iaas"
	"github.com/argosy-dev/argosy/test/lab/pki"
)

const memberManager = "argosy-member-manager"

// LoadBalancerProvider of Components that the lab's IaaS is, in every member.
const LoadBalancerProvider = "luoji-slb"

// BetaMember is the member that serves Components as v1beta1 too, as argosyctl install member-manager --serve-v1beta1 has it.
const BetaMember = "member3"

// managerUnits are argosy-member-manager in the member, as a user with exactly the rights that argosyctl install member-manager grants;
// none in a stock federation.
func (m *member) managerUnits() ([]unit, error) {
	if m.options.Stock {
		return nil, nil
	}
	name := m.name + "/member-manager"
	token := filepath.Join(m.dir, m.name+"."+memberManager+".token")
	if err := os.WriteFile(token, []byte(iaas.LabToken), 0o600); err != nil {
		return nil, fmt.Errorf("writing the token of %s: %w", name, err)
	}
	config, err := yaml.Marshal(map[string]any{
		"apiVersion":         "config.argosy.dev/v1alpha1",
		"kind":               "MemberManagerConfiguration",
		"metricsBindAddress": fmt.Sprintf("127.0.0.1:%d", m.managerStats),
		"healthBindAddress":  fmt.Sprintf("127.0.0.1:%d", m.managerHealth),
		"leaderElection":     map[string]any{"enabled": false},
		// A person who cuts a machine's power should see it while watching.
		"machines": map[string]any{"periodSeconds": 1, "http": map[string]any{"url": m.machinesURL(), "caFile": m.pki("ca.crt")}},
		// So should one who asks for a load balancer.
		"loadBalancers": map[string]any{"periodSeconds": 5, "providers": []any{map[string]any{
			"name": LoadBalancerProvider, "url": m.machinesURL(), "caFile": m.pki("ca.crt"), "tokenFile": token,
		}}},
		"webhook": map[string]any{
			"bindAddress": fmt.Sprintf("127.0.0.1:%d", m.managerWebhook), "certDir": filepath.Dir(m.pki("serving/tls.crt")),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the configuration of %s: %w", name, err)
	}
	path := filepath.Join(m.dir, m.name+"."+memberManager+".yaml")
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return nil, fmt.Errorf("writing the configuration of %s: %w", name, err)
	}
	pair, err := m.ca.Client(memberManager)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(m.dir, m.name+"."+memberManager+".kubeconfig")
	if err := pki.WriteKubeconfig(m.ca.Kubeconfig(m.name, m.server.url(), pair), kubeconfig); err != nil {
		return nil, err
	}
	spec := m.spec(name, memberManager, fmt.Sprintf("http://127.0.0.1:%d/readyz", m.managerHealth),
		"--config="+path, "--kubeconfig="+kubeconfig, "-v=1")
	return []unit{{
		Name: name, After: []string{m.name + "/apiserver", machinesUnit}, Prepare: m.prepareManager, Process: spec, Finish: m.registerManager,
	}}, nil
}

func (m *member) prepareManager(ctx context.Context) error {
	cfg, err := m.config()
	if err != nil {
		return err
	}
	rights, err := install.Rights(install.MemberManager(), install.User(memberManager))
	if err != nil {
		return err
	}
	users, err := install.MemberUsers()
	if err != nil {
		return err
	}
	return apply(ctx, cfg, append([]*unstructured.Unstructured{namespace(install.Namespace)}, append(rights, users...)...)...)
}

// registerManager has the member ask about what people decide there, and BetaMember about the versions of Components.
func (m *member) registerManager(ctx context.Context) error {
	cfg, err := m.config()
	if err != nil {
		return err
	}
	at := fmt.Sprintf("https://127.0.0.1:%d", m.managerWebhook)
	objects, err := install.MemberAdmission(at, m.ca.PEM)
	if err != nil {
		return err
	}
	if !m.options.ShippedWebhooks {
		for _, object := range objects {
			WaitLonger(object)
		}
	}
	if m.name == BetaMember {
		kind, err := install.BetaComponents(at, m.ca.PEM)
		if err != nil {
			return err
		}
		objects = append(objects, kind)
	}
	return apply(ctx, cfg, objects...)
}
