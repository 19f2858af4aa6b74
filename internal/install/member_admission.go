package install

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/certificates"
)

// Secrets of a member: the key that signs, which nobody but the installer reads, and the certificate that the program serves with.
const (
	memberAuthority = "argosy-member-manager-ca"
	memberTLS       = "argosy-member-manager-tls"
	memberWebhook   = "argosy-member-webhook"
	memberService   = memberWebhook + "." + Namespace + ".svc"
)

// MemberAdmission makes a member's API server ask argosy-member-manager at a URL about what people decide there.
func MemberAdmission(url string, trust []byte) ([]*unstructured.Unstructured, error) {
	objects, err := glob(memberManagerFolder + "/webhook.yaml")
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			continue
		}
		if err := pointAt(object, url, trust); err != nil {
			return nil, fmt.Errorf("pointing %s %s at %s: %w", object.GetKind(), object.GetName(), url, err)
		}
	}
	return objects, nil
}

// memberAdmission is the certificates, made or renewed, the registrations that trust them, and whom they trust. Their Service stands in
// them as it is.
func (i *Installer) memberAdmission(ctx context.Context, c client.Client) ([]*unstructured.Unstructured, []byte, error) {
	now := clock.RealClock{}.Now()
	stored, err := memberSecret(ctx, c, memberAuthority)
	if err != nil {
		return nil, nil, err
	}
	authority, reason, err := certificates.EnsureAuthority(certificates.Authority{
		Pair: certificates.Pair{Cert: stored[corev1.TLSCertKey], Key: stored[corev1.TLSPrivateKeyKey]}, Trust: stored["ca.crt"],
	}, now)
	if err != nil {
		return nil, nil, err
	}
	if reason != "" {
		i.made("certificate authority", reason)
	}
	if stored, err = memberSecret(ctx, c, memberTLS); err != nil {
		return nil, nil, err
	}
	serving, reason, err := certificates.EnsureServing(
		certificates.Pair{Cert: stored[corev1.TLSCertKey], Key: stored[corev1.TLSPrivateKeyKey]}, authority, []string{memberService}, now)
	if err != nil {
		return nil, nil, err
	}
	if reason != "" {
		i.made("serving certificate", reason)
	}
	registrations, err := glob(memberManagerFolder + "/webhook.yaml")
	if err != nil {
		return nil, nil, err
	}
	for _, object := range registrations {
		if !strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			continue
		}
		if err := trustIn(object, authority.Trust); err != nil {
			return nil, nil, err
		}
	}
	return append([]*unstructured.Unstructured{
		tlsSecret(memberAuthority, authority.Pair, authority.Trust), tlsSecret(memberTLS, serving, authority.Trust),
	}, registrations...), authority.Trust, nil
}

func memberSecret(ctx context.Context, c client.Client, name string) (map[string][]byte, error) {
	object := newObject("v1", "Secret", Namespace, name)
	if err := c.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	encoded, _, err := unstructured.NestedStringMap(object.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	out := map[string][]byte{}
	for key, value := range encoded {
		if out[key], err = base64.StdEncoding.DecodeString(value); err != nil {
			return nil, fmt.Errorf("reading Secret %s: %w", name, err)
		}
	}
	return out, nil
}

func tlsSecret(name string, pair certificates.Pair, trust []byte) *unstructured.Unstructured {
	out := newObject("v1", "Secret", Namespace, name)
	out.Object["type"] = string(corev1.SecretTypeTLS)
	out.Object["data"] = map[string]any{
		corev1.TLSCertKey: base64.StdEncoding.EncodeToString(pair.Cert), corev1.TLSPrivateKeyKey: base64.StdEncoding.EncodeToString(pair.Key),
		"ca.crt": base64.StdEncoding.EncodeToString(trust),
	}
	return out
}

// trustIn has the API server believe the authority at the Service that each webhook names.
func trustIn(object *unstructured.Unstructured, trust []byte) error {
	webhooks, found, err := unstructured.NestedSlice(object.Object, "webhooks")
	if err != nil || !found {
		return errors.Join(err, fmt.Errorf("%s has no webhooks", describe(object)))
	}
	for _, item := range webhooks {
		webhook, ok := item.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: webhooks must be a list of objects", describe(object))
		}
		if err := unstructured.SetNestedField(webhook, base64.StdEncoding.EncodeToString(trust), "clientConfig", "caBundle"); err != nil {
			return err
		}
	}
	return unstructured.SetNestedSlice(object.Object, webhooks, "webhooks")
}
