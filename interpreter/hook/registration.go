package hook

import (
	"slices"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/interpreter/family"
)

// RegistrationName is the name of our ResourceInterpreterWebhookConfiguration.
const RegistrationName = "argosy"

// timeoutSeconds of one question. Karmada sets none by itself, and waits for ever then.
const timeoutSeconds = 5

// Registration makes Karmada ask us exactly what the families answer. deploy/webhook holds it as YAML.
func Registration(families []*family.Family,
	at admissionregistrationv1.WebhookClientConfig) *configv1alpha1.ResourceInterpreterWebhookConfiguration {
	out := &configv1alpha1.ResourceInterpreterWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: configv1alpha1.GroupVersion.String(), Kind: "ResourceInterpreterWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: RegistrationName},
	}
	for _, f := range families {
		webhook := configv1alpha1.ResourceInterpreterWebhook{
			Name:                       f.Name + ".interpreter.argosy.dev",
			ClientConfig:               at,
			TimeoutSeconds:             ptr.To[int32](timeoutSeconds),
			InterpreterContextVersions: []string{configv1alpha1.GroupVersion.Version},
		}
		for _, kind := range groupKinds(f) {
			webhook.Rules = append(webhook.Rules, configv1alpha1.RuleWithOperations{
				Operations: f.Operations(),
				Rule: configv1alpha1.Rule{
					APIGroups: []string{kind.Group}, APIVersions: []string{allVersions}, Kinds: []string{kind.Kind},
				},
			})
		}
		out.Webhooks = append(out.Webhooks, webhook)
	}
	return out
}

// allVersions makes Karmada ask in whichever version karmada-apiserver prefers.
const allVersions = "*"

// groupKinds are the family's kinds, each once.
func groupKinds(f *family.Family) []schema.GroupKind {
	var out []schema.GroupKind
	for _, kind := range f.Kinds {
		if !slices.Contains(out, kind.GroupKind()) {
			out = append(out, kind.GroupKind())
		}
	}
	return out
}
