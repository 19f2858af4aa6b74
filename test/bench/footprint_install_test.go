package bench

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// printInstall runs what the chart's jobs run, into the federation that was under load with its first member as host cluster, and prints
// what each run took. The programs that serve the load are no longer called after it, so it comes last.
func printInstall(t *testing.T, out io.Writer, federation *lab.Lab) {
	t.Helper()
	host, err := federation.Config(federation.Members[0])
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argosy-host"}}
	if _, err := kubernetes.NewForConfigOrDie(host).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	programs, err := binaries.BuildOwn(t.Context(), binaries.Options{Root: federation.Root}, "argosyctl")
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []struct{ name, command string }{{"the first installation", "install"}, {"the hourly renewal", "install"},
		{"the removal", "uninstall"}} {
		args := []string{
			run.command, "--kubeconfig=" + federation.Kubeconfigs[lab.KarmadaPlaneName],
			"--host-kubeconfig=" + federation.Kubeconfigs[federation.Members[0]], "--host-namespace=argosy-host",
		}
		if run.command == "install" {
			args = append(args, "--webhook-url=https://127.0.0.1:1", "--wait=0")
		}
		memory, processor, took, err := measured(t.Context(), programs["argosyctl"], args...)
		if err != nil {
			t.Fatalf("%s: %v", run.name, err)
		}
		_, _ = fmt.Fprintf(out, "argosyctl, %s: at most %s, %s of a processor within %s.\n", run.name, mebibytes(memory),
			processor.Round(10*time.Millisecond), took.Round(10*time.Millisecond))
	}
}

// measured runs a program to its end: the most memory it held in bytes, and its processor time.
func measured(ctx context.Context, path string, args ...string) (memory float64, processor, took time.Duration, err error) {
	cmd := exec.CommandContext(ctx, path, args...)
	now := clock.RealClock{}
	start := now.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, 0, fmt.Errorf("%w\n%s", err, out)
	}
	took = now.Since(start)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, 0, fmt.Errorf("this system does not tell what a process used")
	}
	return float64(usage.Maxrss << 10), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), took, nil
}
