package migration

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/migration/iskarmada"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestIsKarmadaOverHTTPS: who shows a token of karmada-apiserver and has the role that ships gets an answer, and nobody else does.
func TestIsKarmadaOverHTTPS(t *testing.T) {
	g := NewWithT(t)
	if err := lab.GrantPeople(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	http1, err := rest.HTTPClientFor(config)
	g.Expect(err).NotTo(HaveOccurred())
	handler, err := iskarmada.Authorized(config, http1, logr.Discard(), iskarmada.Handler(plane))
	g.Expect(err).NotTo(HaveOccurred())
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "pipelines"}}
	g.Expect(plane.Create(t.Context(), home)).To(Succeed())
	token := func(name string, role string) string {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: home.Name, Name: name}}
		g.Expect(plane.Create(t.Context(), account)).To(Succeed())
		if role != "" {
			g.Expect(plane.Create(t.Context(), &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "pipelines-" + name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: home.Name, Name: name}},
			})).To(Succeed())
		}
		asked := &authenticationv1.TokenRequest{}
		g.Expect(plane.SubResource("token").Create(t.Context(), account, asked)).To(Succeed())
		return asked.Status.Token
	}
	for name, tc := range map[string]struct {
		token  string
		status int
		says   string
	}{
		"the publisher's role": {token: token("publisher", "argosy-migration-publisher"), status: http.StatusOK, says: `"management":"Static"`},
		"the viewer's role":    {token: token("viewer", "argosy-migration-viewer"), status: http.StatusOK, says: `"isKarmada":false`},
		"no role":              {token: token("nobody", ""), status: http.StatusForbidden, says: "system:serviceaccount:pipelines:nobody"},
		"no token":             {status: http.StatusUnauthorized},
		"a token of elsewhere": {
			token: "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", status: http.StatusUnauthorized, says: "the token is not taken",
		},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Eventually(func(g Gomega) {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
					server.URL+iskarmada.Path+"?namespace=shop-of-nobody&kind=Deployment&name=web", nil)
				g.Expect(err).NotTo(HaveOccurred())
				if tc.token != "" {
					request.Header.Set("Authorization", "Bearer "+tc.token)
				}
				response, err := server.Client().Do(request)
				g.Expect(err).NotTo(HaveOccurred())
				defer response.Body.Close()
				said, err := io.ReadAll(response.Body)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(response.StatusCode).To(Equal(tc.status), string(said))
				g.Expect(strings.TrimSpace(string(said))).To(ContainSubstring(tc.says))
			}, machine.Patience).Should(Succeed())
		})
	}
}
