package lab

import (
	"context"
	"fmt"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// kustomize builds a kustomization that lies in a Go module.
func (w *workspace) kustomize(ctx context.Context, module, dir string) ([]byte, error) {
	base, err := w.moduleDir(ctx, module)
	if err != nil {
		return nil, err
	}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	result, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Join(base, dir))
	if err != nil {
		return nil, fmt.Errorf("building %s of %s: %w", dir, module, err)
	}
	return result.AsYaml()
}

// parseCRDs reads a YAML stream of CustomResourceDefinitions.
func parseCRDs(manifests []byte) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	objects, err := manifest.Parse(manifests)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, u := range objects {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, crd); err != nil {
			return nil, fmt.Errorf("reading CRD %s: %w", u.GetName(), err)
		}
		out = append(out, crd)
	}
	return out, nil
}

// apply writes the objects as they are given, over whatever is there.
func apply(ctx context.Context, cfg *rest.Config, objects ...*unstructured.Unstructured) error {
	c, err := client.New(Patient(cfg), client.Options{})
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	for _, object := range objects {
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("argosy-lab"),
			client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func remove(ctx context.Context, cfg *rest.Config, objects ...*unstructured.Unstructured) error {
	c, err := client.New(Patient(cfg), client.Options{})
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	for _, object := range objects {
		if err := c.Delete(ctx, object); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}
