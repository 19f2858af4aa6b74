package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Uninstall takes away what Prepare and Register put in place: first what makes Karmada call us, then rights and
// accounts, then the host cluster's Secrets. Kinds stay, with every object of theirs. With Options.KarmadaPatience a karmada-apiserver that
// gave no answer for so long is left as it is.
func (i *Installer) Uninstall(ctx context.Context) error {
	gone, err := i.karmadaGone(ctx)
	if err != nil {
		return err
	}
	if gone != nil {
		i.say("left     everything in karmada-apiserver, which gave no answer for %s (%v): should it come back, run argosyctl uninstall again, "+
			"for it still calls argosy-webhook", i.Options.KarmadaPatience, gone)
	} else if err := i.withoutKarmadasPart(ctx); err != nil {
		return err
	}
	names := []string{AuthoritySecret, ServingSecret}
	for _, part := range Parts() {
		names = append(names, KubeconfigSecret(part.Program))
	}
	for _, name := range names {
		if err := i.deleteSecret(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// withoutKarmadasPart takes away what is in karmada-apiserver.
func (i *Installer) withoutKarmadasPart(ctx context.Context) error {
	c, err := i.client()
	if err != nil {
		return err
	}
	if err := i.prune(ctx, c, nil); err != nil {
		return err
	}
	if err := i.withoutEstimator(ctx, c); err != nil {
		return err
	}
	return i.deleteNamespace(ctx, c)
}

// karmadaGone is why karmada-apiserver cannot be asked, once it could not for the whole of Options.KarmadaPatience; nil when it answers, be
// that with a refusal, or when there is no such patience.
func (i *Installer) karmadaGone(ctx context.Context) (gone, err error) {
	if i.Options.KarmadaPatience == 0 {
		return nil, nil
	}
	if i.Karmada == nil {
		return errors.New("there is no kubeconfig of it"), nil
	}
	short := rest.CopyConfig(i.Karmada)
	short.Timeout = 5 * time.Second
	asked, err := discovery.NewDiscoveryClientForConfig(short)
	if err != nil {
		return nil, fmt.Errorf("reaching karmada-apiserver: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, time.Second, i.Options.KarmadaPatience, true, func(context.Context) (bool, error) {
		_, gone = asked.ServerVersion()
		var refused apierrors.APIStatus
		return gone == nil || errors.As(gone, &refused), nil
	})
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return gone, nil
}

// deleteSecret leaves a Secret alone that someone else made, cert-manager for one.
func (i *Installer) deleteSecret(ctx context.Context, name string) error {
	secrets := i.Host.CoreV1().Secrets(i.HostNamespace)
	secret, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || (err == nil && secret.Labels[managedBy] != Manager) {
		return nil
	}
	if err == nil {
		err = secrets.Delete(ctx, name, i.deleteOptions())
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting Secret %s/%s of the host cluster: %w", i.HostNamespace, name, err)
	}
	i.deleted(fmt.Sprintf("Secret %s/%s of the host cluster", i.HostNamespace, name))
	return nil
}

func (i *Installer) deleteOptions() metav1.DeleteOptions {
	if i.Rehearsal {
		return metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}
	}
	return metav1.DeleteOptions{}
}

// deleteNamespace removes our namespace when nothing of a user's is in it.
func (i *Installer) deleteNamespace(ctx context.Context, c client.Client) error {
	namespace := newObject("v1", "Namespace", "", "")
	err := c.Get(ctx, client.ObjectKey{Name: Namespace}, namespace)
	if apierrors.IsNotFound(err) || (err == nil && namespace.GetLabels()[managedBy] != Manager) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", describe(namespace), err)
	}
	stranger, err := i.stranger(ctx)
	if err != nil {
		return err
	}
	if stranger != "" {
		i.say("left     %s: it holds %s", describe(namespace), stranger)
		return nil
	}
	if err := c.Delete(ctx, namespace); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s: %w", describe(namespace), err)
	}
	i.deleted(describe(namespace))
	return nil
}

// stranger names an object of our namespace that is neither ours nor made by Kubernetes for every namespace.
func (i *Installer) stranger(ctx context.Context) (string, error) {
	known := []string{"ServiceAccount default", "ConfigMap kube-root-ca.crt"}
	for _, part := range Parts() {
		known = append(known, "ServiceAccount "+part.Program, "Lease "+part.Program)
	}
	disco, err := discovery.NewDiscoveryClientForConfig(i.Karmada)
	if err != nil {
		return "", fmt.Errorf("reaching karmada-apiserver: %w", err)
	}
	objects, err := dynamic.NewForConfig(i.Karmada)
	if err != nil {
		return "", fmt.Errorf("reaching karmada-apiserver: %w", err)
	}
	// A group that does not answer might hide something: then the namespace stays.
	lists, err := disco.ServerPreferredNamespacedResources()
	if err != nil {
		return "", fmt.Errorf("asking what %s may hold: %w", Namespace, err)
	}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return "", err
		}
		for _, resource := range list.APIResources {
			if resource.Name == "events" || !slices.Contains(resource.Verbs, "list") {
				continue
			}
			found, err := objects.Resource(version.WithResource(resource.Name)).Namespace(Namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return "", fmt.Errorf("listing %s in %s: %w", resource.Name, Namespace, err)
			}
			if at := slices.IndexFunc(found.Items, func(object unstructured.Unstructured) bool {
				return !slices.Contains(known, object.GetKind()+" "+object.GetName())
			}); at >= 0 {
				return found.Items[at].GetKind() + " " + found.Items[at].GetName(), nil
			}
		}
	}
	return "", nil
}
