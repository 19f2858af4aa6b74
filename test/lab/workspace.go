package lab

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/pki"
	"github.com/argosy-dev/argosy/test/lab/ports"
)

// workspace is what every component of one lab shares: where its files are, which programs it may
// run, whose certificates it trusts.
type workspace struct {
	// root is the clone's folder.
	root string
	// dir holds all the lab writes: pki/, logs/, data/ and kubeconfigs.
	dir string
	// karmada is the version that runs, as in Options.
	karmada  string
	programs binaries.Set
	ports    *ports.Pool
	clock    clock.PassiveClock
	ca       *pki.Authority
	// frontProxy signs what an aggregated API server trusts of kube-apiserver, so that no ordinary
	// client certificate can claim to speak for another user.
	frontProxy *pki.Authority
	accounts   pki.Pair
	// machines is the port of the lab's own IaaS.
	machines int
}

func newWorkspace(ctx context.Context, dir, karmada string, progress io.Writer, programs ...string) (*workspace, error) {
	root, err := binaries.FindRoot()
	if err != nil {
		return nil, err
	}
	w := &workspace{root: root, dir: dir, karmada: karmada, clock: clock.RealClock{}}
	if w.programs, err = binaries.Ensure(ctx, binaries.Options{Root: root, Karmada: karmada, Progress: progress}, programs...); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the lab's folder: %w", err)
	}
	if err := w.makeCertificates(); err != nil {
		return nil, err
	}
	if w.ports, err = ports.NewPool(); err != nil {
		return nil, err
	}
	return w, nil
}

// withKubernetes is the same workspace with the programs of a cluster of that version.
func (w *workspace) withKubernetes(ctx context.Context, version string, progress io.Writer) (*workspace, error) {
	if version == "" {
		return w, nil
	}
	programs, err := binaries.Ensure(ctx, binaries.Options{Root: w.root, Kubernetes: version, Progress: progress},
		binaries.ClusterPrograms()...)
	if err != nil {
		return nil, err
	}
	other := *w
	other.programs = maps.Clone(w.programs)
	maps.Copy(other.programs, programs)
	return &other, nil
}

// moduleDir is the source of a module, Karmada's of the version that runs.
func (w *workspace) moduleDir(ctx context.Context, module string) (string, error) {
	if module == binaries.KarmadaModule {
		return binaries.ModuleDirOf(ctx, w.root, binaries.KarmadaFolder(w.karmada), module)
	}
	return binaries.ModuleDir(ctx, w.root, module)
}

func (w *workspace) pki(name string) string { return filepath.Join(w.dir, "pki", name) }

func (w *workspace) log(component string) string {
	return filepath.Join(w.dir, "logs", component+".log")
}

func (w *workspace) data(component string) string { return filepath.Join(w.dir, "data", component) }

// makeCertificates writes the files that components name on their command lines.
func (w *workspace) makeCertificates() error {
	var err error
	now := w.clock.Now()
	if w.ca, err = pki.NewAuthority("argosy-lab", now); err != nil {
		return err
	}
	if w.frontProxy, err = pki.NewAuthority("argosy-lab-front-proxy", now); err != nil {
		return err
	}
	if w.accounts, err = pki.ServiceAccountKeys(); err != nil {
		return err
	}
	// One serving certificate for all: the aggregator asks an API server behind an ExternalName
	// Service for the Service's name, everyone else for localhost.
	server, err := w.ca.Server("*.karmada-system.svc", "*.kube-system.svc", "*.kruise-system.svc", "*.argosy-system.svc",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	proxy, err := w.frontProxy.Client("front-proxy-client")
	if err != nil {
		return err
	}
	authority := pki.Pair{Cert: w.ca.PEM, Key: w.ca.KeyPEM}
	proxyAuthority := pki.Pair{Cert: w.frontProxy.PEM, Key: w.frontProxy.KeyPEM}
	for name, pair := range map[string]pki.Pair{
		"ca": authority, "server": server, "service-accounts": w.accounts,
		"front-proxy-ca": proxyAuthority, "front-proxy-client": proxy,
		// controller-runtime's servers want these two names.
		"serving/tls": server,
	} {
		if err := pair.Write(filepath.Dir(w.pki(name)), filepath.Base(name)); err != nil {
			return fmt.Errorf("writing certificates: %w", err)
		}
	}
	return nil
}

// writeKubeconfig gives the named client an administrator's kubeconfig for the server at url.
func (w *workspace) writeKubeconfig(path, name, url string) error {
	pair, err := w.ca.Client("system:admin", "system:masters")
	if err != nil {
		return err
	}
	if err := pki.WriteKubeconfig(w.ca.Kubeconfig(name, url, pair), path); err != nil {
		return fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	return nil
}

// restConfig reads a kubeconfig the lab wrote. It sets no rate limit of the client's own: the servers
// have theirs, and a throttled look at the federation is a wrong look.
func restConfig(kubeconfig string) (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig %s: %w", kubeconfig, err)
	}
	cfg.QPS = -1
	return cfg, nil
}
