package install

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Renewer is the account of the hourly job. Its rights are what time demands: tokens of the programs, and what the registrations trust.
const Renewer = "argosy-renew"

// +kubebuilder:rbac:groups="",namespace=argosy-system,resources=serviceaccounts/token,resourceNames=argosy-webhook;argosy-controller-manager;argosy-estimator;argosy-renew,verbs=create
// +kubebuilder:rbac:groups=config.karmada.io,resources=resourceinterpreterwebhookconfigurations,verbs=list
// +kubebuilder:rbac:groups=config.karmada.io,resources=resourceinterpreterwebhookconfigurations,resourceNames=argosy,verbs=get;patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations,verbs=list
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations,resourceNames=argosy-autoscalers;argosy-cronhpa;argosy-dispatch;argosy-fedhpa;argosy-migration;argosy-podscalein;argosy-release-templates;argosy-vm,verbs=get;patch

// Renew does what time demands: tokens, certificates, and the trust in them. It needs no administrator of karmada-apiserver; kinds, rights
// and registrations that somebody took away are Prepare's and Register's to put back. What fails of one keeps the other from nothing.
func (i *Installer) Renew(ctx context.Context) error {
	c, err := i.client()
	if err != nil {
		return err
	}
	return errors.Join(i.identities(ctx), i.renewTrust(ctx, c))
}

func (i *Installer) renewTrust(ctx context.Context, c client.Client) error {
	trust, err := i.known(ctx, c)
	if err != nil {
		return err
	}
	wanted, err := Registrations(i.Options.WebhookURL, trust)
	if err != nil {
		return err
	}
	for _, object := range wanted {
		if !strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			continue // it calls nobody, and trusts nobody
		}
		there := newObject(object.GetAPIVersion(), object.GetKind(), "", "")
		err := c.Get(ctx, client.ObjectKeyFromObject(object), there)
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("%s is gone: helm upgrade, or argosyctl install with an administrator's kubeconfig, puts it back", describe(object))
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", describe(object), err)
		}
		if err := i.apply(ctx, c, object); err != nil {
			return err
		}
	}
	// Only now may a certificate of a new authority be served: what trusts it is published.
	return i.serving(ctx)
}

// known is what karmada-apiserver must trust, of which there must be something.
func (i *Installer) known(ctx context.Context, c client.Client) ([]byte, error) {
	trust, err := i.trust(ctx, c)
	if err == nil && len(trust) == 0 {
		err = fmt.Errorf("no authority is known for the webhook's certificate: has cert-manager written Secret %s/%s?", i.HostNamespace,
			ServingSecret)
	}
	return trust, err
}
