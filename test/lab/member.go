package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/process"
)

const (
	kwokModule   = "sigs.k8s.io/kwok"
	kruiseModule = "github.com/openkruise/kruise"
	kruiseSystem = "kruise-system"
)

// member is one cluster of the federation.
type member struct {
	*workspace
	name    string
	karmada *karmadaPlane
	options Options
	nodes   int
	// pull is true for a member that its own agent registers.
	pull   bool
	server apiServer
	kinds  *seed

	kcm, scheduler, kwok, metrics, agent     int
	kruiseWebhook, kruiseHealth, kruiseStats int
	managerHealth, managerStats              int
	managerWebhook                           int

	rolloutsWebhook, rolloutsHealth, rolloutsStats int
}

func newMember(w *workspace, k *karmadaPlane, options Options, i int) (*member, error) {
	m := &member{workspace: w, name: memberName(i), karmada: k, options: options, nodes: options.Nodes[i]}
	m.pull = slices.Contains(options.Pull, m.name)
	m.server = apiServer{name: m.name, etcd: k.server.etcd, audit: options.Audit}
	err := w.take(&m.server.port, &m.kcm, &m.scheduler, &m.kwok, &m.metrics, &m.agent, &m.kruiseWebhook, &m.kruiseHealth, &m.kruiseStats,
		&m.managerHealth, &m.managerStats, &m.managerWebhook)
	if err == nil && m.options.Rollouts == m.name {
		err = w.take(&m.rolloutsWebhook, &m.rolloutsHealth, &m.rolloutsStats)
	}
	return m, err
}

func (m *member) kubeconfig() string { return m.server.kubeconfig(m.workspace) }

func (m *member) config() (*rest.Config, error) { return restConfig(m.kubeconfig()) }

func (m *member) units() []unit {
	apiserver := m.server.spec(m.workspace)
	name := func(component string) string { return m.name + "/" + component }
	needs := []string{name("apiserver")}
	units := []unit{
		{Name: name("apiserver"), After: []string{"etcd"}, Prepare: m.plant, Process: &apiserver, Finish: m.prepare},
		{Name: name("kube-controller-manager"), After: needs, Process: m.kubeControllerManager()},
		{Name: name("kube-scheduler"), After: needs, Process: m.kubeScheduler()},
		{Name: name("kwok"), After: needs, Prepare: m.prepareKWOK, Process: m.kwokSpec()},
		{Name: name("nodes"), After: []string{name("kwok")}, Prepare: m.createNodes, Check: m.nodesReady},
	}
	member := unit{Name: name("joined"), Prepare: m.join}
	if m.pull {
		member = unit{Name: name("agent"), Prepare: m.prepareAgent, Process: m.agentSpec()}
	}
	member.After = []string{
		name("kube-controller-manager"), name("nodes"),
		"karmada/cluster-api", "karmada/webhook", "karmada/kube-controller-manager",
	}
	member.Check = m.clusterReady
	units = append(units, member)
	if m.options.Kruise {
		// Once in some two hundred starts OpenKruise 1.8 was seen to panic in its webhook.Checker: if the first look at its own certificate
		// fails, the second finds no client. That death is forgiven.
		units = append(units, unit{Name: name("kruise-manager"), After: needs, Prepare: m.prepareKruise, Process: m.kruiseManager()})
	}
	if m.options.Rollouts == m.name {
		units = append(units, unit{Name: name(kruiseRollouts), After: []string{name("kruise-manager")}, Prepare: m.prepareRollouts,
			Process: m.rollouts()})
	}
	if m.options.Metrics {
		metrics := unit{Name: name("usage"), Process: m.usage()}
		if m.options.MetricsServer == m.name {
			metrics = unit{Name: name("metrics-server"), Process: m.metricsServer()}
		}
		metrics.After, metrics.Prepare = []string{name("nodes")}, m.registerMetrics
		units = append(units, metrics)
	}
	return units
}

// plant prepares Argosy's member-side kinds and OpenKruise's.
func (m *member) plant(ctx context.Context) error {
	crds, err := readCRDs(ctx, m.root, ArgosyCRDs())
	if err != nil {
		return err
	}
	crds = memberKinds(crds)
	if m.options.Kruise {
		more, err := m.kruiseKinds(ctx)
		if err != nil {
			return err
		}
		crds = append(crds, more...)
	}
	if m.kinds, err = newSeed(m.workspace, m.server, crds); err != nil {
		return err
	}
	return m.kinds.plant(ctx)
}

func (m *member) prepare(ctx context.Context) error {
	cfg, err := m.config()
	if err != nil {
		return err
	}
	return m.kinds.install(ctx, cfg)
}

func (m *member) kubeControllerManager() *process.Spec {
	return m.spec(m.name+"/kube-controller-manager", "kube-controller-manager", fmt.Sprintf("https://127.0.0.1:%d/healthz", m.kcm),
		append(m.controllerManagerArgs(m.kubeconfig(), m.kcm),
			"--cluster-name="+m.name,
			// A person watching an HPA, and a test, should not wait for the production defaults.
			"--horizontal-pod-autoscaler-sync-period=1s",
			"--horizontal-pod-autoscaler-initial-readiness-delay=5s",
			"--horizontal-pod-autoscaler-cpu-initialization-period=10s",
			// A pod whose node was silent is marked as not ready, which a kubelet would undo and KWOK does not: a machine that stands still for a
			// minute would leave every pod so for good.
			"--node-monitor-grace-period=10m",
		)...)
}

func (m *member) kubeScheduler() *process.Spec {
	return m.spec(m.name+"/kube-scheduler", "kube-scheduler", fmt.Sprintf("https://127.0.0.1:%d/healthz", m.scheduler),
		"--kubeconfig="+m.kubeconfig(),
		"--authentication-kubeconfig="+m.kubeconfig(),
		"--authorization-kubeconfig="+m.kubeconfig(),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", m.scheduler),
		"--tls-cert-file="+m.pki("server.crt"),
		"--tls-private-key-file="+m.pki("server.key"),
	)
}

func (m *member) kwokConfig() string { return filepath.Join(m.dir, m.name+".kwok.yaml") }

// prepareKWOK writes the stages KWOK plays: without any it does not start.
func (m *member) prepareKWOK(ctx context.Context) error {
	base, err := binaries.ModuleDir(ctx, m.root, kwokModule)
	if err != nil {
		return err
	}
	var config bytes.Buffer
	for _, file := range []string{
		"stage/node/fast/node-initialize.yaml",
		"stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
		"stage/pod/fast/pod-ready.yaml",
		"stage/pod/fast/pod-complete.yaml",
		"stage/pod/fast/pod-delete.yaml",
		// Pods use what their annotation kwok.x-k8s.io/usage-cpu says.
		"metrics/usage/usage-from-annotation.yaml",
		"metrics/resource/metrics-resource.yaml",
	} {
		content, err := os.ReadFile(filepath.Join(base, "kustomize", file))
		if err != nil {
			return fmt.Errorf("reading KWOK's stages: %w", err)
		}
		config.WriteString("---\n")
		config.Write(content)
	}
	return os.WriteFile(m.kwokConfig(), config.Bytes(), 0o644)
}

func (m *member) kwokSpec() *process.Spec {
	address := fmt.Sprintf("127.0.0.1:%d", m.kwok)
	return m.spec(m.name+"/kwok", "kwok", "https://"+address+"/healthz",
		"--kubeconfig="+m.kubeconfig(),
		"--config="+m.kwokConfig(),
		"--manage-all-nodes=true",
		"--node-lease-duration-seconds=40",
		"--node-ip=127.0.0.1",
		fmt.Sprintf("--node-port=%d", m.kwok),
		"--server-address="+address,
		"--tls-cert-file="+m.pki("server.crt"),
		"--tls-private-key-file="+m.pki("server.key"),
	)
}

func (m *member) node(i int) *corev1.Node {
	name := fmt.Sprintf("%s-node%d", m.name, i+1)
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(m.options.NodeCPU),
		corev1.ResourceMemory: resource.MustParse(m.options.NodeMemory),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Annotations: map[string]string{
				"kwok.x-k8s.io/node":                   "fake",
				"metrics.k8s.io/resource-metrics-path": "/metrics/nodes/" + name + "/metrics/resource",
			},
			Labels: map[string]string{
				"kubernetes.io/hostname":           name,
				"kubernetes.io/os":                 "linux",
				"kubernetes.io/arch":               "amd64",
				"node-role.kubernetes.io/agent":    "",
				"topology.kubernetes.io/region":    "lab",
				"topology.kubernetes.io/zone":      fmt.Sprintf("%s-zone%d", m.name, i%3+1),
				"node.kubernetes.io/instance-type": "kwok",
			},
		},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
	}
}

func (m *member) createNodes(ctx context.Context) error {
	cfg, err := m.config()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(Patient(cfg))
	if err != nil {
		return err
	}
	for i := range m.nodes {
		if _, err := client.CoreV1().Nodes().Create(ctx, m.node(i), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating node %d of %s: %w", i+1, m.name, err)
		}
	}
	return nil
}

func (m *member) nodesReady(ctx context.Context) error {
	cfg, err := m.config()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing the nodes of %s: %w", m.name, err)
	}
	ready := 0
	for _, node := range list.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	if ready < m.nodes {
		return fmt.Errorf("%d of %d nodes of %s are Ready", ready, m.nodes, m.name)
	}
	return nil
}

// join makes the cluster a member in push mode, as a platform admin would: who is told of a trouble tries again.
func (m *member) join(ctx context.Context) error {
	kubeconfig, err := m.routed()
	if err != nil {
		return err
	}
	var all error
	for range 3 {
		_, err := process.Run(ctx, m.programs["karmadactl"], "join", m.name,
			"--kubeconfig="+m.karmada.kubeconfig(),
			"--cluster-kubeconfig="+kubeconfig,
		)
		// Its end was not heard of, then.
		if err == nil || all != nil && strings.Contains(err.Error(), "has been registered") {
			return nil
		}
		if all = errors.Join(all, err); ctx.Err() != nil {
			break
		}
	}
	return all
}

// routed is a kubeconfig of the member as the control plane is to reach it.
func (m *member) routed() (string, error) {
	if m.options.MemberRoute == nil {
		return m.kubeconfig(), nil
	}
	address, err := m.options.MemberRoute(m.name, m.server.url())
	if err != nil {
		return "", fmt.Errorf("routing the control plane to %s: %w", m.name, err)
	}
	path := filepath.Join(m.dir, m.name+".routed.kubeconfig")
	return path, m.writeKubeconfig(path, m.name, address)
}

func (m *member) clusterReady(ctx context.Context) error {
	cfg, err := restConfig(m.karmada.kubeconfig())
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	raw, err := client.RESTClient().Get().AbsPath("/apis/cluster.karmada.io/v1alpha1/clusters/" + m.name).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("reading Cluster %s: %w", m.name, err)
	}
	var cluster struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &cluster); err != nil {
		return fmt.Errorf("reading Cluster %s: %w", m.name, err)
	}
	for _, condition := range cluster.Status.Conditions {
		if condition.Type == "Ready" {
			if condition.Status == metav1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("the Cluster %s is not Ready: %s", m.name, condition.Message)
		}
	}
	return fmt.Errorf("karmada-controller-manager has not yet reported on the Cluster %s", m.name)
}
