package release

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// registry is an admission that writes the digest of an image in place of its tag, as policy engines do. What a tag names changes with
// moved.
type registry struct {
	*httptest.Server
	moved atomic.Int32
}

func (r *registry) digest(tag string) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", tag, r.moved.Load())))
}

func (r *registry) ServeHTTP(out http.ResponseWriter, request *http.Request) {
	var review admissionv1.AdmissionReview
	var deployment appsv1.Deployment
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(out, "no AdmissionReview", http.StatusBadRequest)
		return
	}
	if err := json.Unmarshal(review.Request.Object.Raw, &deployment); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	image := deployment.Spec.Template.Spec.Containers[0].Image
	if name, tag, ok := strings.Cut(image, ":"); ok && !strings.Contains(image, "@") {
		review.Response.PatchType = ptr.To(admissionv1.PatchTypeJSONPatch)
		review.Response.Patch = fmt.Appendf(nil,
			`[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"%s@sha256:%s"}]`, name, r.digest(tag))
	}
	if err := json.NewEncoder(out).Encode(review); err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
	}
}

// newRegistry is asked about the Deployments of a namespace, by a configuration of this name: the API server asks in the order of names.
func newRegistry(t *testing.T, name, namespace string) *registry {
	t.Helper()
	r := &registry{}
	r.Server = httptest.NewTLSServer(r)
	none := admissionregistrationv1.SideEffectClassNone
	fail := admissionregistrationv1.Fail
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "digests.example.org", SideEffects: &none, AdmissionReviewVersions: []string{"v1"}, FailurePolicy: &fail,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: ptr.To(r.URL),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"},
				},
			}},
		}},
	}
	if err := admin.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	// The server lives as long as the test binary: the API server asks it for a moment after its registration is gone.
	t.Cleanup(func() {
		NewWithT(t).Expect(admin.Delete(context.WithoutCancel(t.Context()), configuration)).To(Succeed())
	})
	return r
}

// tagsToDigests: what GitOps applies bears a tag, and an admission makes a digest of it, before ours is asked or after. The same tag again
// is no change; a tag that names something else is one, and is held.
func tagsToDigests(t *testing.T) {
	for _, name := range []string{"a-digests", "z-digests"} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			f := &federation{t: t, namespace: name, kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
			namespace(t, name)
			of := newRegistry(t, name, name)
			try := parse(t, strings.NewReplacer("APIVERSION", "apps/v1", "KIND", "Deployment", "NAMESPACE", name, "IMAGE", "v1").Replace(template))
			g.Eventually(func() string {
				tried := try.DeepCopy()
				g.Expect(admin.Create(t.Context(), tried, client.DryRunAll)).To(Succeed())
				return fmt.Sprint(tried.Object["spec"])
			}, machine.Patience, 100*time.Millisecond).Should(ContainSubstring("@sha256:"), "the API server asks it")

			c := controller()
			f.start(c, deploymentRelease)
			one := of.digest("v1")
			g.Expect(f.push("v2")).To(Succeed())
			held := f.turn(c)
			g.Expect(images(f)).To(Equal(of.digest("v2") + " " + one))
			for range 3 {
				g.Expect(f.push("v2")).To(Succeed())
				again := f.turn(c)
				g.Expect(again.Status.Dispatch).To(Equal(held.Status.Dispatch), "the same tag is no change")
				g.Expect(again.Status.History).To(Equal(held.Status.History))
			}
			g.Expect(reason(held, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))
			was := of.digest("v2")
			of.moved.Add(1)
			g.Expect(of.digest("v2")).NotTo(Equal(was))
			g.Expect(f.push("v2")).To(Succeed())
			moved := f.turn(c)
			g.Expect(moved.Status.Revision).NotTo(Equal(held.Status.Revision), "the tag names something else now")
			g.Expect(images(f)).To(Equal(of.digest("v2") + " " + one))
		})
	}
}
