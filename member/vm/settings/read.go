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

// CheckBoot says that the Secret of what a machine is given at its first boot is not there, or lacks its key.
func CheckBoot(ctx context.Context, reader client.Reader, namespace string, m *v1alpha1.Machine) error {
	if m.UserDataRef == nil {
		return nil
	}
	return check(ctx, reader, machineSecret{"machine.userDataRef", namespace, m.UserDataRef.Name, UserDataKey})
}

// CheckAccess says the same of the Secret by which a machine is logged into.
func CheckAccess(ctx context.Context, reader client.Reader, namespace string, m *v1alpha1.Machine) error {
	if m.Access == nil {
		return nil
	}
	return check(ctx, reader,
		machineSecret{"machine.access.privateKeyRef", namespace, m.Access.PrivateKeyRef.Name, corev1.SSHAuthPrivateKey})
}

// OfMachine says whether a machine names such Secrets at all.
func OfMachine(m *v1alpha1.Machine) bool { return m.UserDataRef != nil || m.Access != nil }

// machineSecret is a Secret that a field of a machine names, and the key that it is named for.
type machineSecret struct{ field, namespace, name, key string }

func check(ctx context.Context, reader client.Reader, of machineSecret) error {
	secret := &corev1.Secret{}
	if err := reader.Get(ctx, client.ObjectKey{Namespace: of.namespace, Name: of.name}, secret); err != nil {
		return fmt.Errorf("reading Secret %s (%s): %w", of.name, of.field, err)
	}
	if len(secret.Data[of.key]) == 0 {
		return fmt.Errorf("reading Secret %s (%s): %w: %s", of.name, of.field, ErrNoKey, of.key)
	}
	return nil
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
