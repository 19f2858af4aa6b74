// Package settings reads the ConfigMaps and Secrets that packages and machines name, by their names and from the API server itself:
// argosy-member-manager lists no Secrets (docs/decisions/0434-what-many-read-is-read-once.md).
package settings

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/environment"
)

// +kubebuilder:rbac:groups="",resources=configmaps;secrets,verbs=get

// Read what packages of a namespace are wanted with. What is missing is named in the error.
func Read(ctx context.Context, reader client.Reader, namespace string, packages []v1alpha1.Package) ([]environment.Wanted, error) {
	out := make([]environment.Wanted, 0, len(packages))
	for _, p := range packages {
		w := environment.Wanted{Package: p}
		if ref := p.ConfigMapRef; ref != nil {
			config := &corev1.ConfigMap{}
			if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, config); err != nil {
				return nil, fmt.Errorf("reading ConfigMap %s of package %s: %w", ref.Name, p.Name, err)
			}
			w.Settings.ConfigMap = map[string][]byte{}
			for key, text := range config.Data {
				w.Settings.ConfigMap[key] = []byte(text)
			}
			for key, text := range config.BinaryData {
				w.Settings.ConfigMap[key] = text
			}
		}
		if ref := p.SecretRef; ref != nil {
			secret := &corev1.Secret{}
			if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, secret); err != nil {
				return nil, fmt.Errorf("reading Secret %s of package %s: %w", ref.Name, p.Name, err)
			}
			w.Settings.Secret = secret.Data
		}
		out = append(out, w)
	}
	return out, nil
}

// Any says whether packages have settings at all.
func Any(packages []v1alpha1.Package) bool {
	for _, p := range packages {
		if p.ConfigMapRef != nil || p.SecretRef != nil {
			return true
		}
	}
	return false
}
