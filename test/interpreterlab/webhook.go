package interpreterlab

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter"
	"github.com/karmada-io/karmada/pkg/util/fedinformer/genericmanager"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/hook"
	"github.com/argosy-dev/argosy/test/lab/pki"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// Webhook is a running argosy-webhook.
type Webhook struct {
	*process.Process
	// Address it serves HTTPS at, and the URLs of its plain endpoints.
	Address, Metrics, Health string
	Authority                *pki.Authority

	dir string
}

// StartWebhook runs the real binary with the rights of deploy/webhook/role.yaml alone, until the test
// ends.
func (p *Plane) StartWebhook(t testing.TB) *Webhook {
	t.Helper()
	w := &Webhook{dir: t.TempDir()}
	var err error
	if w.Authority,
		err = pki.NewAuthority("argosy-test", time.Now()); err != nil { //nolint:forbidigo // a certificate is valid from the real now
		t.Fatal(err)
	}
	w.WriteCertificate(t)
	var addresses [3]string
	for i := range addresses {
		port, err := p.ports.Take()
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	w.Address, w.Metrics, w.Health = addresses[0], "http://"+addresses[1]+"/metrics", "http://"+addresses[2]
	config := fmt.Sprintf(
		"apiVersion: config.argosy.dev/v1alpha1\nkind: WebhookConfiguration\nisKarmadaBindAddress: \"0\"\nbindAddress: %s\ncertDir: %s\n"+
			"metricsBindAddress: "+
			"%s\nhealthBindAddress: %s\n",
		addresses[0], w.dir, addresses[1], addresses[2])
	path := filepath.Join(w.dir, "webhook.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Process, err = process.Start(process.Spec{
		Name: "argosy-webhook",
		Path: filepath.Join(p.Bin, "argosy-webhook"),
		Args: []string{"--config", path, "--kubeconfig", p.webhookKubeconfig(t, w.dir), "-v", "1"},
		Log:  filepath.Join(w.dir, "webhook.log"),
		Ready: func(ctx context.Context) error {
			_, err := Get(ctx, w.Health+"/readyz")
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Stop()
		if t.Failed() {
			t.Log(w.LastLines(40))
		}
	})
	if err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// WriteCertificate puts a new serving certificate where the webhook reads it.
func (w *Webhook) WriteCertificate(t testing.TB) {
	t.Helper()
	pair, err := w.Authority.Server("localhost", "127.0.0.1")
	if err == nil {
		err = pair.Write(w.dir, "tls")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Serving is the serial number of the certificate the webhook presents now.
func (w *Webhook) Serving() (string, error) {
	conn, err := tls.Dial("tcp", w.Address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate itself is looked at
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// Registration makes Karmada ask this webhook, and wait for its answer though the machine stand still for a while.
func (w *Webhook) Registration() *configv1alpha1.ResourceInterpreterWebhookConfiguration {
	url := "https://" + w.Address + hook.Path
	out := hook.Registration(interpreter.Families(), admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: w.Authority.PEM})
	for i := range out.Webhooks {
		out.Webhooks[i].TimeoutSeconds = ptr.To[int32](30)
	}
	return out
}

// webhookKubeconfig lets the administrator act as the webhook's user: the rights are the user's.
func (p *Plane) webhookKubeconfig(t testing.TB, dir string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(p.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = WebhookUser
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := pki.WriteKubeconfig(config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Karmada is Karmada's own resource interpreter over the plane, as karmada-controller-manager runs it: customizations,
// webhooks, bundled Lua, native code.
func (p *Plane) Karmada(t testing.TB) resourceinterpreter.ResourceInterpreter {
	t.Helper()
	dynamicClient, err := dynamic.NewForConfig(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	kubernetesClient, err := kubernetes.NewForConfig(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	factory := informers.NewSharedInformerFactory(kubernetesClient, 0)
	out := resourceinterpreter.NewResourceInterpreter(
		genericmanager.NewSingleClusterInformerManager(ctx, dynamicClient, 0), factory.Core().V1().Services().Lister())
	if err := out.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return out
}

// Get reads a URL; any status but 200 is an error.
func Get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}
