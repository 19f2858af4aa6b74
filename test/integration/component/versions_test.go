package component

import (
	"encoding/pem"
	"net/http/httptest"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/conversion"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/api/component/v1beta1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab"
)

// TestTwoVersions: a member that serves v1beta1 too shows the same object in both, stores one of them, and refuses what a version cannot
// say.
// It has a server of its own, since a change of a kind cuts off everybody who watches it.
func TestTwoVersions(t *testing.T) {
	t.Parallel()
	g, ctx := NewWithT(t), t.Context()
	server, err := lab.NewAPIServer(ctx, lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs()}})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(server.Close)
	kinds := runtime.NewScheme()
	g.Expect(v1alpha1.AddToScheme(kinds)).To(Succeed())
	g.Expect(v1beta1.AddToScheme(kinds)).To(Succeed())
	hook := httptest.NewTLSServer(conversion.NewWebhookHandler(kinds, conversion.NewRegistry()))
	t.Cleanup(hook.Close)
	c, err := client.New(lab.Patient(server.Config), client.Options{Scheme: kinds})
	g.Expect(err).NotTo(HaveOccurred())

	old := &v1alpha1.Component{}
	old.Namespace, old.Name = "default", "demo"
	old.Spec = v1alpha1.ComponentSpec{
		WorkloadType: v1alpha1.WorkloadDeployment, DevelopLanguage: "python", RunType: "server", Image: "python-demo:1", Port: 8080,
		Svc: v1alpha1.ServiceSpec{Type: "aliyun-slb"},
	}
	g.Expect(c.Create(ctx, old)).To(Succeed())
	beta := &v1beta1.Component{}
	g.Expect(c.Get(ctx, client.ObjectKeyFromObject(old), beta)).NotTo(Succeed(), "nobody serves v1beta1 who was not asked to")

	trust := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw})
	crd, err := install.BetaComponents(hook.URL, trust)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Apply(ctx, client.ApplyConfigurationFromUnstructured(crd), client.FieldOwner("test"), client.ForceOwnership)).To(Succeed())
	g.Eventually(func() error { return c.Get(ctx, client.ObjectKeyFromObject(old), beta) }, 3*time.Minute, "100ms").Should(Succeed())
	g.Expect(beta.Spec.Svc).To(Equal(v1beta1.ServiceSpec{
		Type: "LoadBalancer", LoadBalancer: &v1beta1.LoadBalancer{Provider: "aliyun-slb"},
	}))

	// Another provider, in the new words; the old ones say the same, and so does what is stored.
	beta.Spec.Svc.LoadBalancer.Provider = "luoji-slb"
	g.Expect(c.Update(ctx, beta)).To(Succeed())
	g.Expect(c.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
	g.Expect(old.Spec.Svc.Type).To(BeEquivalentTo("luoji-slb"))
	g.Expect(old.Spec.Image).To(Equal("python-demo:1"))

	raw := func(svc string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: fixture.Parse(t, "apiVersion: component.luojilab.com/v1beta1\n"+
			"kind: Component\nmetadata: {name: bad, namespace: default}\n"+
			"spec: {workloadType: Deployment, developLanguage: python, runType: server, image: i, port: 80, svc: "+svc+"}").Map()}
	}
	for svc, want := range map[string]string{
		"{type: aliyun-slb}": "Unsupported value",
		"{type: NodePort, loadBalancer: {provider: luoji-slb}}":    "loadBalancer needs type LoadBalancer",
		"{type: LoadBalancer, loadBalancer: {provider: nodeport}}": "is the name of a load balancer provider such as luoji-slb",
	} {
		g.Expect(c.Create(ctx, raw(svc), client.DryRunAll)).To(MatchError(ContainSubstring(want)))
	}

	// While nobody converts the stored version is served as before.
	hook.Close()
	g.Expect(c.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
	impatient, err := client.New(server.Config, client.Options{Scheme: kinds})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(impatient.Get(ctx, client.ObjectKeyFromObject(old), beta)).To(MatchError(ContainSubstring("conversion webhook")))
}
