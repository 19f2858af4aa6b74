package install

import (
	"bytes"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/estimator/register"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

func TestInstallRenewAndUninstall(t *testing.T) {
	p := start(t)
	t.Run("a dry run says what would be done", p.dryRunAtFirst)
	p.install(t)
	// One pair of servers, one life: each step begins where the one before ended, as with a user.
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"the webhook is registered and trusted", p.registered},
		{"each program may do its own and no more", p.leastPrivilege},
		{"the estimator writes its own Services and no others", p.estimatorServices},
		{"a second run changes nothing", p.again},
		{"a dry run says what differs, and nothing else", p.dryRunLater},
		{"certificates are renewed before they end", p.renewal},
		{"a new authority is trusted before it signs", p.newAuthority},
		{"the hourly job renews, and nothing else", p.renewalAlone},
		{"what an earlier version left is removed", p.upgrade},
		{"without the estimator nothing of it is left", p.estimatorOff},
		{"uninstalling goes on without a karmada-apiserver that is gone", p.uninstallWithoutKarmada},
		{"uninstalling leaves users' objects and nothing else", p.uninstall},
	} {
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

func (p *planes) registered(t *testing.T) {
	_, urls := p.published(t)
	for _, url := range urls {
		if url != "https://argosy-webhook.argosy-system.svc:443/interpret" {
			t.Errorf("Karmada is sent to %s", url)
		}
	}
	if err := p.served(t); err != nil {
		t.Errorf("a caller meets a certificate it cannot verify: %v", err)
	}
	if _, leaked := p.secret(t, install.ServingSecret)["ca.key"]; leaked {
		t.Error("the webhook's pods could sign")
	}
}

func (p *planes) leastPrivilege(t *testing.T) {
	for program, tc := range map[string]struct{ may, mayNot [][3]string }{
		"argosy-webhook": {
			may: [][3]string{
				{"get", "work.karmada.io", "resourcebindings"}, {"watch", "work.karmada.io", "resourcebindings"},
				{"watch", "config.karmada.io", "resourceinterpretercustomizations"}, {"create", "", "events"},
			},
			mayNot: [][3]string{
				{"update", "work.karmada.io", "resourcebindings"}, {"get", "", "secrets"},
				{"create", "coordination.k8s.io", "leases"}, {"patch", "config.karmada.io", "resourceinterpretercustomizations"},
			},
		},
		"argosy-controller-manager": {
			mayNot: [][3]string{
				{"list", "", "secrets"}, {"delete", "", "namespaces"}, {"create", "rbac.authorization.k8s.io", "clusterrolebindings"},
				{"update", "rbac.authorization.k8s.io", "clusterroles"}, {"impersonate", "", "users"},
			},
		},
		install.Renewer: {
			may: [][3]string{
				{"list", "config.karmada.io", "resourceinterpreterwebhookconfigurations"},
				{"list", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"},
			},
			mayNot: [][3]string{
				{"create", "config.karmada.io", "resourceinterpreterwebhookconfigurations"},
				{"patch", "config.karmada.io", "resourceinterpreterwebhookconfigurations"},
				{"patch", "rbac.authorization.k8s.io", "clusterroles"}, {"bind", "rbac.authorization.k8s.io", "clusterroles"},
				{"get", "", "secrets"}, {"create", "", "serviceaccounts"}, {"patch", "apiextensions.k8s.io", "customresourcedefinitions"},
			},
		},
		"argosy-estimator": {
			may: [][3]string{
				{"watch", "cluster.karmada.io", "clusters"}, {"watch", "work.karmada.io", "resourcebindings"}, {"get", "", "karmada-cluster/secrets"},
				{"get", "apps", "deployments"}, {"get", "apps.kruise.io", "clonesets"}, {"get", "batch", "jobs"},
				{"patch", "", "karmada-system/services"},
			},
			mayNot: [][3]string{
				{"get", "", "secrets"}, {"list", "", "karmada-cluster/secrets"}, {"create", "", "services"}, {"update", "", "karmada-system/services"},
				{"get", "apps", "controllerrevisions"}, {"get", "batch", "cronjobs"}, {"list", "apps", "deployments"}, {
					"patch", "work.karmada.io", "resourcebindings",
				},
			},
		},
	} {
		t.Run(program, func(t *testing.T) {
			cfg := p.as(t, program)
			// The authorizer sees new bindings a moment later, and until then nobody may do what is not theirs either.
			for _, ask := range tc.may {
				gomega.NewWithT(t).Eventually(func() bool { return may(t, cfg, ask[0], ask[1], ask[2]) }).WithTimeout(machine.Patience).
					Should(gomega.BeTrue(), "it may not %v", ask)
			}
			for _, ask := range tc.mayNot {
				if may(t, cfg, ask[0], ask[1], ask[2]) {
					t.Errorf("it may %v", ask)
				}
			}
		})
	}
}

// versions of everything of ours in karmada-apiserver.
func (p *planes) versions(t *testing.T) map[string]string {
	t.Helper()
	found, err := lab.Labelled(t.Context(), p.karmada.Config, "app.kubernetes.io/managed-by in (argosy-install, argosy-estimator)")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, object := range found {
		out[object.GetKind()+" "+object.GetName()] = object.GetResourceVersion()
	}
	return out
}

func (p *planes) again(t *testing.T) {
	before, serving := p.versions(t), p.secret(t, install.ServingSecret)
	if len(before) < 15 {
		t.Fatalf("only %v is installed", slices.Sorted(maps.Keys(before)))
	}
	p.install(t)
	if diff := cmp.Diff(before, p.versions(t)); diff != "" {
		t.Errorf("resource versions (-first +second run):\n%s", diff)
	}
	if diff := cmp.Diff(serving, p.secret(t, install.ServingSecret)); diff != "" {
		t.Errorf("the certificate changed without a cause:\n%s", diff)
	}
}

func (p *planes) renewal(t *testing.T) {
	before := p.secret(t, install.ServingSecret)[corev1.TLSCertKey]
	token := p.secret(t, install.KubeconfigSecret(install.ControllerManager))["token"]
	p.clock.Step(70 * 24 * time.Hour)
	// Rights that were just given are in force a moment later.
	gomega.NewWithT(t).Eventually(func() error { return p.renew(t) }).WithTimeout(machine.Patience).Should(gomega.Succeed())
	if bytes.Equal(token, p.secret(t, install.KubeconfigSecret(install.ControllerManager))["token"]) {
		t.Error("the controllers' token is the same")
	}
	if bytes.Equal(before, p.secret(t, install.ServingSecret)[corev1.TLSCertKey]) {
		t.Error("70 of 90 days are over and the certificate is the same")
	}
	if err := p.served(t); err != nil {
		t.Errorf("the renewed certificate: %v", err)
	}
}

// renewalAlone: the hourly job, with rights of its own, publishes a new authority too, puts back nothing that somebody took away, says so,
// and renews the tokens all the same.
func (p *planes) renewalAlone(t *testing.T) {
	p.clock.Step(4 * 365 * 24 * time.Hour)
	if err := p.renew(t); err != nil {
		t.Fatal(err)
	}
	if now, _ := p.published(t); bytes.Count(now, []byte("BEGIN CERTIFICATE")) != 2 {
		t.Errorf("trusted, after a new authority:\n%s", now)
	}
	if err := p.served(t); err != nil {
		t.Errorf("the certificate of the new authority: %v", err)
	}
	registration := p.list(t, "config.karmada.io/v1alpha1", "ResourceInterpreterWebhookConfiguration")["argosy"]
	if err := p.objects.Delete(t.Context(), registration); err != nil {
		t.Fatal(err)
	}
	token := p.secret(t, install.KubeconfigSecret("argosy-webhook"))["token"]
	if err := p.renew(t); err == nil || !strings.Contains(err.Error(), "WebhookConfiguration argosy is gone: helm upgrade") {
		t.Errorf("a registration that was deleted: %v", err)
	}
	if bytes.Equal(token, p.secret(t, install.KubeconfigSecret("argosy-webhook"))["token"]) {
		t.Error("the webhook's token was not renewed")
	}
	p.install(t)
}

func (p *planes) newAuthority(t *testing.T) {
	bundle, _ := p.published(t)
	p.clock.Step(4 * 365 * 24 * time.Hour)
	installer := p.installer()
	if err := installer.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Between the two stages the old certificate is still what pods serve.
	before := p.secret(t, install.ServingSecret)[corev1.TLSCertKey]
	if err := installer.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	now, _ := p.published(t)
	if bytes.Count(now, []byte("BEGIN CERTIFICATE")) != 2 || !bytes.Contains(now, bytes.TrimSpace(bundle)) {
		t.Errorf("trusted before:\n%s\nnow:\n%s", bundle, now)
	}
	if bytes.Equal(before, p.secret(t, install.ServingSecret)[corev1.TLSCertKey]) {
		t.Error("the certificate of the old authority is still served")
	}
	if err := p.served(t); err != nil {
		t.Errorf("the certificate of the new authority: %v", err)
	}
}

// estimatorServices writes with the estimator's own token, as a stranger who got hold of it would.
func (p *planes) estimatorServices(t *testing.T) {
	karmadas := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "karmada-system", Name: "karmada-aggregated-apiserver"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "karmada-aggregated-apiserver.karmada-system.svc"},
	}
	if err := p.objects.Create(t.Context(), karmadas); err != nil {
		t.Fatal(err)
	}
	services := kubernetes.NewForConfigOrDie(p.as(t, "argosy-estimator")).CoreV1().Services("karmada-system")
	registrar := register.Registrar{
		Services: services, Target: register.Target{
			Prefix: "karmada-scheduler-estimator", Host: "argosy-estimator.argosy-system.svc", Port: 10352,
		},
	}
	// A policy is in force a moment after it is written.
	gomega.NewWithT(t).Eventually(func() error {
		_, err := services.Patch(t.Context(), karmadas.Name, types.MergePatchType, []byte(`{"spec":{"externalName":"evil.example"}}`),
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}).WithTimeout(machine.Patience).Should(gomega.MatchError(gomega.ContainSubstring("argosy-estimator writes Services")))
	for what, do := range map[string]func() error{
		"take a Service over by the label": func() error {
			_, err := services.Patch(t.Context(), karmadas.Name, types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"argosy-estimator"}},"spec":{"externalName":"evil.example"}}`),
				metav1.PatchOptions{})
			return err
		},
		"delete Karmada's": func() error { return services.Delete(t.Context(), karmadas.Name, metav1.DeleteOptions{}) },
		"make one of another type": func() error {
			_, err := services.Create(t.Context(), &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app.kubernetes.io/managed-by": "argosy-estimator"}},
				Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}},
			}, metav1.CreateOptions{})
			return err
		},
	} {
		if err := do(); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	for _, members := range [][]string{{"member1", "member2"}, {"member2"}} {
		if err := registrar.Sync(t.Context(), members); err != nil {
			t.Fatalf("registering %v: %v", members, err)
		}
		var names []string
		for name, service := range p.list(t, "v1", "Service", client.InNamespace("karmada-system"),
			client.HasLabels{"app.kubernetes.io/managed-by"}) {
			names = append(names, strings.TrimPrefix(name, "karmada-scheduler-estimator-"))
			if host, _, _ := unstructured.NestedString(service.Object, "spec", "externalName"); host != registrar.Target.Host {
				t.Errorf("%s leads to %s", name, host)
			}
		}
		slices.Sort(names)
		if diff := cmp.Diff(members, names); diff != "" {
			t.Errorf("registered (-want +got):\n%s", diff)
		}
	}
}

func (p *planes) estimatorOff(t *testing.T) {
	p.withoutEstimator = true
	p.install(t)
	for name := range p.versions(t) {
		if strings.Contains(name, "estimator") {
			t.Errorf("%s is left", name)
		}
	}
	if _, err := p.secrets.CoreV1().Secrets(hostNamespace).
		Get(t.Context(), "argosy-estimator-kubeconfig", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("its kubeconfig: %v, want none", err)
	}
	if p.list(t, "v1", "Service", client.InNamespace("karmada-system"))["karmada-aggregated-apiserver"] == nil {
		t.Error("Karmada's own Service is gone")
	}
	p.withoutEstimator = false
	p.install(t)
	services := kubernetes.NewForConfigOrDie(p.as(t, "argosy-estimator")).CoreV1().Services("karmada-system")
	gomega.NewWithT(t).Eventually(func() error {
		return (&register.Registrar{Services: services,
			Target: register.Target{Prefix: "karmada-scheduler-estimator", Host: "argosy-estimator.argosy-system.svc", Port: 10352}}).
			Sync(t.Context(), []string{"member1"})
	}).WithTimeout(machine.Patience).Should(gomega.Succeed())
}

func (p *planes) upgrade(t *testing.T) {
	for _, role := range []*rbacv1.ClusterRole{
		{
			ObjectMeta: metav1.ObjectMeta{
				Name: "argosy-of-an-earlier-version", Labels: map[string]string{"app.kubernetes.io/managed-by": install.Manager},
			},
		},
		{ObjectMeta: metav1.ObjectMeta{Name: "somebody-elses", Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}},
	} {
		if err := p.objects.Create(t.Context(), role); err != nil {
			t.Fatal(err)
		}
	}
	p.install(t)
	roles := p.list(t, "rbac.authorization.k8s.io/v1", "ClusterRole")
	if roles["argosy-of-an-earlier-version"] != nil || roles["somebody-elses"] == nil || roles["argosy-webhook"] == nil {
		t.Errorf("roles after an upgrade: %v", slices.Sorted(maps.Keys(roles)))
	}
}

// uninstallWithoutKarmada: a Karmada that was removed first keeps nobody from removing the host's part. Without the patience for it nothing
// is touched, and an answer, be it a refusal, is not an absence.
func (p *planes) uninstallWithoutKarmada(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := rest.CopyConfig(p.karmada.Config)
	gone.Host = "https://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	refused := rest.AnonymousClientConfig(p.karmada.Config)
	for name, tt := range map[string]struct {
		karmada  *rest.Config
		patience time.Duration
	}{"gone, and no patience": {gone, 0}, "there, and it refuses": {refused, time.Minute}} {
		installer := p.installer()
		installer.Karmada, installer.Options.KarmadaPatience = tt.karmada, tt.patience
		if err := installer.Uninstall(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
		p.secret(t, install.KubeconfigSecret("argosy-webhook"))
	}
	for _, karmada := range []*rest.Config{gone, nil} {
		installer := p.installer()
		installer.Karmada, installer.Options.KarmadaPatience = karmada, 2*time.Second
		p.out.Reset()
		if err := installer.Uninstall(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.out.String(), "left     everything in karmada-apiserver") {
			t.Errorf("nothing says what is left: %s", p.out.String())
		}
		secrets, err := p.secrets.CoreV1().Secrets(hostNamespace).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(secrets.Items) != 0 {
			t.Errorf("secrets left in the host cluster: %v, %v", secrets.Items, err)
		}
	}
	p.install(t)
}

func (p *planes) uninstall(t *testing.T) {
	users := []client.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: install.Namespace, Name: "a-users"}},
		cronHPA(),
	}
	for _, object := range users {
		if err := p.objects.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	would := p.rehearsedUninstall(t)
	installer := p.installer()
	var said strings.Builder
	installer.Out = &said
	if err := installer.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	rehearsed := strings.ReplaceAll(strings.Join(would, "\n")+"\n", "would delete", "deleted")
	if diff := cmp.Diff(rehearsed, said.String()); diff != "" || !strings.Contains(rehearsed, "deleted  ClusterRole ") {
		t.Errorf("uninstall (-rehearsed +done):\n%s", diff)
	}
	for _, object := range users {
		if err := p.objects.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil || object.GetDeletionTimestamp() != nil {
			t.Errorf("a user's %s is gone: %v", object.GetName(), err)
		}
	}
	for name := range p.versions(t) {
		if !strings.HasPrefix(name, "CustomResourceDefinition ") && name != "Namespace "+install.Namespace {
			t.Errorf("%s is left behind", name)
		}
	}
	secrets, err := p.secrets.CoreV1().Secrets(hostNamespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(secrets.Items) != 0 {
		t.Errorf("secrets left in the host cluster: %v, %v", secrets.Items, err)
	}
	p.emptyNamespace(t, users[0])
}

// emptyNamespace lets the namespace go once the user's object has gone.
func (p *planes) emptyNamespace(t *testing.T, last client.Object) {
	t.Helper()
	if err := p.objects.Delete(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if err := p.installer().Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{}
	err := p.objects.Get(t.Context(), client.ObjectKey{Name: install.Namespace}, namespace)
	// No controller empties namespaces here: it stays, marked.
	if !apierrors.IsNotFound(err) && namespace.DeletionTimestamp == nil {
		t.Errorf("the empty namespace is left behind: %v", err)
	}
}

func cronHPA() client.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "autoscaling.argosy.dev/v1alpha1", "kind": "CronHPA",
		"metadata": map[string]any{"namespace": "default", "name": "a-users"},
		"spec": map[string]any{
			"scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
			"rules":          []any{map[string]any{"name": "morning", "schedule": "0 8 * * *", "targetReplicas": int64(3)}},
		},
	}}
}
