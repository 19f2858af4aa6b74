package interpreterlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/ports"
)

// Plane is a karmada plane with the webhook's rights installed and Argosy's programs built.
type Plane struct {
	*lab.APIServer
	Client client.Client
	// Bin holds argosy-webhook and argosyctl, built for this run.
	Bin string

	ports *ports.Pool
}

// NewPlane starts one; the caller closes it. repository is the root of the clone.
func NewPlane(ctx context.Context, repository string) (*Plane, error) {
	p := &Plane{}
	if err := p.start(ctx, repository); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Plane) start(ctx context.Context, repository string) error {
	var err error
	if p.Bin, err = os.MkdirTemp("", "argosy-bin-"); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", p.Bin+"/", "./cmd/argosy-webhook", "./cmd/argosyctl")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	if p.ports, err = ports.NewPool(); err != nil {
		return err
	}
	if p.APIServer, err = lab.NewAPIServer(ctx, lab.KarmadaPlane()); err != nil {
		return fmt.Errorf("starting an API server: %w", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, configv1alpha1.Install, workv1alpha2.Install, apiextensionsv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	if p.Client, err = client.New(p.Config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return p.installRights(ctx, filepath.Join(repository, "deploy/webhook/rbac.yaml"))
}

// Close stops what was started.
func (p *Plane) Close() {
	if p.APIServer != nil {
		p.APIServer.Close()
	}
	if p.ports != nil {
		p.ports.Close()
	}
	os.RemoveAll(p.Bin)
}

// installRights applies the manifest a user applies.
func (p *Plane) installRights(ctx context.Context, manifest string) error {
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	reader := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := reader.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = p.Client.Create(ctx, object)
		}
		if err != nil {
			return fmt.Errorf("installing %s: %w", manifest, err)
		}
	}
}
