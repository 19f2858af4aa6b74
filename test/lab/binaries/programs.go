package binaries

// A program is one third-party executable of the federation.
type program struct {
	// name is what the file is called once built.
	name string
	// pkg is the main package it is built from.
	pkg string
}

// A group is the programs one go.mod pins. Programs whose Kubernetes versions cannot live in one
// build list have a module of their own under test/lab/modules.
type group struct {
	name string
	// dir is the module's folder in the clone.
	dir string
	// source is the module the programs come from, whose CRDs and manifests the lab also reads.
	source   string
	ldflags  []string
	programs []program
}

const (
	kubernetesVersion = "v1.35.4"
	karmadaVersion    = "v1.18.2"
)

// groups lists every program the lab can run. A program is added with one line here and, if the
// main module does not require it yet, a tool line in the go.mod.
func groups() []group {
	return []group{
		{
			name:   "kubernetes-karmada",
			dir:    ".",
			source: "github.com/karmada-io/karmada",
			// Without these a member reports v0.0.0-master+$Format:%H$ as its version.
			ldflags: []string{
				"-X", "k8s.io/component-base/version.gitVersion=" + kubernetesVersion,
				"-X", "k8s.io/component-base/version.gitMajor=1",
				"-X", "k8s.io/component-base/version.gitMinor=35",
				"-X", "github.com/karmada-io/karmada/pkg/version.gitVersion=" + karmadaVersion,
			},
			programs: []program{
				{"etcd", "go.etcd.io/etcd/server/v3"},
				{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
				{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
				{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
				{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
				{"karmada-agent", "github.com/karmada-io/karmada/cmd/agent"},
				{"karmada-aggregated-apiserver", "github.com/karmada-io/karmada/cmd/aggregated-apiserver"},
				{"karmada-controller-manager", "github.com/karmada-io/karmada/cmd/controller-manager"},
				{"karmada-scheduler", "github.com/karmada-io/karmada/cmd/scheduler"},
				{"karmada-webhook", "github.com/karmada-io/karmada/cmd/webhook"},
				{"karmada-scheduler-estimator", "github.com/karmada-io/karmada/cmd/scheduler-estimator"},
				{"karmada-descheduler", "github.com/karmada-io/karmada/cmd/descheduler"},
				{"karmadactl", "github.com/karmada-io/karmada/cmd/karmadactl"},
			},
		},
		{
			name:     "kruise",
			dir:      "test/lab/modules/kruise",
			source:   "github.com/openkruise/kruise",
			programs: []program{{"kruise-manager", "github.com/openkruise/kruise"}},
		},
		{
			name:     "kwok",
			dir:      "test/lab/modules/kwok",
			source:   "sigs.k8s.io/kwok",
			programs: []program{{"kwok", "sigs.k8s.io/kwok/cmd/kwok"}},
		},
		{
			name:     "metrics-server",
			dir:      "test/lab/modules/metrics-server",
			source:   "sigs.k8s.io/metrics-server",
			programs: []program{{"metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"}},
		},
	}
}

// Names lists every program, in build order.
func Names() []string {
	var names []string
	for _, g := range groups() {
		for _, p := range g.programs {
			names = append(names, p.name)
		}
	}
	return names
}
