package install

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/lab/ports"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// namespace of the release in the host cluster.
const namespace = "argosy-system"

var getOptions = metav1.GetOptions{}

// host is a member that plays the host cluster: API objects are real, and what its nodes would do is done here.
type host struct {
	lab      *lab.Lab
	config   *rest.Config
	clients  kubernetes.Interface
	objects  client.Client
	programs binaries.Set
	ports    *ports.Pool
	dir      string
	// webhook and estimator are their Services.
	webhook, estimator *service
	// pods that were started, by their names.
	mu   sync.Mutex
	pods map[string]*pod
}

// pod is one replica's process.
type pod struct {
	*process.Process
	spec    process.Spec
	program string
	// left is set when the Service sends nothing more.
	left bool
	// address that the Service would send to; health and metrics URLs.
	address, health, metrics, log string
}

func newHost(t *testing.T, l *lab.Lab) *host {
	t.Helper()
	h := &host{lab: l, dir: t.TempDir(), pods: map[string]*pod{}}
	var err error
	if h.config, err = l.Config(l.Members[0]); err != nil {
		t.Fatal(err)
	}
	h.config = lab.Patient(h.config)
	h.clients = kubernetes.NewForConfigOrDie(h.config)
	if h.objects, err = client.New(h.config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	commands := []string{"argosyctl", "argosy-webhook", "argosy-controller-manager", "argosy-estimator"}
	if h.programs, err = binaries.BuildOwn(t.Context(), binaries.Options{Root: l.Root}, commands...); err != nil {
		t.Fatal(err)
	}
	if h.ports, err = ports.NewPool(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.ports.Close)
	h.webhook, h.estimator = newService(t), newService(t)
	t.Cleanup(func() {
		h.stopAll()
		for _, p := range h.pods {
			if t.Failed() {
				t.Logf("%s: last lines%s", p.Name(), p.LastLines(15))
			}
		}
	})
	return h
}

// stopAll ends every pod at once, each as kubelet would.
func (h *host) stopAll() {
	var stopping sync.WaitGroup
	for _, p := range h.pods {
		stopping.Go(p.Stop)
	}
	stopping.Wait()
}

// apply writes rendered objects as helm would, except what only nodes need.
func (h *host) apply(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		if err := h.objects.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("helm"),
			client.ForceOwnership); err != nil {
			t.Fatalf("applying %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

func (h *host) delete(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		if err := client.IgnoreNotFound(h.objects.Delete(t.Context(), object.DeepCopy())); err != nil {
			t.Fatalf("deleting %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// localize is what the cluster's DNS and Services would do.
func (h *host) localize(dir string, args []string) []string {
	out := slices.Clone(args)
	for i, arg := range out {
		if name, ok := strings.CutPrefix(arg, "--webhook-names="); ok {
			out[i] = "--webhook-names=" + name + ",localhost"
			continue
		}
		arg = strings.ReplaceAll(arg, "https://argosy-webhook.argosy-system.svc:443", fmt.Sprintf("https://localhost:%d", h.webhook.port))
		for _, mounted := range []string{"/etc/argosy/", "/etc/karmada/"} {
			arg = strings.ReplaceAll(arg, "="+mounted, "="+filepath.Join(dir, mounted)+"/")
		}
		out[i] = arg
	}
	return out
}

// runJob runs a Job's pod to its end, as its own service account of the host cluster.
func (h *host) runJob(t *testing.T, spec corev1.PodSpec) string {
	t.Helper()
	dir := t.TempDir()
	if err := h.volumes(t.Context(), spec, dir); err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(dir, "host.kubeconfig")
	if err := h.account(t.Context(), spec.ServiceAccountName, kubeconfig); err != nil {
		t.Fatal(err)
	}
	args := append(h.localize(dir, spec.Containers[0].Args), "--host-kubeconfig="+kubeconfig)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	now := clock.RealClock{}
	for all, tries := "", 1; ; tries++ {
		start := now.Now()
		cmd := exec.CommandContext(ctx, h.programs["argosyctl"], args...)
		out, err := cmd.CombinedOutput()
		all += string(out)
		if err == nil {
			withinLimits(t, spec.Containers[0], cmd.ProcessState)
			return all
		}
		// A Job's pod is started again after a failure; here, only when the machine may be what failed.
		if !machine.This().Disturbed(start, now.Now()) || tries == machine.Tries || ctx.Err() != nil {
			t.Fatalf("argosyctl %s: %v\n%s", strings.Join(args, " "), err, all)
		}
	}
}

// withinLimits fails if a job held more memory than its container may: the node's kernel would have ended it.
func withinLimits(t *testing.T, container corev1.Container, state *os.ProcessState) {
	t.Helper()
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("this system does not tell what a process used")
	}
	held := usage.Maxrss << 10
	t.Logf("%s: at most %d MiB, %s of a processor", strings.Join(container.Args[:2], " "), held>>20,
		(state.UserTime() + state.SystemTime()).Round(time.Millisecond))
	if limit := container.Resources.Limits.Memory().Value(); held > limit*3/4 {
		t.Errorf("it held %d bytes, more than three quarters of its limit of %d", held, limit)
	}
}

// account writes a kubeconfig with what a pod of this service account would find in itself.
func (h *host) account(ctx context.Context, name, path string) error {
	token, err := h.clients.CoreV1().ServiceAccounts(namespace).
		CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("a token of %s: %w", name, err)
	}
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["host"] = &clientcmdapi.Cluster{
		Server: h.config.Host, CertificateAuthorityData: h.config.CAData, CertificateAuthority: h.config.CAFile,
	}
	cfg.AuthInfos["pod"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	cfg.Contexts["pod"] = &clientcmdapi.Context{Cluster: "host", AuthInfo: "pod"}
	cfg.CurrentContext = "pod"
	return clientcmd.WriteToFile(*cfg, path)
}

// startDeployment runs every replica and waits until all are ready.
func (h *host) startDeployment(t *testing.T, r rendered, program string) {
	t.Helper()
	deployment := r.deployment(t, program)
	for i := range *deployment.Spec.Replicas {
		h.startPod(t, program, fmt.Sprintf("%s-%d", program, i), deployment.Spec.Template.Spec)
	}
}

func (h *host) startPod(t *testing.T, program, name string, spec corev1.PodSpec) {
	t.Helper()
	dir := h.podDir(name)
	if err := h.volumes(t.Context(), spec, dir); err != nil {
		t.Fatal(err)
	}
	p := &pod{program: program, log: filepath.Join(h.dir, name+".log")}
	// A pod has an address of its own; here the ports differ instead.
	for _, into := range []*string{&p.address, &p.metrics, &p.health} {
		port, err := h.ports.Take()
		if err != nil {
			t.Fatal(err)
		}
		*into = fmt.Sprintf("127.0.0.1:%d", port)
	}
	args := h.localize(dir, spec.Containers[0].Args)
	own := map[string]any{"metricsBindAddress": p.metrics, "healthBindAddress": p.health}
	switch program {
	case "argosy-webhook":
		own["isKarmadaBindAddress"] = "0"
		own["bindAddress"], own["certDir"] = p.address, filepath.Join(dir, "etc/argosy/webhook")
	case "argosy-estimator":
		own["registration"] = map[string]any{"host": "localhost", "port": h.estimator.port}
		args = append(args, "--server-port="+p.address[strings.LastIndex(p.address, ":")+1:])
	default:
		own["controllers"] = map[string]any{"fedHPA": map[string]any{"estimators": map[string]any{"port": h.estimator.port}}}
	}
	if err := overwrite(dir, own); err != nil {
		t.Fatal(err)
	}
	p.spec = process.Spec{
		Name: name, Path: h.programs[program], Args: args, Log: p.log,
		StopWithin: time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second,
		Ready: func(ctx context.Context) error {
			return ok(ctx, "http://"+p.health+spec.Containers[0].ReadinessProbe.HTTPGet.Path)
		},
	}
	started, err := process.Start(p.spec)
	if err != nil {
		t.Fatal(err)
	}
	p.Process = started
	h.mu.Lock()
	h.pods[name] = p
	h.mu.Unlock()
	if err := p.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	switch program {
	case "argosy-webhook":
		h.webhook.add(p)
	case "argosy-estimator":
		h.estimator.add(p)
	}
}

// revive is what a kubelet does for a leader that lost its lease while the machine stood still, and so ended: its container starts again.
func (h *host) revive() error {
	for _, p := range h.pods {
		if err := p.Err(); err == nil || !strings.Contains(err.Error(), "leader election lost") {
			continue
		}
		again, err := process.Start(p.spec)
		if err != nil {
			return err
		}
		p.Process = again
	}
	return nil
}

// startAgain is what a Deployment does for a pod that is gone: another starts, as the chart says.
func (r *release) startAgain(t *testing.T, name string) {
	t.Helper()
	program := r.pods[name].program
	r.startPod(t, program, name, r.chart.deployment(t, program).Spec.Template.Spec)
}

// podDir is the root of a pod's files.
func (h *host) podDir(name string) string { return filepath.Join(h.dir, name) }

// overwrite sets fields of the pod's configuration, and finds the files it names where volumes wrote them.
func overwrite(dir string, fields map[string]any) error {
	path := filepath.Join(dir, "etc/argosy/config/config.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	config := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(content), "/etc/argosy/", dir+"/etc/argosy/")), &config); err != nil {
		return err
	}
	merge(config, fields)
	if content, err = yaml.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func merge(into, from map[string]any) {
	for key, value := range from {
		below, both := into[key].(map[string]any)
		if deeper, nested := value.(map[string]any); both && nested {
			merge(below, deeper)
			continue
		}
		into[key] = value
	}
}

func ok(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

func scrape(ctx context.Context, p *pod) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.metrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
