package install

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

// values of a platform team that has pushed the images and left the rest alone.
const values = `
image: {repository: registry.example/argosy, tag: v0.1.0}
controllerManager: {asksEstimator: true}
`

// release is one life of an installation; every step begins where the one before ended.
type release struct {
	*host
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
	r := &release{host: newHost(t, federation)}
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
		{"Karmada is answered by the webhook", r.answered},
		{"a webhook replica dies under load", r.webhookDies},
		{"a webhook replica is told to stop under load", r.webhookStops},
		{"certificates become due under load", r.rotated},
		{"the leader dies before a minute is full", r.leaderDies},
		{"nothing was forbidden", r.nothingForbidden},
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
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), autoscalingv1alpha1.AddToScheme(scheme), clusterv1alpha1.Install(scheme), workv1alpha2.Install(scheme)); err != nil {
		return nil, err
	}
	cfg, err := l.Karmada()
	if err != nil {
		return nil, err
	}
	return client.New(cfg, client.Options{Scheme: scheme})
}

func (r *release) install(t *testing.T) {
	kubeconfig, err := os.ReadFile(r.lab.Kubeconfigs[lab.KarmadaPlaneName])
	if err != nil {
		t.Fatal(err)
	}
	// What the platform team makes by hand, docs/install.md.
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "karmada-kubeconfig"}, Data: map[string][]byte{"kubeconfig": kubeconfig}},
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
	for key, file := range map[string]string{"karmada.crt": "server.crt", "karmada.key": "server.key", "ca.crt": "ca.crt", "ca.key": "ca.key"} {
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
	g.Eventually(r.leader).WithContext(t.Context()).WithTimeout(30 * time.Second).ShouldNot(BeEmpty())
}

// leader is the pod that holds the lease, by the metric each exports.
func (r *release) leader(ctx context.Context) (string, error) {
	lease := &coordinationv1.Lease{}
	if err := r.karmada.Get(ctx, client.ObjectKey{Namespace: install.Namespace, Name: "argosy-controller-manager"}, lease); err != nil {
		return "", err
	}
	var leaders []string
	for name, p := range r.pods {
		text, err := scrape(ctx, p)
		if p.program == "argosy-controller-manager" && err == nil && strings.Contains(text, `leader_election_master_status{name="argosy-controller-manager"} 1`) {
			leaders = append(leaders, name)
		}
	}
	if len(leaders) != 1 {
		return "", fmt.Errorf("%v lead", leaders)
	}
	return leaders[0], nil
}

// answered sends Karmada's own path: a CronHPA and the workload it scales, in the control plane.
func (r *release) answered(t *testing.T) {
	if err := demo.Apply(t.Context(), r.karmada, `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example/web:v1}]}
`); err != nil {
		t.Fatal(err)
	}
	r.started = clock.RealClock{}.Now()
	for i := range 20 {
		deployment := fmt.Sprintf("web-%d", i)
		if err := demo.Apply(t.Context(), r.karmada, strings.ReplaceAll(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: NAME}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: web, image: registry.example/web:v1}]}
---
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: CronHPA
metadata: {namespace: shop, name: NAME}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: NAME}
  successfulHistoryLimit: 10
  rules: [{name: every-minute, schedule: "* * * * *", targetReplicas: 2}]
`, "NAME", deployment)); err != nil {
			t.Fatal(err)
		}
		r.crons = append(r.crons, &autoscalingv1alpha1.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: deployment}})
	}
	if failed := r.ask(t, r.caller(t)); failed != nil {
		t.Fatalf("the webhook, through its Service: %v", failed)
	}
}

// caller is a client that trusts what karmada-apiserver was told to trust.
func (r *release) caller(t *testing.T) *http.Client {
	t.Helper()
	secret, err := r.clients.CoreV1().Secrets(namespace).Get(t.Context(), install.ServingSecret, getOptions)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(secret.Data["ca.crt"])
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
}

// ask is one InterpretReplica of Karmada's protocol.
func (r *release) ask(t *testing.T, caller *http.Client) error {
	const question = `{"apiVersion":"config.karmada.io/v1alpha1","kind":"ResourceInterpreterContext","request":{"uid":"1","kind":{"group":"apps.kruise.io","version":"v1alpha1","kind":"CloneSet"},
"name":"web","namespace":"shop","operation":"InterpretReplica","object":{"apiVersion":"apps.kruise.io/v1alpha1","kind":"CloneSet","metadata":{"name":"web","namespace":"shop"},
"spec":{"replicas":7,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web"}]}}}}}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("https://localhost:%d/interpret", r.webhook.port), bytes.NewBufferString(question))
	if err != nil {
		return err
	}
	response, err := caller.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Response struct {
			Successful bool   `json:"successful"`
			Replicas   *int32 `json:"replicas"`
		} `json:"response"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if !answer.Response.Successful || answer.Response.Replicas == nil || *answer.Response.Replicas != 7 {
		return fmt.Errorf("answered %+v", answer.Response)
	}
	return nil
}

// load asks the webhook from four callers without pause. A caller that is refused asks again, as Karmada's queues do.
type load struct {
	asked, refused, longest atomic.Int64
	stop                    func()
}

func (r *release) load(t *testing.T, caller *http.Client, atMost time.Duration) *load {
	t.Helper()
	now := clock.RealClock{}
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	l := &load{}
	var callers sync.WaitGroup
	l.stop = func() { cancel(); callers.Wait() }
	t.Cleanup(l.stop)
	for range 4 {
		callers.Go(func() {
			for ctx.Err() == nil {
				start, again := now.Now(), 0
				for r.ask(t, caller) != nil && ctx.Err() == nil {
					again++
				}
				l.asked.Add(1)
				if again > 0 {
					l.refused.Add(1)
					l.longest.Store(max(l.longest.Load(), int64(now.Since(start))))
				}
			}
		})
	}
	NewWithT(t).Eventually(l.asked.Load).WithTimeout(5 * time.Second).Should(BeNumerically(">", 200))
	return l
}

// goesOn waits for so many questions more.
func (l *load) goesOn(t *testing.T, more int64) {
	t.Helper()
	before := l.asked.Load()
	NewWithT(t).Eventually(l.asked.Load).WithTimeout(9 * time.Second).Should(BeNumerically(">", before+more))
}

// webhookDies kills one of two replicas: no refusal may outlast a retry.
func (r *release) webhookDies(t *testing.T) {
	l := r.load(t, r.caller(t), 30*time.Second)
	r.pods["argosy-webhook-0"].Kill()
	l.goesOn(t, 2000)
	l.stop()
	longest := time.Duration(l.longest.Load())
	t.Logf("%d questions, %d asked again when a replica was killed, the longest for %s", l.asked.Load(), l.refused.Load(), longest)
	if limit := time.Second; longest > limit {
		t.Errorf("a question was refused for %s, more than a retry", longest)
	}
	r.startPod(t, "argosy-webhook", "argosy-webhook-0", r.chart.deployment(t, "argosy-webhook").Spec.Template.Spec)
}

// webhookStops is what an upgrade or a drained node does. kube-proxy goes on sending for a while; nobody may notice.
func (r *release) webhookStops(t *testing.T) {
	l := r.load(t, r.caller(t), 30*time.Second)
	p, ended := r.pods["argosy-webhook-0"], make(chan struct{})
	go func() { p.Stop(); close(ended) }()
	g := NewWithT(t)
	g.Eventually(func(ctx context.Context) error { return ok(ctx, "http://"+p.health+"/readyz") }).WithContext(t.Context()).WithTimeout(3 * time.Second).ShouldNot(Succeed())
	l.goesOn(t, 500)
	r.webhook.remove(p)
	g.Eventually(ended).WithTimeout(20 * time.Second).Should(BeClosed())
	l.goesOn(t, 500)
	l.stop()
	t.Logf("%d questions while a replica was told to stop and ended, %d refused", l.asked.Load(), l.refused.Load())
	if l.refused.Load() != 0 {
		t.Errorf("%d questions were refused", l.refused.Load())
	}
	r.startPod(t, "argosy-webhook", "argosy-webhook-0", r.chart.deployment(t, "argosy-webhook").Spec.Template.Spec)
}

// leaderDies kills the leader right before firings are due; the other takes over and none is lost.
func (r *release) leaderDies(t *testing.T) {
	now := clock.RealClock{}
	leader, err := r.leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	minute := now.Now().Truncate(time.Minute).Add(time.Minute)
	if until := minute.Sub(now.Now()); until < 3*time.Second {
		minute = minute.Add(time.Minute)
	}
	<-now.After(minute.Add(-2 * time.Second).Sub(now.Now()))
	r.pods[leader].Kill()
	killed := now.Now()
	g := NewWithT(t)
	g.Eventually(r.leader).WithContext(t.Context()).WithTimeout(45 * time.Second).ShouldNot(BeElementOf("", leader))
	t.Logf("another leads %s after the leader was killed", now.Since(killed).Round(100*time.Millisecond))
	g.Eventually(func(ctx context.Context) error { return r.firedAt(ctx, minute) }).WithContext(t.Context()).WithTimeout(20 * time.Second).Should(Succeed())
	r.startPod(t, "argosy-controller-manager", leader, r.chart.deployment(t, "argosy-controller-manager").Spec.Template.Spec)
}

// firedAt demands that every CronHPA applied the firing of that minute, and scaled.
func (r *release) firedAt(ctx context.Context, minute time.Time) error {
	for _, cron := range r.crons {
		if err := r.karmada.Get(ctx, client.ObjectKeyFromObject(cron), cron); err != nil {
			return err
		}
		if len(cron.Status.Rules) != 1 || !slices.ContainsFunc(cron.Status.Rules[0].History, func(f autoscalingv1alpha1.Firing) bool {
			return f.Result == autoscalingv1alpha1.FiringApplied && f.ScheduledTime.Time.Equal(minute)
		}) {
			return fmt.Errorf("%s has not fired at %s: %+v", cron.Name, minute.Format(time.TimeOnly), cron.Status)
		}
	}
	return nil
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

func (r *release) upgrade(t *testing.T) {
	next := render(t, r.lab.Root, values+"webhook: {replicas: 3}\nnetworkPolicy: {enabled: false}\n", "-upgrade")
	gone := slices.DeleteFunc(slices.Clone(r.chart.objects), func(u *unstructured.Unstructured) bool {
		return slices.ContainsFunc(next.objects, func(n *unstructured.Unstructured) bool { return key(n) == key(u) })
	})
	if len(gone) == 0 {
		t.Fatal("the upgrade takes nothing away: this test would prove nothing")
	}
	before := r.ours(t)
	r.apply(t, next.hookObjects())
	r.runJob(t, next.job(t, "argosy-prepare"))
	r.apply(t, next.objects)
	r.delete(t, gone)
	r.startPod(t, "argosy-webhook", "argosy-webhook-2", next.deployment(t, "argosy-webhook").Spec.Template.Spec)
	r.runJob(t, next.job(t, "argosy-register"))
	r.delete(t, next.hookObjects())
	// The renewal job finds everything in order and its own rights enough.
	r.runJob(t, next.job(t, "argosy-renew"))
	if after := r.ours(t); !slices.Equal(before, after) {
		t.Errorf("the upgrade changed what is installed in karmada-apiserver:\n%v\n%v", before, after)
	}
	r.chart = next
}

// ours is everything in karmada-apiserver that bears the installer's label or the estimator's, but kinds.
func (r *release) ours(t *testing.T) []string {
	t.Helper()
	config, err := r.lab.Karmada()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := lab.Labelled(t.Context(), config, "app.kubernetes.io/managed-by in (argosy-install, argosy-estimator)")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, object := range objects {
		if object.GetKind() != "CustomResourceDefinition" {
			out = append(out, key(&object))
		}
	}
	slices.Sort(out)
	return out
}

func key(u *unstructured.Unstructured) string {
	return u.GetKind() + " " + filepath.Join(u.GetNamespace(), u.GetName())
}

func (r *release) uninstall(t *testing.T) {
	if err := r.karmada.List(t.Context(), &autoscalingv1alpha1.CronHPAList{}); err != nil {
		t.Fatal(err)
	}
	r.apply(t, r.chart.hookObjects())
	r.runJob(t, r.chart.job(t, "argosy-uninstall"))
	r.delete(t, r.chart.hookObjects())
	r.delete(t, r.chart.objects)
	for _, p := range r.pods {
		p.Stop()
	}
	g := NewWithT(t)
	g.Eventually(func() []string { return r.ours(t) }).WithTimeout(30 * time.Second).Should(BeEmpty())
	secrets, err := r.clients.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	var left []string
	for _, secret := range secrets.Items {
		left = append(left, secret.Name)
	}
	if err != nil || !slices.Equal(left, []string{"karmada-cert", "karmada-kubeconfig"}) {
		t.Errorf("secrets of the host cluster: %v, %v; want the user's alone", left, err)
	}
	r.noOrphans(t)
	for _, cron := range r.crons {
		if err := r.karmada.Get(t.Context(), client.ObjectKeyFromObject(cron), cron); err != nil || cron.DeletionTimestamp != nil {
			t.Errorf("the user's CronHPA %s: %v", cron.Name, err)
		}
	}
}

// noOrphans looks for what the chart made, kind by kind.
func (r *release) noOrphans(t *testing.T) {
	t.Helper()
	for _, object := range append(slices.Clone(r.chart.objects), r.chart.hookObjects()...) {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(object.GetAPIVersion())
		list.SetKind(object.GetKind() + "List")
		if err := r.objects.List(t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/part-of": "argosy"}); err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			if item.GetDeletionTimestamp() == nil {
				t.Errorf("%s is left in the host cluster", key(&item))
			}
		}
	}
}
