package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// APIServerOptions says what a single API server serves beside Kubernetes' own kinds.
type APIServerOptions struct {
	// CRDs are installed, and established before the server is handed out.
	CRDs []CRDs
	// Durable lets etcd wait for the disk with every write, as a user's does: for measuring.
	Durable bool
}

// KarmadaPlane is a control plane as Argosy's controllers see it, without Karmada's processes:
// Karmada's kinds, OpenKruise's and Argosy's own.
//
// clusters.cluster.karmada.io is not among them: a real federation serves Cluster from the
// aggregated API server, for which Karmada ships no CRD.
func KarmadaPlane() APIServerOptions {
	return APIServerOptions{CRDs: []CRDs{KarmadaCRDs(), KruiseCRDs(), ArgosyCRDs()}}
}

// APIServer is one real kube-apiserver on an etcd of its own. No controller runs: nothing is
// garbage collected and namespaces are never emptied, so give each test a namespace of its own
// name.
type APIServer struct {
	// Config reaches it as an administrator.
	Config *rest.Config
	// Kubeconfig is a file that does the same, for programs.
	Kubeconfig string
	// Etcd is the URL of its etcd.
	Etcd string

	dir      string
	work     *workspace
	children []*process.Process
	stopped  []string
}

// StopsOnPurpose names webhooks of ours that a test stops, to see what the API server does without them: they are not told as asked in
// vain.
func (s *APIServer) StopsOnPurpose(webhooks ...string) { s.stopped = append(s.stopped, webhooks...) }

// StartAPIServer starts one API server for a test and stops it when the test ends. To share one
// among the tests of a package, call NewAPIServer in TestMain.
func StartAPIServer(t testing.TB, opts APIServerOptions) *APIServer {
	t.Helper()
	s, err := NewAPIServer(context.Background(), opts)
	if err != nil {
		t.Fatalf("starting an API server: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// NewAPIServer starts one API server; the caller closes it.
func NewAPIServer(ctx context.Context, opts APIServerOptions) (*APIServer, error) {
	dir, err := os.MkdirTemp("", "argosy-apiserver-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	s := &APIServer{dir: dir}
	if err := s.start(ctx, opts); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *APIServer) start(ctx context.Context, opts APIServerOptions) error {
	var err error
	if s.work, err = newWorkspace(ctx, s.dir, "", os.Stderr, "etcd", "kube-apiserver"); err != nil {
		return err
	}
	w := s.work
	var numbers [3]int
	for i := range numbers {
		if numbers[i], err = w.ports.Take(); err != nil {
			return err
		}
	}
	store := etcd{clientPort: numbers[0], peerPort: numbers[1], durable: opts.Durable}
	server := apiServer{
		name: "apiserver", port: numbers[2], etcd: store, args: []string{
			"--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection",
		},
	}
	s.Kubeconfig, s.Etcd = server.kubeconfig(w), store.url()
	if err := w.writeKubeconfig(s.Kubeconfig, server.name, server.url()); err != nil {
		return err
	}
	if s.Config, err = restConfig(s.Kubeconfig); err != nil {
		return err
	}
	crds, err := readCRDs(ctx, w.root, opts.CRDs...)
	if err != nil {
		return err
	}
	kinds, err := newSeed(w, server, crds)
	if err != nil {
		return err
	}
	if err := s.run(ctx, store.spec(w)); err != nil {
		return err
	}
	if err := kinds.plant(ctx); err != nil {
		return err
	}
	if err := s.run(ctx, server.spec(w)); err != nil {
		return err
	}
	return kinds.install(ctx, s.Config)
}

// run starts a program and returns when it serves.
func (s *APIServer) run(ctx context.Context, spec process.Spec) error {
	child, err := process.Start(spec)
	if err != nil {
		return err
	}
	s.children = append(s.children, child)
	if err := child.WaitReady(ctx); err != nil {
		return errors.Join(err, s.firstDeath())
	}
	return nil
}

// firstDeath names a child whose end explains why another is not ready.
func (s *APIServer) firstDeath() error {
	for _, child := range s.children {
		if err := child.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Close stops the server and removes its files.
func (s *APIServer) Close() {
	tellUnanswered("the API server", s.Config, s.stopped...)
	for _, v := range slices.Backward(s.children) {
		// Nothing of it is kept, so there is nothing to flush in order.
		v.Kill()
	}
	if s.work != nil {
		s.work.ports.Close()
	}
	os.RemoveAll(s.dir)
}
