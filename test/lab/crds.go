package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// CRDs is a folder of CustomResourceDefinitions, in a Go module or in the clone.
type CRDs struct {
	// Module is empty for a folder of the clone.
	Module string
	// NamedIn is the folder of the go.mod that names the module, if no program of the lab is built from it.
	NamedIn string
	Dir     string
	// Kinds are the ones to take; empty means all. An API server takes its time with each.
	Kinds []string
	// Optional folders may be missing, such as generated ones in a clone that has no kinds yet.
	Optional bool
}

// KarmadaCRDs are the kinds karmada-apiserver stores as CRDs (Cluster is not one of them).
func KarmadaCRDs() CRDs {
	return CRDs{Module: "github.com/karmada-io/karmada", Dir: "charts/karmada/_crds/bases"}
}

// KruiseCRDs are OpenKruise's kinds.
func KruiseCRDs() CRDs {
	return CRDs{Module: "github.com/openkruise/kruise", Dir: "config/crd/bases"}
}

// RolloutsCRDs are Kruise Rollout's kinds, without their conversion: clients use the stored version.
func RolloutsCRDs() CRDs { return CRDs{Module: rolloutsModule, Dir: "config/crd/bases"} }

// CertManagerCRDs are kinds of which the chart can make objects. Nothing of the operator itself runs here.
func CertManagerCRDs() CRDs {
	return CRDs{
		Module: "github.com/cert-manager/cert-manager", NamedIn: operators, Dir: "deploy/crds", Kinds: []string{"Certificate", "Issuer"},
	}
}

// PrometheusOperatorCRDs are its kinds; see CertManagerCRDs.
func PrometheusOperatorCRDs() CRDs {
	return CRDs{
		Module: "github.com/prometheus-operator/prometheus-operator", NamedIn: operators, Dir: "example/prometheus-operator-crd",
		Kinds: []string{"ServiceMonitor", "PrometheusRule"},
	}
}

const operators = "test/lab/modules/operators"

// CRDsWithin is how long CRDs may take to be served; a busy machine needs more than envtest's ten seconds.
const CRDsWithin = 10 * time.Minute

// crdsPoll is how often discovery is asked for CRDs meanwhile.
const crdsPoll = 100 * time.Millisecond

// ArgosyCRDs are the kinds of this repository.
func ArgosyCRDs() CRDs { return CRDs{Dir: "deploy/crds", Optional: true} }

func (c CRDs) path(ctx context.Context, root string) (string, error) {
	var err error
	base := root
	switch {
	case c.NamedIn != "":
		base, err = binaries.ModuleDirOf(ctx, root, c.NamedIn, c.Module)
	case c.Module != "":
		base, err = binaries.ModuleDir(ctx, root, c.Module)
	}
	return filepath.Join(base, c.Dir), err
}

// read returns every CRD below the folder.
func (c CRDs) read(ctx context.Context, root string) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	dir, err := c.path(ctx, root)
	if err != nil {
		return nil, err
	}
	var out []*apiextensionsv1.CustomResourceDefinition
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(content, crd); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		if crd.Kind == "CustomResourceDefinition" && (len(c.Kinds) == 0 || slices.Contains(c.Kinds, crd.Spec.Names.Kind)) {
			// Some projects keep their CRDs as parts of a chart, with templates for labels.
			maps.DeleteFunc(crd.Labels, func(_, value string) bool { return strings.Contains(value, "{{") })
			out = append(out, crd)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) && c.Optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading CRDs: %w", err)
	}
	return out, nil
}

func readCRDs(ctx context.Context, root string, sources ...CRDs) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, source := range sources {
		crds, err := source.read(ctx, root)
		if err != nil {
			return nil, err
		}
		all = append(all, crds...)
	}
	return all, nil
}

// InstallCRDs creates or updates the CRDs and waits until they are served.
func InstallCRDs(ctx context.Context, cfg *rest.Config, root string, sources ...CRDs) error {
	crds, err := readCRDs(ctx, root, sources...)
	if err != nil {
		return err
	}
	return installCRDs(cfg, crds)
}

func installCRDs(cfg *rest.Config, crds []*apiextensionsv1.CustomResourceDefinition) error {
	if _, err := envtest.InstallCRDs(Patient(cfg), envtest.CRDInstallOptions{CRDs: crds, MaxTime: CRDsWithin}); err != nil {
		return fmt.Errorf("installing CRDs: %w", err)
	}
	return nil
}

// memberKinds picks the kinds whose objects Karmada carries into members; the others belong to
// the control plane alone.
func memberKinds(crds []*apiextensionsv1.CustomResourceDefinition) []*apiextensionsv1.CustomResourceDefinition {
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, crd := range crds {
		switch crd.Spec.Group {
		case "vm.argosy.dev", "component.luojilab.com":
			out = append(out, crd)
		}
	}
	return out
}
