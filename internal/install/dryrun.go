package install

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/certificates"
)

// DryRun says what Prepare, Register or both of them would do, one line for each thing and its Fields, and does nothing: karmada-apiserver
// is asked what it would make of each object that is there, which needs the right to apply it.
func (i *Installer) DryRun(ctx context.Context, prepare, register bool) error {
	c, err := i.client()
	if err != nil {
		return err
	}
	objects, err := i.controlPlane()
	if err != nil {
		return err
	}
	if prepare {
		if err := i.wouldApply(ctx, c, objects); err != nil {
			return err
		}
		for _, part := range i.parts() {
			if err := i.wouldWrite(ctx, KubeconfigSecret(part.Program), "with a new token"); err != nil {
				return err
			}
		}
	}
	trust, err := i.wouldTrust(ctx, c)
	if err != nil || !register {
		return err
	}
	if len(trust) == 0 {
		i.say("would stop before the webhook is registered: cert-manager has not written Secret %s/%s yet", i.HostNamespace, ServingSecret)
		return nil
	}
	wanted, err := Registrations(i.Options.WebhookURL, trust)
	if err != nil {
		return err
	}
	if err := i.wouldApply(ctx, c, wanted); err != nil {
		return err
	}
	return i.wouldPrune(ctx, c, append(objects, wanted...))
}

// wouldApply says which objects are missing, and which would say something else, in which fields.
func (i *Installer) wouldApply(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		mark(object)
	}
	differences, err := compare(ctx, c, objects, saidAndMarked)
	if err != nil {
		return err
	}
	for _, d := range differences {
		if d.Missing {
			i.say("would create  %s", d.Object)
			continue
		}
		i.say("would change  %s", d.Object)
		if i.Fields == nil {
			continue
		}
		text, err := i.Fields(d.Before, d.After)
		if err != nil {
			return fmt.Errorf("showing what would change of %s: %w", d.Object, err)
		}
		for line := range strings.Lines(text) {
			i.say("%s", strings.TrimSuffix(line, "\n"))
		}
	}
	return nil
}

// wouldWrite says what becomes of a Secret of the host cluster that is written each time.
func (i *Installer) wouldWrite(ctx context.Context, name, how string) error {
	have, err := i.secret(ctx, name)
	if err != nil {
		return err
	}
	verb := "change"
	if have == nil {
		verb = "create"
	}
	i.say("would %s  Secret %s/%s of the host cluster, %s", verb, i.HostNamespace, name, how)
	return nil
}

// wouldTrust says which certificates would be made, and returns what karmada-apiserver would trust; nothing where only cert-manager knows.
func (i *Installer) wouldTrust(ctx context.Context, c client.Client) ([]byte, error) {
	published, err := published(ctx, c)
	if err != nil {
		return nil, err
	}
	serving, err := i.secret(ctx, ServingSecret)
	if err != nil {
		return nil, err
	}
	now := i.Clock.Now()
	if i.Options.WebhookCertificates == CertManager {
		return certificates.Trust(now, serving["ca.crt"], published), nil
	}
	secret, err := i.secret(ctx, AuthoritySecret)
	if err != nil {
		return nil, err
	}
	authority, reason, err := certificates.EnsureAuthority(certificates.Authority{
		Pair: certificates.Pair{Cert: secret[corev1.TLSCertKey], Key: secret[corev1.TLSPrivateKeyKey]}, Trust: secret["ca.crt"],
	}, now)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		i.say("would make    certificate authority: %s", reason)
	}
	have := certificates.Pair{Cert: serving[corev1.TLSCertKey], Key: serving[corev1.TLSPrivateKeyKey]}
	if _, reason, err = certificates.EnsureServing(have, authority, i.Options.WebhookNames, now); err != nil {
		return nil, err
	}
	if reason != "" {
		i.say("would make    serving certificate: %s", reason)
	}
	return certificates.Trust(now, authority.Trust, published), nil
}

// wouldPrune says what an earlier version installed and this one does not.
func (i *Installer) wouldPrune(ctx context.Context, c client.Client, wanted []*unstructured.Unstructured) error {
	surplus, err := i.surplus(ctx, c, wanted)
	if err != nil {
		return err
	}
	for _, object := range surplus {
		i.say("would delete  %s", describe(object))
	}
	return nil
}
