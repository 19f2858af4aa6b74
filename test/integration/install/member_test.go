package install

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argosyconfig "github.com/argosy-dev/argosy/internal/config"
	argosy "github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestMember: a member gets kinds, rights, the program with its configuration, and an admission that it can serve; again changes nothing,
// and taking it out leaves kinds and namespace.
func TestMember(t *testing.T) {
	server := lab.StartAPIServer(t, lab.APIServerOptions{})
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(lab.Patient(server.Config), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	options := argosy.MemberOptions{Image: "manager:1", Replicas: 2, MachinesURL: "https://iaas.example.com", MachinesCA: []byte("PEM")}
	var first, second bytes.Buffer
	if err := argosy.MemberDryRun(t.Context(), server.Config, &first, options, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"would make    serving certificate", "would create  CustomResourceDefinition servers.vm.argosy.dev",
		"would create  Namespace argosy-system", "would create  Secret argosy-system/argosy-member-manager-tls",
		"would create  MutatingWebhookConfiguration argosy-member-vm",
	} {
		if !strings.Contains(first.String(), want) {
			t.Errorf("a dry run does not say: %s\n%s", want, first.String())
		}
	}
	if err := c.Get(t.Context(), client.ObjectKey{Name: argosy.Namespace}, &corev1.Namespace{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run made the namespace: %v", err)
	}
	first.Reset()
	if err := argosy.Member(t.Context(), server.Config, &first, options); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"created  CustomResourceDefinition servers.vm.argosy.dev", "created  ClusterRole argosy-vm-approver",
		"created  MutatingWebhookConfiguration argosy-member-vm", "created  ValidatingAdmissionPolicy argosy-member-vm-overrides",
	} {
		if !strings.Contains(first.String(), want) {
			t.Errorf("not said: %s\n%s", want, first.String())
		}
	}
	key := func(name string) client.ObjectKey { return client.ObjectKey{Namespace: argosy.Namespace, Name: name} }
	config := &corev1.ConfigMap{}
	if err := c.Get(t.Context(), key("argosy-member-manager"), config); err != nil {
		t.Fatal(err)
	}
	wanted := []string{"url: https://iaas.example.com", "bindAddress: :9443", "caFile: /etc/argosy-member-manager/config/machines-ca.crt"}
	for _, want := range wanted {
		if !strings.Contains(config.Data["config.yaml"], want) {
			t.Errorf("configuration without %q:\n%s", want, config.Data["config.yaml"])
		}
	}
	trusted(t, c)
	scraped(t, c)
	if err := argosy.Member(t.Context(), server.Config, &second, options); err != nil {
		t.Fatal(err)
	}
	if second.Len() > 0 {
		t.Errorf("the second time changed:\n%s", second.String())
	}
	options.Image = "manager:2"
	if err := argosy.MemberDryRun(t.Context(), server.Config, &second, options, images); err != nil ||
		second.String() != "would change  Deployment argosy-system/argosy-member-manager\nmanager:1 to manager:2\n" {
		t.Errorf("another image: %v; a dry run says\n%s", err, second.String())
	}
	second.Reset()
	options.Image = "manager:1"
	beside(t, server.Config, c)
	if err := argosy.MemberGone(t.Context(), server.Config, &second, argosy.MemberRemoval{}); err != nil {
		t.Fatal(err)
	}
	second.Reset()
	nothing := "nothing to delete: nothing of this argosy-member-manager is there"
	err = argosy.MemberGone(t.Context(), server.Config, &second, argosy.MemberRemoval{Rehearsal: true})
	if err != nil || !strings.HasPrefix(second.String(), nothing) {
		t.Errorf("a rehearsal where nothing is: %v, said\n%s", err, second.String())
	}
	for _, gone := range []client.Object{
		&appsv1.Deployment{}, &rbacv1.ClusterRole{},
		&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}, &corev1.Secret{},
	} {
		name := map[bool]string{true: "argosy-member-vm", false: "argosy-member-manager"}[strings.Contains(gvk(t, c, gone), "Webhook")]
		if gvk(t, c, gone) == "Secret" {
			name = "argosy-member-manager-tls"
		}
		if err := c.Get(t.Context(), key(name), gone); !apierrors.IsNotFound(err) {
			t.Errorf("%T %s: %v", gone, name, err)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKey{Name: argosy.Namespace}, &corev1.Namespace{}); err != nil {
		t.Error(err)
	}
}

// images are fields of a Deployment that a dry run may show.
func images(before, after map[string]any) (string, error) {
	image := func(object map[string]any) string {
		containers, _, err := unstructured.NestedSlice(object, "spec", "template", "spec", "containers")
		if err != nil || len(containers) != 1 {
			return fmt.Sprintf("%d containers, %v", len(containers), err)
		}
		name, _, err := unstructured.NestedString(containers[0].(map[string]any), "image")
		if err != nil {
			return err.Error()
		}
		return name
	}
	return image(before) + " to " + image(after) + "\n", nil
}

// beside: a second manager comes and goes without anything of the first; the pods of each are its own, and so is the admission the first's.
func beside(t *testing.T, config *rest.Config, c client.Client) {
	t.Helper()
	first, next := &appsv1.Deployment{}, &appsv1.Deployment{}
	key := func(name string) client.ObjectKey { return client.ObjectKey{Namespace: argosy.Namespace, Name: name} }
	if err := c.Get(t.Context(), key("argosy-member-manager"), first); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	options := argosy.MemberOptions{Image: "manager:2", Replicas: 1, ControllerID: "next"}
	if err := argosy.Member(t.Context(), config, &said, options); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(said.String(), "\n"); n != 3 || strings.Contains(said.String(), "changed") {
		t.Errorf("want a ConfigMap, a Deployment and a Service, and nothing changed:\n%s", said.String())
	}
	if err := c.Get(t.Context(), key("argosy-member-manager-next"), next); err != nil {
		t.Fatal(err)
	}
	spec := next.Spec.Template.Spec
	if spec.Containers[0].Image != "manager:2" || spec.Volumes[0].ConfigMap.Name != "argosy-member-manager-next" ||
		spec.ServiceAccountName != "argosy-member-manager" {
		t.Errorf("the second is not as asked: %+v", spec)
	}
	for _, pair := range [][2]*appsv1.Deployment{{first, next}, {next, first}} {
		selector, err := metav1.LabelSelectorAsSelector(pair[0].Spec.Selector)
		own, others := labels.Set(pair[0].Spec.Template.Labels), labels.Set(pair[1].Spec.Template.Labels)
		if err != nil || !selector.Matches(own) || selector.Matches(others) {
			t.Errorf("%s does not select its own pods alone: %v %v", pair[0].Name, selector, err)
		}
	}
	file := &corev1.ConfigMap{}
	if err := c.Get(t.Context(), key("argosy-member-manager-next"), file); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(file.Data["config.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if loaded, err := argosyconfig.LoadMemberManager(path); err != nil || loaded.ControllerID != "next" || loaded.Webhook.BindAddress != "0" {
		t.Errorf("its configuration: %v\n%s", err, file.Data["config.yaml"])
	}
	said.Reset()
	beside := argosy.MemberRemoval{ControllerID: "next", Rehearsal: true}
	if err := argosy.MemberGone(t.Context(), config, &said, beside); err != nil || strings.Count(said.String(), "would delete") != 3 {
		t.Errorf("rehearsed: %v, said\n%s", err, &said)
	}
	beside.Rehearsal = false
	if err := argosy.MemberGone(t.Context(), config, &said, beside); err != nil || strings.Count(said.String(), "deleted") != 3 {
		t.Errorf("%v\n%s", err, said.String())
	}
	if err := c.Get(t.Context(), key("argosy-member-manager"), first); err != nil {
		t.Errorf("the first went too: %v", err)
	}
}

func gvk(t *testing.T, c client.Client, o client.Object) string {
	t.Helper()
	kind, err := c.GroupVersionKindFor(o)
	if err != nil {
		t.Fatal(err)
	}
	return kind.Kind
}

// trusted: what the registration trusts verifies the program's certificate for the name that the API server calls.
func trusted(t *testing.T, c client.Client) {
	t.Helper()
	secret, hooks := &corev1.Secret{}, &admissionv1.MutatingWebhookConfiguration{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: argosy.Namespace, Name: "argosy-member-manager-tls"}, secret); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKey{Name: "argosy-member-vm"}, hooks); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range hooks.Webhooks {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(hook.ClientConfig.CABundle)
		name := hook.ClientConfig.Service.Name + "." + hook.ClientConfig.Service.Namespace + ".svc"
		if _, err := certificate.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", hook.Name, err)
		}
	}
}

// scraped: whoever is bound to argosy-metrics-reader in the member may ask the program for metrics and for addresses of machines, as
// docs/security.md says, and for nothing else.
func scraped(t *testing.T, c client.Client) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "argosy-metrics-reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "prometheus"}},
	}
	if err := c.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	may := func(path string) bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "prometheus", NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
		}}
		if err := c.Create(t.Context(), review); err != nil {
			t.Error(err)
		}
		return review.Status.Allowed
	}
	// The API server decides by a cache of roles.
	g := gomega.NewWithT(t)
	for _, path := range []string{"/metrics", "/sd/shop/desk"} {
		g.Eventually(func() bool { return may(path) }, machine.Patience, "100ms").Should(gomega.BeTrue(), path)
	}
	if may("/debug/pprof") {
		t.Error("who scrapes may ask for profiles too")
	}
}
