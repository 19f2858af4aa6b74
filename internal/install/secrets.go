package install

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/certificates"
)

// Secrets of the host cluster. Each program mounts its own and no other.
const (
	// AuthoritySecret holds the key that signs; nothing but the installer reads it.
	AuthoritySecret = "argosy-ca"
	// ServingSecret holds the webhook's certificate.
	ServingSecret = "argosy-webhook-tls"
)

// KubeconfigSecret of a program holds "kubeconfig" and, beside it, the "token" it names.
func KubeconfigSecret(program string) string { return program + "-kubeconfig" }

// identities gives each program a kubeconfig with a token that ends. client-go reads the token's file again every
// minute, so a renewal needs no restart.
func (i *Installer) identities(ctx context.Context) error {
	karmada, err := kubernetes.NewForConfig(i.Karmada)
	if err != nil {
		return fmt.Errorf("reaching karmada-apiserver: %w", err)
	}
	for _, part := range i.parts() {
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: ptr.To(int64(i.Options.TokenLife.Seconds())),
		}}
		token, err := karmada.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, part.Program, request, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("asking karmada-apiserver for a token of %s: %w", part.Program, err)
		}
		kubeconfig, err := i.kubeconfig(part.Program)
		if err != nil {
			return err
		}
		data := map[string][]byte{"kubeconfig": kubeconfig, "token": []byte(token.Status.Token)}
		if err := i.writeSecret(ctx, KubeconfigSecret(part.Program), corev1.SecretTypeOpaque, data); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfig reaches the same server as ours, as another.
func (i *Installer) kubeconfig(program string) ([]byte, error) {
	authority := i.Karmada.CAData
	if len(authority) == 0 && i.Karmada.CAFile != "" {
		return nil,
			fmt.Errorf("the kubeconfig of karmada-apiserver names the file %s: embed it (certificate-authority-data), the programs' pods lack it",
				i.Karmada.CAFile)
	}
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["karmada"] = &clientcmdapi.Cluster{
		Server: i.Karmada.Host, CertificateAuthorityData: authority, TLSServerName: i.Karmada.ServerName,
	}
	// Relative to the kubeconfig: both come out of one Secret.
	cfg.AuthInfos[program] = &clientcmdapi.AuthInfo{TokenFile: "token"}
	cfg.Contexts["karmada"] = &clientcmdapi.Context{Cluster: "karmada", AuthInfo: program}
	cfg.CurrentContext = "karmada"
	out, err := clientcmd.Write(*cfg)
	if err != nil {
		return nil, fmt.Errorf("writing the kubeconfig of %s: %w", program, err)
	}
	return out, nil
}

// trust is what karmada-apiserver must believe: the present authority, and those it believed before that still last.
func (i *Installer) trust(ctx context.Context, c client.Client) ([]byte, error) {
	published, err := published(ctx, c)
	if err != nil {
		return nil, err
	}
	now := i.Clock.Now()
	if i.Options.WebhookCertificates == CertManager {
		secret, err := i.secret(ctx, ServingSecret)
		if err != nil {
			return nil, err
		}
		// In Prepare cert-manager may not have come to it yet; Register needs it.
		return certificates.Trust(now, secret["ca.crt"], published), nil
	}
	authority, err := i.authority(ctx)
	if err != nil {
		return nil, err
	}
	if err := i.firstServing(ctx, authority); err != nil {
		return nil, err
	}
	return certificates.Trust(now, authority.Trust, published), nil
}

// authority reads or makes ours.
func (i *Installer) authority(ctx context.Context) (certificates.Authority, error) {
	secret, err := i.secret(ctx, AuthoritySecret)
	if err != nil {
		return certificates.Authority{}, err
	}
	have := certificates.Authority{
		Pair:  certificates.Pair{Cert: secret[corev1.TLSCertKey], Key: secret[corev1.TLSPrivateKeyKey]},
		Trust: secret["ca.crt"],
	}
	authority, reason, err := certificates.EnsureAuthority(have, i.Clock.Now())
	if err != nil {
		return certificates.Authority{}, err
	}
	if reason != "" {
		i.say("made     certificate authority: %s", reason)
	}
	return authority, i.writeSecret(ctx, AuthoritySecret, corev1.SecretTypeTLS, map[string][]byte{
		corev1.TLSCertKey: authority.Cert, corev1.TLSPrivateKeyKey: authority.Key, "ca.crt": authority.Trust,
	})
}

// firstServing lets the webhook's pods start; a later certificate waits for serving.
func (i *Installer) firstServing(ctx context.Context, authority certificates.Authority) error {
	secret, err := i.secret(ctx, ServingSecret)
	if err != nil || len(secret[corev1.TLSCertKey]) > 0 {
		return err
	}
	return i.ensureServing(ctx, authority)
}

// serving renews the webhook's certificate when it is due.
func (i *Installer) serving(ctx context.Context) error {
	if i.Options.WebhookCertificates == CertManager {
		return nil
	}
	authority, err := i.authority(ctx)
	if err != nil {
		return err
	}
	return i.ensureServing(ctx, authority)
}

func (i *Installer) ensureServing(ctx context.Context, authority certificates.Authority) error {
	secret, err := i.secret(ctx, ServingSecret)
	if err != nil {
		return err
	}
	have := certificates.Pair{Cert: secret[corev1.TLSCertKey], Key: secret[corev1.TLSPrivateKeyKey]}
	pair, reason, err := certificates.EnsureServing(have, authority, i.Options.WebhookNames, i.Clock.Now())
	if err != nil {
		return err
	}
	if reason != "" {
		i.say("made     serving certificate: %s", reason)
	}
	return i.writeSecret(ctx, ServingSecret, corev1.SecretTypeTLS, map[string][]byte{
		corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key, "ca.crt": authority.Trust,
	})
}

// published is the trust in the registration that karmada-apiserver holds.
func published(ctx context.Context, c client.Client) ([]byte, error) {
	var out []byte
	for _, kind := range owned()[:3] {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := c.List(ctx, list, client.MatchingLabels{managedBy: Manager})
		if there, err := present(err); err != nil {
			return nil, fmt.Errorf("reading what is trusted in %ss: %w", kind.Kind, err)
		} else if !there {
			continue
		}
		for _, object := range list.Items {
			webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", describe(&object), err)
			}
			for _, item := range webhooks {
				webhook, _ := item.(map[string]any)
				encoded, _, _ := unstructured.NestedString(webhook, "clientConfig", "caBundle")
				if bundle, err := base64.StdEncoding.DecodeString(encoded); err == nil {
					out = append(out, bundle...)
				}
			}
		}
	}
	return out, nil
}

func (i *Installer) secret(ctx context.Context, name string) (map[string][]byte, error) {
	secret, err := i.Host.CoreV1().Secrets(i.HostNamespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s of the host cluster: %w", i.HostNamespace, name, err)
	}
	return secret.Data, nil
}

// writeSecret creates or updates; equal data is not written.
func (i *Installer) writeSecret(ctx context.Context, name string, kind corev1.SecretType, data map[string][]byte) error {
	secrets := i.Host.CoreV1().Secrets(i.HostNamespace)
	have, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: i.HostNamespace, Name: name, Labels: map[string]string{managedBy: Manager}},
			Type:       kind,
			Data:       data,
		}
		if _, err := secrets.Create(ctx, secret, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating Secret %s/%s of the host cluster: %w", i.HostNamespace, name, err)
		}
		i.say("created  Secret %s/%s of the host cluster", i.HostNamespace, name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Secret %s/%s of the host cluster: %w", i.HostNamespace, name, err)
	}
	if reflect.DeepEqual(have.Data, data) {
		return nil
	}
	have.Data = maps.Clone(data)
	if _, err := secrets.Update(ctx, have, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("updating Secret %s/%s of the host cluster: %w", i.HostNamespace, name, err)
	}
	i.say("changed  Secret %s/%s of the host cluster", i.HostNamespace, name)
	return nil
}
