package install

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// values of a platform team that has pushed the images and left the rest alone.
const values = `
image: {repository: registry.example/argosy, tag: v0.1.0}
controllerManager: {asksEstimator: true}
`

// release is one life of an installation; every step begins where the one before ended.
type release struct {
	*host
	// whole is the test that the steps are of.
	whole   *testing.T
	karmada client.Client
	chart   rendered
	// crons fire every minute from the moment they are made.
	crons   []*autoscalingv1alpha1.CronHPA
	started time.Time
}

func TestChartOnARealFederation(t *testing.T) {
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	options := lab.DefaultOptions()
	options.Nodes, options.Stock, options.Kruise, options.Metrics = []int{1}, true, false, false
	options.Progress = os.Stderr
	federation := lab.Start(t, options)
	r := &release{host: newHost(t, federation), whole: t}
	var err error
	if r.karmada, err = karmadaClient(federation); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"install", r.install},
		{"two replicas of each, one leader", r.running},
		{"karmada-scheduler goes by the estimator", r.estimated},
		{"a member that joins is registered at once", r.joined},
		{"estimator replicas die under load", r.estimatorDies},
		{"an estimator replica is told to stop under load", r.estimatorStops},
		{"Karmada is answered by the webhook", r.answered},
		{"argosyctl doctor tells a healthy installation from a broken one", r.diagnosed},
		{"a webhook replica dies under load", r.webhookDies},
		{"a webhook replica is told to stop under load", r.webhookStops},
		{"certificates become due under load", r.rotated},
		{"cert-manager takes over and renews under load", r.certManaged},
		{"the leader dies before a minute is full", r.leaderDies},
		{"nothing was forbidden", r.nothingForbidden},
		{"every metric is documented as it is exported", r.documented},
		{"upgrade", r.upgrade},
		{"uninstall leaves no orphan and every object of a user", r.uninstall},
	} {
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

func karmadaClient(l *lab.Lab) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), autoscalingv1alpha1.AddToScheme(scheme), clusterv1alpha1.Install(scheme),
		workv1alpha2.Install(scheme)); err != nil {
		return nil, err
	}
	cfg, err := l.Karmada()
	if err != nil {
		return nil, err
	}
	return client.New(lab.Patient(cfg), client.Options{Scheme: scheme})
}

func (r *release) install(t *testing.T) {
	kubeconfig, err := os.ReadFile(r.lab.Kubeconfigs[lab.KarmadaPlaneName])
	if err != nil {
		t.Fatal(err)
	}
	// What the platform team makes by hand, docs/install.md.
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "karmada-kubeconfig"}, Data: map[string][]byte{"kubeconfig": kubeconfig},
		},
		r.karmadasCertificate(t),
	} {
		if err := r.objects.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	r.chart = render(t, r.lab.Root, values)
	r.apply(t, r.chart.hookObjects())
	r.runJob(t, r.chart.job(t, "argosy-prepare"))
	r.apply(t, r.chart.objects)
	for _, program := range []string{"argosy-webhook", "argosy-controller-manager", "argosy-estimator"} {
		r.startDeployment(t, r.chart, program)
	}
	out := r.runJob(t, r.chart.job(t, "argosy-register"))
	if !strings.Contains(out, "created  ResourceInterpreterWebhookConfiguration argosy") {
		t.Errorf("the register job said:\n%s", out)
	}
	r.delete(t, r.chart.hookObjects())
}

// karmadasCertificate is Secret karmada-cert as Karmada's installers make it.
func (r *release) karmadasCertificate(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "karmada-cert"}, Data: map[string][]byte{}}
	for key, file := range map[string]string{"karmada.crt": "server.crt", "karmada.key": "server.key", "ca.crt": "ca.crt",
		"ca.key": "ca.key"} {
		content, err := os.ReadFile(r.lab.PKI(file))
		if file == "ca.key" {
			// Karmada's Secret has it and no pod of ours may: a path that does not exist would show.
			content, err = []byte("the key that signs"), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		secret.Data[key] = content
	}
	return secret
}

// hookObjects are the hooks but their Jobs, which runJob runs.
func (r rendered) hookObjects() []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(r.hooks), func(u *unstructured.Unstructured) bool { return u.GetKind() == "Job" })
}

func (r *release) running(t *testing.T) {
	if len(r.pods) != 6 {
		t.Fatalf("%v run, want two of each", slices.Sorted(maps.Keys(r.pods)))
	}
	g := NewWithT(t)
	g.Eventually(r.leader).WithContext(t.Context()).WithTimeout(machine.Patience).ShouldNot(BeEmpty())
}

// nothingForbidden reads what the processes said: a missing right shows here, by its name.
func (r *release) nothingForbidden(t *testing.T) {
	for name, p := range r.pods {
		content, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, "forbidden") || strings.Contains(line, "Unauthorized") {
				t.Errorf("%s: %s", name, strings.TrimSpace(line))
			}
		}
	}
}
