package install

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// owned is every kind that Register and Uninstall may delete, what calls us first. Kinds of Argosy are not among them:
// deleting a CustomResourceDefinition deletes every object of it.
func owned() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "config.karmada.io", Version: "v1alpha1", Kind: "ResourceInterpreterWebhookConfiguration"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingWebhookConfiguration"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "MutatingWebhookConfiguration"},
		{Group: "config.karmada.io", Version: "v1alpha1", Kind: "ResourceInterpreterCustomization"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		{Version: "v1", Kind: "ServiceAccount"},
		// They bound the estimator's account, so they go after it.
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicy"},
	}
}

// apply takes over the fields we set from whoever set them before; others stay theirs.
func (i *Installer) apply(ctx context.Context, c client.Client, object *unstructured.Unstructured) error {
	mark(object)
	before := newObject(object.GetAPIVersion(), object.GetKind(), "", "")
	err := c.Get(ctx, client.ObjectKeyFromObject(object), before)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading %s: %w", describe(object), err)
	}
	created := apierrors.IsNotFound(err)
	wanted := object.DeepCopy()
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner(Manager), client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s: %w", describe(object), err)
	}
	switch {
	case created:
		i.say("created  %s", describe(object))
	case wanted.GetResourceVersion() != before.GetResourceVersion():
		i.say("changed  %s", describe(object))
	}
	return nil
}

// mark an object as ours.
func mark(object *unstructured.Unstructured) {
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[managedBy] = Manager
	object.SetLabels(labels)
}

// prune deletes what bears our label and is not wanted.
func (i *Installer) prune(ctx context.Context, c client.Client, wanted []*unstructured.Unstructured) error {
	surplus, err := i.surplus(ctx, c, wanted)
	if err != nil {
		return err
	}
	for _, object := range surplus {
		if err := c.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s: %w", describe(object), err)
		}
		i.deleted(describe(object))
	}
	return nil
}

// surplus is what bears our label and is not wanted, in the order in which it is to go.
func (i *Installer) surplus(ctx context.Context, c client.Client, wanted []*unstructured.Unstructured) (
	[]*unstructured.Unstructured, error) {
	keep := map[string]bool{}
	for _, object := range wanted {
		keep[describe(object)] = true
	}
	var out []*unstructured.Unstructured
	for _, kind := range owned() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := c.List(ctx, list, client.MatchingLabels{managedBy: Manager}); err != nil {
			return nil, fmt.Errorf("listing our %ss: %w", kind.Kind, err)
		}
		for k := range list.Items {
			if object := &list.Items[k]; !keep[describe(object)] {
				out = append(out, object)
			}
		}
	}
	return out, nil
}

// ensureNamespace makes a namespace of Karmada's that is not there yet, as karmadactl join would, so that a Role can be in it.
// It does not bear our label: it is Karmada's, and stays.
func (i *Installer) ensureNamespace(ctx context.Context, c client.Client, name string) error {
	if name == "" || name == Namespace {
		return nil
	}
	namespace := newObject("v1", "Namespace", "", name)
	err := c.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
	if apierrors.IsNotFound(err) {
		err = client.IgnoreAlreadyExists(c.Create(ctx, namespace))
	}
	if err != nil {
		return fmt.Errorf("having %s: %w", describe(namespace), err)
	}
	return nil
}

// waitEstablished returns when karmada-apiserver serves every kind.
func (i *Installer) waitEstablished(ctx context.Context, c client.Client) error {
	crds, err := CRDs()
	if err != nil {
		return err
	}
	for _, crd := range crds {
		if err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			if err := c.Get(ctx, client.ObjectKeyFromObject(crd), crd); err != nil {
				return false, err
			}
			return established(crd), nil
		}); err != nil {
			return fmt.Errorf("waiting until karmada-apiserver serves %s: %w", crd.GetName(), err)
		}
	}
	return nil
}

func established(crd *unstructured.Unstructured) bool {
	conditions, _, err := unstructured.NestedSlice(crd.Object, "status", "conditions")
	return err == nil && slices.ContainsFunc(conditions, func(item any) bool {
		condition, ok := item.(map[string]any)
		return ok && condition["type"] == "Established" && condition["status"] == "True"
	})
}

// waitServing asks the webhook as Karmada will, and takes any answer over TLS for one.
func (i *Installer) waitServing(ctx context.Context, trust []byte) error {
	if i.Options.WaitForWebhook == 0 {
		return nil
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trust)
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, time.Second, i.Options.WaitForWebhook, true, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.Options.WebhookURL, nil)
		if err != nil {
			return false, err
		}
		response, err := client.Do(request)
		if last = err; err != nil {
			return false, nil
		}
		return true, response.Body.Close()
	})
	if err != nil {
		return fmt.Errorf("waiting until argosy-webhook serves at %s: %w", i.Options.WebhookURL, errors.Join(err, last))
	}
	return nil
}

// present is true unless the server does not know the kind, or the object is not there.
func present(err error) (bool, error) {
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}

func describe(object *unstructured.Unstructured) string {
	name := object.GetName()
	if object.GetNamespace() != "" {
		name = object.GetNamespace() + "/" + name
	}
	return object.GetKind() + " " + name
}
