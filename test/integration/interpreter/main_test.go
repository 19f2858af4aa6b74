package interpreter

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/pki"
	"github.com/argosy-dev/argosy/test/lab/ports"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// repository is the root of the clone.
const repository = "../../.."

// plane is the karmada plane all tests share. Each test has a namespace of its own.
var plane struct {
	*lab.APIServer
	client client.Client
	// bin holds argosy-webhook and argosyctl, built for this run.
	bin   string
	ports *ports.Pool
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	var err error
	if plane.bin, err = os.MkdirTemp("", "argosy-bin-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(plane.bin)
	build := exec.Command("go", "build", "-o", plane.bin+"/", "./cmd/argosy-webhook", "./cmd/argosyctl")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building: %w\n%s", err, out)
	}
	if plane.ports, err = ports.NewPool(); err != nil {
		return 1, err
	}
	defer plane.ports.Close()
	if plane.APIServer, err = lab.NewAPIServer(context.Background(), lab.KarmadaPlane()); err != nil {
		return 1, fmt.Errorf("starting an API server: %w", err)
	}
	defer plane.Close()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha1.Install, workv1alpha2.Install} {
		if err := add(scheme); err != nil {
			return 1, err
		}
	}
	if plane.client, err = client.New(plane.Config, client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	if err := installRights(); err != nil {
		return 1, fmt.Errorf("installing deploy/webhook/rbac.yaml: %w", err)
	}
	return m.Run(), nil
}

// webhook is a running argosy-webhook.
type webhook struct {
	*process.Process
	dir, url, metrics, health string
	authority                 *pki.Authority
}

// startWebhook runs the real binary as the user of deploy/webhook/rbac.yaml, with those rights alone.
func startWebhook(t *testing.T) *webhook {
	t.Helper()
	w := &webhook{dir: t.TempDir()}
	var err error
	if w.authority, err = pki.NewAuthority("argosy-test", time.Now()); err != nil { //nolint:forbidigo // a certificate is valid from the real now
		t.Fatal(err)
	}
	w.writeCertificate(t)
	var addresses [3]string
	for i := range addresses {
		port, err := plane.ports.Take()
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	w.url = "https://" + addresses[0] + "/interpret"
	w.metrics, w.health = "http://"+addresses[1]+"/metrics", "http://"+addresses[2]
	config := fmt.Sprintf("apiVersion: config.argosy.dev/v1alpha1\nkind: WebhookConfiguration\nbindAddress: %s\ncertDir: %s\nmetricsBindAddress: %s\nhealthBindAddress: %s\n",
		addresses[0], w.dir, addresses[1], addresses[2])
	path := filepath.Join(w.dir, "webhook.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Process, err = process.Start(process.Spec{
		Name: "argosy-webhook",
		Path: filepath.Join(plane.bin, "argosy-webhook"),
		Args: []string{"--config", path, "--kubeconfig", w.kubeconfig(t), "-v", "1"},
		Log:  filepath.Join(w.dir, "webhook.log"),
		Ready: func(ctx context.Context) error {
			_, err := get(ctx, w.health+"/readyz")
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

// writeCertificate puts a new serving certificate where the webhook reads it.
func (w *webhook) writeCertificate(t *testing.T) {
	t.Helper()
	pair, err := w.authority.Server("localhost", "127.0.0.1")
	if err == nil {
		err = pair.Write(w.dir, "tls")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// kubeconfig lets the administrator act as the webhook's user: the rights are the user's.
func (w *webhook) kubeconfig(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = "argosy-webhook"
	}
	path := filepath.Join(w.dir, "kubeconfig")
	if err := pki.WriteKubeconfig(config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// serving is the serial number of the certificate the webhook presents now.
func (w *webhook) serving() (string, error) {
	conn, err := tls.Dial("tcp", w.url[len("https://"):len(w.url)-len("/interpret")], &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate itself is looked at
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

func get(ctx context.Context, url string) (string, error) {
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
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return string(body), err
}

// installRights applies the manifest a user applies.
func installRights() error {
	text, err := os.ReadFile(filepath.Join(repository, "deploy/webhook/rbac.yaml"))
	if err != nil {
		return err
	}
	objects, err := documents(text)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := plane.client.Create(context.Background(), object); err != nil {
			return err
		}
	}
	return nil
}
