package interpreterlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/deploy"
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
	options := lab.KarmadaPlane()
	options.CRDs = append(options.CRDs, lab.CRDs{Dir: "test/interpreterlab/crds"})
	if p.APIServer, err = lab.NewAPIServer(ctx, options); err != nil {
		return fmt.Errorf("starting an API server: %w", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, configv1alpha1.Install, workv1alpha1.Install, workv1alpha2.Install, apiextensionsv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	if p.Client, err = client.New(lab.Patient(p.Config), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return p.installRights(ctx)
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

// WebhookUser is whom argosy-webhook runs as.
const WebhookUser = "argosy-webhook"

// installRights grants the user what deploy/webhook/role.yaml says, and nothing else.
func (p *Plane) installRights(ctx context.Context) error {
	const manifest = "webhook/role.yaml"
	text, err := deploy.Files.ReadFile(manifest)
	if err != nil {
		return err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		return fmt.Errorf("reading deploy/%s: %w", manifest, err)
	}
	granted := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: WebhookUser}},
	}
	return errors.Join(p.Client.Create(ctx, role), p.Client.Create(ctx, granted))
}
