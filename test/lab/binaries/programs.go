package binaries

import (
	"maps"
	"slices"
	"strings"
)

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
	// KarmadaModule is where Karmada's programs, CRDs and manifests come from.
	KarmadaModule = "github.com/karmada-io/karmada"
)

// olderKarmadas are served too, and built from modules of their own under test/lab/modules.
var olderKarmadas = map[string]string{"1.16": "v1.16.0", "1.17": "v1.17.1"}

// olderKubernetes is what members may run, built from modules of their own too.
var olderKubernetes = map[string]string{"1.33": "v1.33.13"}

const (
	// BaseKarmada is the Karmada that the main module names, BaseKubernetes the Kubernetes.
	BaseKarmada    = "1.18"
	BaseKubernetes = "1.35"
)

// Karmadas lists what a lab can run, the oldest first.
func Karmadas() []string { return append(slices.Sorted(maps.Keys(olderKarmadas)), BaseKarmada) }

// Kubernetes lists what a lab's members can run, the oldest first.
func Kubernetes() []string { return append(slices.Sorted(maps.Keys(olderKubernetes)), BaseKubernetes) }

// KarmadaFolder is the folder in the clone whose go.mod names that Karmada.
func KarmadaFolder(karmada string) string {
	if _, older := olderKarmadas[karmada]; older {
		return "test/lab/modules/karmada-" + karmada
	}
	return "."
}

// karmadaPrograms are the control plane's and the members', whichever version.
var karmadaPrograms = []program{
	{"karmada-agent", KarmadaModule + "/cmd/agent"},
	{"karmada-aggregated-apiserver", KarmadaModule + "/cmd/aggregated-apiserver"},
	{"karmada-controller-manager", KarmadaModule + "/cmd/controller-manager"},
	{"karmada-scheduler", KarmadaModule + "/cmd/scheduler"},
	{"karmada-webhook", KarmadaModule + "/cmd/webhook"},
	{"karmada-scheduler-estimator", KarmadaModule + "/cmd/scheduler-estimator"},
	{"karmada-descheduler", KarmadaModule + "/cmd/descheduler"},
	{"karmadactl", KarmadaModule + "/cmd/karmadactl"},
}

// clusterPrograms are those of Kubernetes that every plane runs.
var clusterPrograms = []program{
	{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
	{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
}

// ClusterPrograms are the names of what Kubernetes a cluster runs.
func ClusterPrograms() []string {
	var names []string
	for _, p := range clusterPrograms {
		names = append(names, p.name)
	}
	return names
}

// groupsWith are the groups with that Karmada and Kubernetes, empty or the base's for none in particular: an older one's stands first, so
// that its programs are taken instead of the base's.
func groupsWith(karmada, kubernetes string) []group {
	all := append(groups(), asked()...)
	if version, older := olderKubernetes[kubernetes]; older {
		all = append([]group{{
			name:     "kubernetes-" + kubernetes,
			dir:      "test/lab/modules/kubernetes-" + kubernetes,
			source:   "k8s.io/kubernetes",
			ldflags:  kubernetesFlags(version),
			programs: clusterPrograms,
		}}, all...)
	}
	if version, older := olderKarmadas[karmada]; older {
		all = append([]group{{
			name:     "karmada-" + karmada,
			dir:      KarmadaFolder(karmada),
			source:   KarmadaModule,
			ldflags:  []string{"-X", KarmadaModule + "/pkg/version.gitVersion=" + version},
			programs: karmadaPrograms,
		}}, all...)
	}
	return all
}

// kubernetesFlags of the linker: without them a cluster reports v0.0.0-master+$Format:%H$ as its version.
func kubernetesFlags(version string) []string {
	return []string{
		"-X", "k8s.io/component-base/version.gitVersion=" + version,
		"-X", "k8s.io/component-base/version.gitMajor=1",
		"-X", "k8s.io/component-base/version.gitMinor=" + strings.Split(version, ".")[1],
	}
}

// groups lists every program the lab can run. A program is added with one line here and, if the
// main module does not require it yet, a tool line in the go.mod.
func groups() []group {
	return []group{
		{
			name:    "kubernetes-karmada",
			dir:     ".",
			source:  KarmadaModule,
			ldflags: append(kubernetesFlags(kubernetesVersion), "-X", KarmadaModule+"/pkg/version.gitVersion="+karmadaVersion),
			programs: slices.Concat(
				[]program{{"etcd", "go.etcd.io/etcd/server/v3"}}, clusterPrograms,
				[]program{{"kubectl", "k8s.io/kubernetes/cmd/kubectl"}}, karmadaPrograms,
			),
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

// asked are programs that no federation has unless a test asks for them by name: they are built then.
func asked() []group {
	return []group{{
		name:     "kruise-rollouts",
		dir:      "test/lab/modules/kruise-rollouts",
		source:   "github.com/openkruise/rollouts",
		programs: []program{{"kruise-rollouts", "github.com/openkruise/rollouts"}},
	}}
}

// Names lists every program of a federation, in build order.
func Names() []string {
	var names []string
	for _, g := range groups() {
		for _, p := range g.programs {
			names = append(names, p.name)
		}
	}
	return names
}
