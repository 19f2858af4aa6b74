package install

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab"
)

const hostNamespace = "argosy-system"

// planes is a karmada-apiserver that has never met Argosy, and the host cluster's API server.
type planes struct {
	karmada, host *lab.APIServer
	// objects of karmada-apiserver, as an administrator.
	objects client.Client
	// secrets of the host cluster.
	secrets kubernetes.Interface
	clock   *testingclock.FakeClock
	out     strings.Builder
	// withoutEstimator leaves the estimator out.
	withoutEstimator bool
}

// start brings both up at once. An installation is one per control plane, so each test has planes of its own.
func start(t *testing.T) *planes {
	t.Helper()
	p := &planes{clock: testingclock.NewFakeClock(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))}
	options := []lab.APIServerOptions{{CRDs: []lab.CRDs{lab.KarmadaCRDs(), lab.KruiseCRDs()}}, {}}
	servers := make([]*lab.APIServer, len(options))
	errs := make([]error, len(options))
	var wg sync.WaitGroup
	for i := range options {
		wg.Go(func() { servers[i], errs[i] = lab.NewAPIServer(context.Background(), options[i]) })
	}
	wg.Wait()
	for i, s := range servers {
		if errs[i] != nil {
			t.Fatalf("starting an API server: %v", errs[i])
		}
		t.Cleanup(s.Close)
	}
	p.karmada, p.host = servers[0], servers[1]
	var err error
	if p.objects, err = client.New(lab.Patient(p.karmada.Config), client.Options{}); err != nil {
		t.Fatal(err)
	}
	p.secrets = kubernetes.NewForConfigOrDie(lab.Patient(p.host.Config))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: hostNamespace}}
	if _, err := p.secrets.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *planes) installer() *install.Installer {
	return &install.Installer{
		Options: install.Options{
			WebhookURL:          "https://argosy-webhook.argosy-system.svc:443",
			WebhookNames:        []string{"argosy-webhook.argosy-system.svc"},
			WebhookCertificates: install.SelfManaged,
			Estimator:           !p.withoutEstimator,
			TokenLife:           time.Hour,
		},
		Karmada: lab.Patient(p.karmada.Config), Host: p.secrets, HostNamespace: hostNamespace,
		Clock: p.clock, Out: io.MultiWriter(&p.out, os.Stderr),
	}
}

func (p *planes) install(t *testing.T) {
	t.Helper()
	installer := p.installer()
	if err := installer.Prepare(t.Context()); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	if err := installer.Register(t.Context()); err != nil {
		t.Fatalf("register: %v", err)
	}
}

// renew runs the hourly job with the kubeconfig that it mounts.
func (p *planes) renew(t *testing.T) error {
	t.Helper()
	installer := p.installer()
	installer.Karmada = p.as(t, install.Renewer)
	return installer.Renew(t.Context())
}

func (p *planes) secret(t *testing.T, name string) map[string][]byte {
	t.Helper()
	secret, err := p.secrets.CoreV1().Secrets(hostNamespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret.Data
}

// as reaches karmada-apiserver with the kubeconfig a program's pod would mount.
func (p *planes) as(t *testing.T, program string) *rest.Config {
	t.Helper()
	dir := t.TempDir()
	for name, content := range p.secret(t, install.KubeconfigSecret(program)) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	return lab.Patient(cfg)
}

// may asks about one verb on a resource, in namespace default unless the resource is given as namespace/resource.
func may(t *testing.T, cfg *rest.Config, verb, group, resource string) bool {
	t.Helper()
	namespace := "default"
	if before, after, found := strings.Cut(resource, "/"); found {
		namespace, resource = before, after
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: group, Resource: resource},
	}}
	answer, err := kubernetes.NewForConfigOrDie(cfg).AuthorizationV1().SelfSubjectAccessReviews().
		Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("asking as the program: %v", err)
	}
	return answer.Status.Allowed
}

// list is every object of the kind, by name.
func (p *planes) list(t *testing.T, apiVersion, kind string, opts ...client.ListOption) map[string]*unstructured.Unstructured {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(apiVersion)
	list.SetKind(kind + "List")
	if err := p.objects.List(t.Context(), list, opts...); err != nil {
		t.Fatal(err)
	}
	out := map[string]*unstructured.Unstructured{}
	for i := range list.Items {
		out[list.Items[i].GetName()] = &list.Items[i]
	}
	return out
}

// published is what karmada-apiserver was told to trust, webhook by webhook, and their URLs.
func (p *planes) published(t *testing.T) (bundle []byte, urls []string) {
	t.Helper()
	registration, ok := p.list(t, "config.karmada.io/v1alpha1", "ResourceInterpreterWebhookConfiguration")["argosy"]
	if !ok {
		t.Fatal("the interpreter is not registered")
	}
	webhooks, _, err := unstructured.NestedSlice(registration.Object, "webhooks")
	if err != nil || len(webhooks) == 0 {
		t.Fatalf("webhooks: %v, %v", webhooks, err)
	}
	for _, item := range webhooks {
		config := item.(map[string]any)["clientConfig"].(map[string]any)
		urls = append(urls, fmt.Sprint(config["url"]))
		decoded, err := base64.StdEncoding.DecodeString(config["caBundle"].(string))
		if err != nil {
			t.Fatal(err)
		}
		bundle = decoded
	}
	return bundle, urls
}

// served verifies the certificate the webhook's pods mount as a caller would, at the clock's time.
func (p *planes) served(t *testing.T) error {
	t.Helper()
	bundle, _ := p.published(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	block, _ := pem.Decode(p.secret(t, install.ServingSecret)[corev1.TLSCertKey])
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "argosy-webhook.argosy-system.svc", CurrentTime: p.clock.Now()})
	return err
}
