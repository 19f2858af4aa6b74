package reschedule

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

// slow bounds what a test waits for; a machine that does much else at the time is slow.
const slow = "6m"

// shared is the package's federation: written by TestMain before any test runs.
var shared *lab.Lab

func TestMain(m *testing.M) {
	options := lab.DefaultOptions()
	options.Nodes = []int{5, 5, 5, 1}
	options.Reschedule = []string{"testreschedule", "testreschedulefull", "testordinals", "testcomponent", "testtraps-s1", "testtraps-s2",
		"testtraps-s3", "testmemberlost"}
	options.Descheduler = true
	options.Flags = map[string][]string{
		// The peer looks as often as rescheduling does here.
		"karmada/descheduler": {"--descheduling-interval=3s", "--unschedulable-threshold=10s"},
		// Karmada's own cluster failure, with a federation's minutes as seconds.
		"karmada/webhook": {"--allow-no-execute-taint-policy=true"},
		"karmada/controller-manager": {"--feature-gates=Failover=true", "--enable-no-execute-taint-eviction=true",
			"--resource-eviction-rate=5", "--cluster-failure-threshold=10s", "--cluster-success-threshold=5s"},
	}
	os.Exit(lab.Main(m, options, func(l *lab.Lab) { shared = l }))
}

// planes are the API servers as an administrator sees them.
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
		p.members[name] = c
	}
	p.karmada = p.members[lab.KarmadaPlaneName]
	delete(p.members, lab.KarmadaPlaneName)
	estimated(t)
	return p
}

// estimated waits until karmada-scheduler asks every member's estimator: in a federation just started it divides without for some seconds.
func estimated(t *testing.T) {
	t.Helper()
	NewWithT(t).Eventually(func() (string, error) {
		log, err := os.ReadFile(shared.LogFile("karmada/scheduler"))
		var missing []string
		for _, name := range shared.Members {
			if !strings.Contains(string(log), fmt.Sprintf("of cluster(%s) has been established", name)) {
				missing = append(missing, name)
			}
		}
		return strings.Join(missing, ", "), err
	}, slow, "200ms").Should(BeEmpty(), "members whose estimator karmada-scheduler does not ask")
}

// newNamespace is named after the test, and goes with it; the controller's settings name it too.
func newNamespace(t *testing.T, p planes) string {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))}}
	if err := p.karmada.Create(t.Context(), object); err != nil {
		t.Fatalf("making namespace %s: %v", object.Name, err)
	}
	t.Cleanup(func() {
		if err := p.karmada.Delete(context.Background(), object); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("deleting namespace %s: %v", object.Name, err)
		}
	})
	return object.Name
}

func (p planes) apply(t *testing.T, namespace, manifests string) {
	t.Helper()
	if err := demo.Apply(t.Context(), p.karmada, strings.ReplaceAll(manifests, "$NS", namespace)); err != nil {
		t.Fatal(err)
	}
}
