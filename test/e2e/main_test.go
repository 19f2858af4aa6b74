package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

// What make test-compat plays these stories on.
var (
	karmada    = flag.String("karmada", "", "version of Karmada, such as 1.16; empty is the base's")
	kubernetes = flag.String("kubernetes", "", "version of the members' Kubernetes, such as 1.33; empty is the base's")
)

// shared is the package's federation, patient the kubeconfig of programs that stories run: written by TestMain before any test runs.
var (
	shared  *lab.Lab
	patient string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	// Stories that run in parallel wait for members, not for this machine's two cores.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	options := lab.DefaultOptions()
	options.Karmada, options.MemberKubernetes = *karmada, *kubernetes
	// One member is enough to show that nothing depends on the lab's own server of metrics: the story of the unjoined cluster scales by it.
	options.MetricsServer = "member3"
	if *rollouts {
		options.Rollouts = "member1"
	}
	options.Reschedule = []string{"demo-reschedule"}
	options.Progress = os.Stdout
	l, closeLab, err := lab.Run(context.Background(), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the federation:", err)
		return 1
	}
	// of a lab in this process it cannot fail
	units, _ := l.Status(context.Background())
	memory := lab.MemoryBytes(units) >> 20
	fmt.Printf("federation ready after %.1f s, %d MiB\n", l.ReadySeconds, memory) //nolint:forbidigo // TestMain has no t.Log
	shared = l
	kubeconfig, stop, err := l.PatientKubeconfig()
	defer stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "making the kubeconfig of programs:", err)
		closeLab(true)
		return 1
	}
	patient = kubeconfig
	code := lab.Judge(m)
	failed := code != 0
	if failed {
		if err := l.Dump(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "keeping the federation's objects:", err)
		}
	}
	closeLab(failed)
	return code
}

// planes are clients of the federation.
type planes struct {
	lab     *lab.Lab
	karmada client.Client
	members map[string]client.Client
}

func federation(t *testing.T) planes {
	t.Helper()
	p := planes{lab: shared, members: map[string]client.Client{}}
	for _, name := range append([]string{lab.KarmadaPlaneName}, shared.Members...) {
		c, err := demo.Client(shared, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name == lab.KarmadaPlaneName {
			p.karmada = c
		} else {
			p.members[name] = c
		}
	}
	return p
}

// newNamespace makes a namespace named after the test; Karmada makes it in the members. It is
// deleted when the test ends.
func newNamespace(t *testing.T, p planes) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := p.karmada.Create(t.Context(), object); err != nil {
		t.Fatalf("making namespace %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := p.karmada.Delete(context.Background(), object); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("deleting namespace %s: %v", name, err)
		}
	})
	return name
}

// apply writes YAML to the control plane; $NS in it is the namespace.
func (p planes) apply(t *testing.T, namespace, manifests string) {
	t.Helper()
	if err := demo.Apply(t.Context(), p.karmada, strings.ReplaceAll(manifests, "$NS", namespace)); err != nil {
		t.Fatal(err)
	}
}
