// Package migration tests the kinds of migration on a real API server: their samples, defaults and rules,
// what their roles allow, and the controller of whitelists. The controller of applications needs a real
// Karmada: test/e2e/migration.
package migration

import (
	"context"
	"fmt"
	"os"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	plane  client.Client
	config *rest.Config
	kinds  = runtime.NewScheme()
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, policyv1alpha1.Install, workv1alpha1.Install,
		workv1alpha2.Install, v1alpha1.AddToScheme} {
		if err := add(kinds); err != nil {
			fmt.Fprintln(os.Stderr, "building the scheme:", err)
			return 1
		}
	}
	server, err := lab.NewAPIServer(context.Background(), lab.KarmadaPlane())
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting an API server:", err)
		return 1
	}
	defer server.Close()
	config = server.Config
	if plane, err = client.New(lab.Patient(config), client.Options{Scheme: kinds}); err != nil {
		fmt.Fprintln(os.Stderr, "making a client:", err)
		return 1
	}
	return lab.Judge(m)
}
