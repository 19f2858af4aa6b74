package tutorials

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/transcript"
)

func TestMain(m *testing.M) {
	os.Exit(lab.Judge(m))
}

// TestTutorials plays every page, side by side: each has a namespace of its own.
func TestTutorials(t *testing.T) {
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	l := lab.Start(t, lab.DefaultOptions())
	if _, err := binaries.BuildOwn(t.Context(), binaries.Options{Root: l.Root}, "argosyctl"); err != nil {
		t.Fatal(err)
	}
	if err := l.LinkCommands(); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(l.Root, "docs", "tutorials", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no tutorial is there: %v", err)
	}
	kubeconfig, stop, err := l.PatientKubeconfig()
	t.Cleanup(stop)
	if err != nil {
		t.Fatal(err)
	}
	checked(t, l, kubeconfig)
	plugin(t, l, kubeconfig)
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Parallel()
			play(t, l, kubeconfig, page)
		})
	}
}

func play(t *testing.T, l *lab.Lab, kubeconfig, page string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := transcript.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	folder := t.TempDir()
	reader := reader{folder: folder, env: append(os.Environ(),
		"KUBECONFIG="+kubeconfig, "PATH="+filepath.Join(l.Root, "bin")+":"+os.Getenv("PATH"))}
	typed := 0
	for _, step := range steps {
		at := fmt.Sprintf("%s:%d", filepath.Base(page), step.Line)
		switch {
		case step.File != "":
			if err := os.WriteFile(filepath.Join(folder, step.File), []byte(step.Content), 0o600); err != nil {
				t.Fatalf("%s: %v", at, err)
			}
		default:
			typed++
			reader.follow(t, at, step)
		}
	}
	if typed == 0 {
		t.Errorf("%s has no command", page)
	}
}

// reader types what a page says.
type reader struct {
	folder string
	env    []string
}

func (r reader) run(ctx context.Context, command string) (string, error) {
	shell := exec.CommandContext(ctx, "bash", "-c", command)
	shell.Dir, shell.Env = r.folder, r.env
	out, err := shell.CombinedOutput()
	return string(out), err
}

// follow types one command and looks at what it prints.
func (r reader) follow(t *testing.T, at string, step transcript.Step) {
	t.Helper()
	look := func() error {
		out, err := r.run(t.Context(), step.Command)
		if err != nil {
			return fmt.Errorf("%s: %s: %w\n%s", at, step.Command, err, out)
		}
		if !transcript.Same(step.Want, out) {
			return fmt.Errorf("%s: %s\nthe page shows:\n%s\nit printed:\n%s", at, step.Command, step.Want, out)
		}
		return nil
	}
	if !step.Wait {
		if err := look(); err != nil {
			t.Fatal(err)
		}
		return
	}
	NewWithT(t).Eventually(look, machine.Patience, "1s").Should(Succeed())
}
