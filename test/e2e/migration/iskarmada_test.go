package migration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/static"
)

type answer struct {
	IsKarmada  bool
	Management string
}

// answer of the webhook over HTTPS, to a service account with the publisher's role.
func (s *story) answer(app static.App) (answer, error) {
	s.Helper()
	token, err := publisherToken(s.Context())
	if err != nil {
		return answer{}, err
	}
	query := url.Values{"namespace": {app.Namespace}, "kind": {app.Kind}, "name": {app.Name}}
	target := world.lab.Endpoints["argosy/webhook is-karmada"] + "?" + query.Encode()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, target, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	config, err := world.lab.Karmada()
	if err != nil {
		return answer{}, err
	}
	// The lab has one authority.
	trust := x509.NewCertPool()
	if err := rest.LoadTLSFiles(config); err != nil {
		return answer{}, err
	}
	trust.AppendCertsFromPEM(config.CAData)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("HTTP %s", response.Status)
	}
	var out answer
	return out, json.NewDecoder(response.Body).Decode(&out)
}

// publisherToken is what CI/CD shows.
func publisherToken(ctx context.Context) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "publisher"}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "publisher"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "argosy-migration-publisher"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
	}
	for _, object := range []client.Object{account, binding} {
		if err := world.karmada.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return "", err
		}
	}
	asked := &authenticationv1.TokenRequest{}
	if err := world.karmada.SubResource("token").Create(ctx, account, asked); err != nil {
		return "", err
	}
	return asked.Status.Token, nil
}
