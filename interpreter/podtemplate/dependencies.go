package podtemplate

import (
	"slices"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"

	"github.com/argosy-dev/argosy/interpreter/field"
)

// Dependencies are the ConfigMaps, Secrets (pull secrets among them), ServiceAccounts and PersistentVolumeClaims the
// template at path cannot run without, in the order of kinds and names, each once. A volume whose name a claim
// template of the workload bears is left out: the workload makes that claim itself.
func Dependencies(object map[string]any, namespace string, claimTemplates []string, path ...string) ([]configv1alpha1.DependentObjectReference, error) {
	template, err := field.Map(object, path...)
	if err != nil {
		return nil, err
	}
	spec, err := field.Map(template, "spec")
	if err != nil {
		return nil, field.Under(err, path...)
	}
	found := references{}
	if err := found.pod(spec, claimTemplates); err != nil {
		return nil, field.Under(field.Under(err, "spec"), path...)
	}
	return found.list(namespace), nil
}

// ClaimTemplates are the names of the claim templates at path.
func ClaimTemplates(object map[string]any, path ...string) ([]string, error) {
	var names []string
	err := each(object, path, func(template map[string]any) error {
		name, err := field.String(template, "metadata", "name")
		names = append(names, name)
		return err
	})
	return names, err
}

const (
	configMap      = "ConfigMap"
	secret         = "Secret"
	serviceAccount = "ServiceAccount"
	claim          = "PersistentVolumeClaim"
)

// references are names by kind.
type references map[string][]string

func (r references) add(kind, name string) {
	if name != "" && !slices.Contains(r[kind], name) {
		r[kind] = append(r[kind], name)
	}
}

func (r references) list(namespace string) []configv1alpha1.DependentObjectReference {
	var out []configv1alpha1.DependentObjectReference
	for _, kind := range []string{configMap, secret, serviceAccount, claim} {
		slices.Sort(r[kind])
		for _, name := range r[kind] {
			out = append(out, configv1alpha1.DependentObjectReference{APIVersion: "v1", Kind: kind, Namespace: namespace, Name: name})
		}
	}
	return out
}

// at is a place in an object where the name of a dependency stands.
type at struct {
	kind string
	path []string
}

// Every place in a container, a volume and a projected source where Kubernetes' API has such a name.
var (
	inEnvironment = []at{
		{configMap, []string{"valueFrom", "configMapKeyRef", "name"}},
		{secret, []string{"valueFrom", "secretKeyRef", "name"}},
	}
	inEnvironmentFrom = []at{
		{configMap, []string{"configMapRef", "name"}},
		{secret, []string{"secretRef", "name"}},
	}
	inVolume = []at{
		{configMap, []string{"configMap", "name"}},
		{secret, []string{"secret", "secretName"}},
		{claim, []string{"persistentVolumeClaim", "claimName"}},
		{secret, []string{"azureFile", "secretName"}},
		{secret, []string{"cephfs", "secretRef", "name"}},
		{secret, []string{"cinder", "secretRef", "name"}},
		{secret, []string{"csi", "nodePublishSecretRef", "name"}},
		{secret, []string{"flexVolume", "secretRef", "name"}},
		{secret, []string{"iscsi", "secretRef", "name"}},
		{secret, []string{"rbd", "secretRef", "name"}},
		{secret, []string{"scaleIO", "secretRef", "name"}},
		{secret, []string{"storageos", "secretRef", "name"}},
	}
	inProjection = []at{
		{configMap, []string{"configMap", "name"}},
		{secret, []string{"secret", "name"}},
	}
)

func (r references) pod(spec map[string]any, claimTemplates []string) error {
	for _, kind := range []string{"initContainers", "containers", "ephemeralContainers"} {
		err := each(spec, []string{kind}, func(container map[string]any) error {
			if err := r.all(container, "env", inEnvironment); err != nil {
				return err
			}
			return r.all(container, "envFrom", inEnvironmentFrom)
		})
		if err != nil {
			return err
		}
	}
	err := each(spec, []string{"volumes"}, func(volume map[string]any) error {
		name, err := field.String(volume, "name")
		if err != nil || slices.Contains(claimTemplates, name) {
			return err
		}
		if err := r.in(volume, inVolume); err != nil {
			return err
		}
		projected, err := field.Map(volume, "projected")
		if err != nil {
			return err
		}
		return field.Under(r.all(projected, "sources", inProjection), "projected")
	})
	if err != nil {
		return err
	}
	if err := r.all(spec, "imagePullSecrets", []at{{secret, []string{"name"}}}); err != nil {
		return err
	}
	account, err := field.String(spec, "serviceAccountName")
	// Every namespace has the account "default" of itself.
	if account != "default" {
		r.add(serviceAccount, account)
	}
	return err
}

// all looks in every element of a list.
func (r references) all(holder map[string]any, name string, places []at) error {
	return each(holder, []string{name}, func(item map[string]any) error { return r.in(item, places) })
}

func (r references) in(object map[string]any, places []at) error {
	for _, place := range places {
		// Most volumes have one source of the twelve: look no further than its key.
		if _, ok := object[place.path[0]]; !ok {
			continue
		}
		name, err := field.String(object, place.path...)
		if err != nil {
			return err
		}
		r.add(place.kind, name)
	}
	return nil
}

// each visits the objects of a list; errors name the element.
func each(holder map[string]any, path []string, visit func(map[string]any) error) error {
	list, err := field.Slice(holder, path...)
	if err != nil {
		return err
	}
	for i, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return field.Errorf(field.Index(path, i), "want an object, have %v", item)
		}
		if err := visit(object); err != nil {
			return field.Under(err, field.Index(path, i)...)
		}
	}
	return nil
}
