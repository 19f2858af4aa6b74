package lab

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// Info is what anyone needs to reach a running lab; it is written to <dir>/lab.json.
type Info struct {
	// Dir is the state folder, Root the clone's.
	Dir  string `json:"dir"`
	Root string `json:"root"`
	// Members are the member clusters' names, in order.
	Members []string `json:"members"`
	// Kubeconfig is one file with a context for each plane; karmada is the current one.
	Kubeconfig string `json:"kubeconfig"`
	// Kubeconfigs are files by plane: "karmada", "member1".
	Kubeconfigs map[string]string `json:"kubeconfigs"`
	// Endpoints are URLs of Argosy's parts, such as "argosy/webhook metrics".
	Endpoints map[string]string `json:"endpoints"`
	// Etcd is the URL of the one etcd of all planes: each plane's objects are below a prefix of its name.
	Etcd string `json:"etcd"`
	// Programs are files by name: "kubectl", "karmadactl".
	Programs map[string]string `json:"programs"`
	// KarmadaVersion is the one that runs, as in Options.
	KarmadaVersion string `json:"karmadaVersion,omitempty"`
	// Stock is true when Argosy was left out.
	Stock bool `json:"stock"`
	// ReadySeconds is how long the start took.
	ReadySeconds float64 `json:"readySeconds"`
}

// controls stops and starts parts of a lab: in this process for a test's lab, through the
// supervisor for one that `argosy-lab up` left running.
type controls interface {
	Stop(ctx context.Context, name string) error
	Start(ctx context.Context, name string) error
	Status(ctx context.Context) ([]UnitStatus, error)
}

// Lab is a running federation.
type Lab struct {
	Info
	controls
}

// Karmada reaches karmada-apiserver as an administrator.
func (l *Lab) Karmada() (*rest.Config, error) { return l.Config(KarmadaPlaneName) }

// Config reaches a plane - "karmada" or a member - as an administrator.
func (l *Lab) Config(plane string) (*rest.Config, error) {
	path, ok := l.Kubeconfigs[plane]
	if !ok {
		return nil, fmt.Errorf("no plane is called %q: there are karmada and %v", plane, l.Members)
	}
	return restConfig(path)
}

// LinkCommands puts what people type beside Argosy's own programs into bin: kubectl, karmadactl, and argosyctl as kubectl's plugin, with
// what completes its words.
func (l *Lab) LinkCommands() error {
	set := binaries.Set{
		"kubectl-argosy":          "argosyctl",
		"kubectl_complete-argosy": filepath.Join("..", "tools", "release", "kubectl_complete-argosy"),
	}
	for _, name := range []string{"kubectl", "karmadactl"} {
		set[name] = l.Programs[name]
	}
	return set.Link(filepath.Join(l.Root, "bin"), slices.Sorted(maps.Keys(set))...)
}

// MemoryBytes sums the memory of all the lab's processes.
func MemoryBytes(units []UnitStatus) int64 {
	var sum int64
	for _, u := range units {
		sum += u.MemoryBytes
	}
	return sum
}

// LogFile is where a component's output goes.
func (l *Lab) LogFile(component string) string {
	return filepath.Join(l.Dir, "logs", component+".log")
}

// AuditLog is where the API server of a plane writes it, with Options.Audit.
func (l *Lab) AuditLog(plane string) string { return auditLog(l.Dir, plane) }

// Start starts a federation for a test and stops it when the test ends. Its logs are kept under
// _artifacts in the clone when the test fails.
func Start(t testing.TB, opts Options) *Lab {
	t.Helper()
	l, closeLab, err := Run(context.Background(), opts)
	if err != nil {
		t.Fatalf("starting a lab: %v", err)
	}
	t.Cleanup(func() {
		closeLab(t.Failed())
	})
	return l
}

// Run starts a federation in this process; the caller calls the function it returns, with true
// to keep the logs. On Linux the federation dies with this process in any case.
func Run(ctx context.Context, opts Options) (*Lab, func(keepLogs bool), error) {
	if opts.Dir == "" {
		dir, err := newArtifacts()
		if err != nil {
			return nil, nil, err
		}
		opts.Dir = dir
	}
	f, err := newFederation(ctx, opts)
	if err != nil {
		return nil, nil, err
	}
	closeLab := func(keepLogs bool) {
		if config, err := restConfig(f.info.Kubeconfigs[KarmadaPlaneName]); err == nil {
			tellUnanswered("karmada-apiserver", config)
		}
		f.close()
		if err := clean(f.info.Dir, keepLogs); err != nil {
			fmt.Fprintf(os.Stderr, "removing the lab's files: %v\n", err)
		}
		if keepLogs {
			fmt.Fprintf(os.Stderr, "the lab's logs are in %s\n", filepath.Join(f.info.Dir, "logs"))
		}
	}
	if err := f.up(ctx); err != nil {
		closeLab(true)
		return nil, nil, err
	}
	return &Lab{Info: f.info, controls: f}, closeLab, nil
}

// newArtifacts makes a folder in the clone, where CI collects what a failed test leaves.
func newArtifacts() (string, error) {
	root, err := binaries.FindRoot()
	if err != nil {
		return "", err
	}
	parent := filepath.Join(root, "_artifacts")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("making the artifacts folder: %w", err)
	}
	dir, err := os.MkdirTemp(parent, "lab-")
	if err != nil {
		return "", fmt.Errorf("making the lab's folder: %w", err)
	}
	return dir, nil
}

// clean removes a lab's files, or all but the logs.
func clean(dir string, keepLogs bool) error {
	if !keepLogs {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "logs" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// seconds rounds a duration for people.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()/100) / 10 }
