package podtemplate

import (
	"slices"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"

	"github.com/argosy-dev/argosy/interpreter/depend"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Dependencies are the ConfigMaps, Secrets (pull secrets among them), ServiceAccounts and PersistentVolumeClaims the
// template at path cannot run without, in the order of kinds and names, each once. A volume whose name a claim
// template of the workload bears is left out: the workload makes that claim itself.
func Dependencies(object map[string]any, namespace string, claimTemplates []string,
	path ...string) ([]configv1alpha1.DependentObjectReference, error) {
	template, err := field.Map(object, path...)
	if err != nil {
		return nil, err
	}
	spec, err := field.Map(template, "spec")
	if err != nil {
		return nil, field.Under(err, path...)
	}
	found := depend.On(namespace)
	if err := pod(found, spec, claimTemplates); err != nil {
		return nil, field.Under(field.Under(err, "spec"), path...)
	}
	return found.List(), nil
}

// ClaimTemplates are the names of the claim templates at path.
func ClaimTemplates(object map[string]any, path ...string) ([]string, error) {
	var names []string
	err := depend.Each(object, path, func(template map[string]any) error {
		name, err := field.String(template, "metadata", "name")
		names = append(names, name)
		return err
	})
	return names, err
}

// Every place in a container, a volume and a projected source where Kubernetes' API has such a name.
var (
	inEnvironment = []depend.Place{
		depend.ConfigMapAt("valueFrom", "configMapKeyRef", "name"),
		depend.SecretAt("valueFrom", "secretKeyRef", "name"),
	}
	inEnvironmentFrom = []depend.Place{
		depend.ConfigMapAt("configMapRef", "name"),
		depend.SecretAt("secretRef", "name"),
	}
	inVolume = []depend.Place{
		depend.ConfigMapAt("configMap", "name"),
		depend.SecretAt("secret", "secretName"),
		depend.ClaimAt("persistentVolumeClaim", "claimName"),
		depend.SecretAt("azureFile", "secretName"),
		depend.SecretAt("cephfs", "secretRef", "name"),
		depend.SecretAt("cinder", "secretRef", "name"),
		depend.SecretAt("csi", "nodePublishSecretRef", "name"),
		depend.SecretAt("flexVolume", "secretRef", "name"),
		depend.SecretAt("iscsi", "secretRef", "name"),
		depend.SecretAt("rbd", "secretRef", "name"),
		depend.SecretAt("scaleIO", "secretRef", "name"),
		depend.SecretAt("storageos", "secretRef", "name"),
	}
	inProjection = []depend.Place{
		depend.ConfigMapAt("configMap", "name"),
		depend.SecretAt("secret", "name"),
	}
)

// pod takes every name of a pod's spec.
func pod(found depend.References, spec map[string]any, claimTemplates []string) error {
	for _, kind := range []string{"initContainers", "containers", "ephemeralContainers"} {
		err := depend.Each(spec, []string{kind}, func(container map[string]any) error {
			if err := found.Each(container, []string{"env"}, inEnvironment...); err != nil {
				return err
			}
			return found.Each(container, []string{"envFrom"}, inEnvironmentFrom...)
		})
		if err != nil {
			return err
		}
	}
	err := depend.Each(spec, []string{"volumes"}, func(volume map[string]any) error {
		name, err := field.String(volume, "name")
		if err != nil || slices.Contains(claimTemplates, name) {
			return err
		}
		if err := found.In(volume, inVolume...); err != nil {
			return err
		}
		return found.Each(volume, []string{"projected", "sources"}, inProjection...)
	})
	if err != nil {
		return err
	}
	if err := found.Each(spec, []string{"imagePullSecrets"}, depend.SecretAt("name")); err != nil {
		return err
	}
	account, err := field.String(spec, "serviceAccountName")
	// Every namespace has the account "default" of itself.
	if account != "default" {
		found.Add(depend.ServiceAccount, account)
	}
	return err
}
