package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Namespace of karmada-apiserver that holds the programs' accounts and leases.
const Namespace = "argosy-system"

// Manager is the field manager and the value of the label of all that is installed.
const Manager = "argosy-install"

const managedBy = "app.kubernetes.io/managed-by"

// Where the webhook's certificate comes from.
const (
	// SelfManaged certificates are made and renewed here.
	SelfManaged = "SelfManaged"
	// CertManager writes the Secret; here its authority is published.
	CertManager = "CertManager"
)

// Options says what to install, and where its parts find each other.
type Options struct {
	// WebhookURL is where Karmada's components reach argosy-webhook.
	WebhookURL string
	// WebhookNames are the DNS names of a self-managed certificate.
	WebhookNames []string
	// WebhookCertificates is SelfManaged or CertManager.
	WebhookCertificates string
	// WaitForWebhook is how long Register waits until the webhook serves; 0 does not wait.
	WaitForWebhook time.Duration
	// Estimator says whether argosy-estimator is part of the installation.
	Estimator bool
	// Carry are the resources, as "networkpolicies.networking.k8s.io", of kinds that migrations carry beside the built-in ones.
	Carry []string
	// KarmadaPatience is how long Uninstall tries karmada-apiserver before it goes on without; 0 never does.
	KarmadaPatience time.Duration
	// TokenLife of the programs' tokens.
	TokenLife time.Duration
}

// Installer works on the two clusters of an installation.
type Installer struct {
	Options Options
	// Karmada reaches karmada-apiserver as an administrator, for Renew as Renewer. Nil only for Uninstall, where its kubeconfig is gone too.
	Karmada *rest.Config
	// Host reaches the namespace of the host cluster where the programs run.
	Host          kubernetes.Interface
	HostNamespace string
	Clock         clock.PassiveClock
	// Out hears one line for each thing that was changed.
	Out io.Writer
	// Rehearsal makes Uninstall, and that of a member, say what would be deleted, and delete nothing. Prepare and Register have DryRun.
	Rehearsal bool
	// Fields of what a dry run would change; nil: it names the objects alone.
	Fields Fields
	// told is what was deleted, or what a rehearsal would delete.
	told []string
}

// Prepare puts in place what the programs need before they start: kinds, rights, accounts and, in the host cluster,
// their Secrets. Karmada does not call the webhook yet.
func (i *Installer) Prepare(ctx context.Context) error {
	c, err := i.client()
	if err != nil {
		return err
	}
	objects, err := i.controlPlane()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := i.ensureNamespace(ctx, c, object.GetNamespace()); err != nil {
			return err
		}
		if err := i.apply(ctx, c, object); err != nil {
			return err
		}
	}
	if err := i.waitEstablished(ctx, c); err != nil {
		return err
	}
	if _, err := i.trust(ctx, c); err != nil {
		return err
	}
	return i.identities(ctx)
}

// Register makes Karmada call the webhook, which must be serving. Then it takes away what an earlier version installed and
// this one does not.
func (i *Installer) Register(ctx context.Context) error {
	c, err := i.client()
	if err != nil {
		return err
	}
	trust, err := i.known(ctx, c)
	if err != nil {
		return err
	}
	if err := i.waitServing(ctx, trust); err != nil {
		return err
	}
	wanted, err := Registrations(i.Options.WebhookURL, trust)
	if err != nil {
		return err
	}
	for _, object := range wanted {
		if err := i.apply(ctx, c, object); err != nil {
			return err
		}
	}
	// Only now may a certificate of a new authority be served: what trusts it is published.
	if err := i.serving(ctx); err != nil {
		return err
	}
	objects, err := i.controlPlane()
	if err != nil {
		return err
	}
	if err := i.prune(ctx, c, append(objects, wanted...)); err != nil {
		return err
	}
	if i.Options.Estimator {
		return nil
	}
	return i.withoutEstimator(ctx, c)
}

// controlPlane is what Prepare applies, in this order.
func (i *Installer) controlPlane() ([]*unstructured.Unstructured, error) {
	crds, err := CRDs()
	if err != nil {
		return nil, err
	}
	users, err := UserRoles()
	if err != nil {
		return nil, err
	}
	out := append(crds, newObject("v1", "Namespace", "", Namespace))
	out = append(out, users...)
	if i.Options.Estimator {
		bounds, err := Bounds()
		if err != nil {
			return nil, err
		}
		out = append(out, bounds...)
	}
	for _, part := range i.parts() {
		rights, err := Rights(part, Account(Namespace, part.Program))
		if err != nil {
			return nil, err
		}
		out = append(out, newObject("v1", "ServiceAccount", Namespace, part.Program))
		out = append(out, rights...)
	}
	return append(out, i.carried()...), nil
}

// carried are the rights to carry further kinds: those that the controllers have of the built-in ones.
func (i *Installer) carried() []*unstructured.Unstructured {
	if len(i.Options.Carry) == 0 {
		return nil
	}
	const name = ControllerManager + "-carried"
	role := newObject("rbac.authorization.k8s.io/v1", "ClusterRole", "", name)
	var rules []any
	for _, text := range i.Options.Carry {
		resource := schema.ParseGroupResource(text)
		rules = append(rules, map[string]any{
			"apiGroups": []any{resource.Group}, "resources": []any{resource.Resource},
			"verbs": []any{"get", "create", "update", "patch", "delete"},
		})
	}
	role.Object["rules"] = rules
	binding := newObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", name)
	binding.Object["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
	binding.Object["subjects"] = []any{Account(Namespace, ControllerManager)}
	return []*unstructured.Unstructured{role, binding}
}

// parts are those of this installation.
func (i *Installer) parts() []Part {
	return slices.DeleteFunc(Parts(), func(p Part) bool { return p.Program == estimator && !i.Options.Estimator })
}

// Validate names the option that cannot stand by its flag.
func (o Options) Validate() error {
	switch {
	case o.WebhookURL == "":
		return errors.New("--webhook-url is needed: where Karmada reaches argosy-webhook, such as https://argosy-webhook.argosy-system.svc:443")
	case o.WebhookCertificates != SelfManaged && o.WebhookCertificates != CertManager:
		return fmt.Errorf("--webhook-certificates %q: want %s or %s", o.WebhookCertificates, SelfManaged, CertManager)
	case o.WebhookCertificates == SelfManaged && len(o.WebhookNames) == 0:
		return errors.New("--webhook-names is needed for a self-managed certificate")
	case slices.ContainsFunc(o.Carry, isNoResource):
		return fmt.Errorf("--carry %s: want resources by name and group, such as networkpolicies.networking.k8s.io", strings.Join(o.Carry, ","))
	case o.TokenLife < 10*time.Minute:
		return fmt.Errorf("--token-life %s: karmada-apiserver issues none shorter than 10m", o.TokenLife)
	}
	return nil
}

// isNoResource says whether a text is not "resource.group", or "resource" of the core group.
func isNoResource(text string) bool {
	resource := schema.ParseGroupResource(text)
	return len(validation.IsDNS1123Label(resource.Resource)) > 0 ||
		resource.Group != "" && len(validation.IsDNS1123Subdomain(resource.Group)) > 0
}

func (i *Installer) client() (client.Client, error) {
	c, err := client.New(i.Karmada, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("reaching karmada-apiserver: %w", err)
	}
	if i.Rehearsal {
		return client.NewDryRunClient(c), nil
	}
	return c, nil
}

// deleted says that something is gone, or would be.
func (i *Installer) deleted(what string) {
	// In a rehearsal it is still there, and may be met again.
	if i.Rehearsal && slices.Contains(i.told, what) {
		return
	}
	i.told = append(i.told, what)
	if i.Rehearsal {
		i.say("would delete  %s", what)
		return
	}
	i.say("deleted  %s", what)
}

// made says that a certificate is new, or would be.
func (i *Installer) made(what, reason string) {
	if i.Rehearsal {
		i.say("would make    %s: %s", what, reason)
		return
	}
	i.say("made     %s: %s", what, reason)
}

func (i *Installer) say(format string, args ...any) {
	// The lines are for whoever reads along; the work does not depend on them.
	_, _ = fmt.Fprintf(i.Out, format+"\n", args...)
}
