// Package settings reads the ConfigMaps and Secrets that packages and machines name, by their names and from the API server itself:
// argosy-member-manager lists no Secrets (docs/decisions/0434-what-many-read-is-read-once.md).
package settings

import (
	"context"
	"errors"
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

// UserDataKey is the key of a machine's user data in the Secret that names it.
const UserDataKey = "userData"

// ErrNoKey is a Secret that lacks what it is named for.
var ErrNoKey = errors.New("the Secret lacks a key")

// CheckMachine says which Secret that the way onto a machine, or its first boot, needs is not there, or lacks its key.
func CheckMachine(ctx context.Context, reader client.Reader, namespace string, m *v1alpha1.Machine) error {
	for _, one := range machineSecrets(m) {
		secret := &corev1.Secret{}
		if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: one.name}, secret); err != nil {
			return fmt.Errorf("reading Secret %s (%s): %w", one.name, one.field, err)
		}
		if len(secret.Data[one.key]) == 0 {
			return fmt.Errorf("reading Secret %s (%s): %w: %s", one.name, one.field, ErrNoKey, one.key)
		}
	}
	return nil
}

// machineSecret is a Secret that a machine names, and the key that it is named for.
type machineSecret struct{ field, name, key string }

// OfMachine says whether a machine names such Secrets at all.
func OfMachine(m *v1alpha1.Machine) bool { return len(machineSecrets(m)) > 0 }

func machineSecrets(m *v1alpha1.Machine) []machineSecret {
	var out []machineSecret
	if m.UserDataRef != nil {
		out = append(out, machineSecret{"machine.userDataRef", m.UserDataRef.Name, UserDataKey})
	}
	if m.Access != nil {
		out = append(out, machineSecret{"machine.access.privateKeyRef", m.Access.PrivateKeyRef.Name, corev1.SSHAuthPrivateKey})
	}
	return out
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
