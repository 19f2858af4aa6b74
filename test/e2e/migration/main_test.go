// Package migration tells the stories of a migration on a real federation: real Karmada, real OpenKruise,
// applications that were in the members before anyone thought of federating them.
package migration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
)

// What make test-compat plays these stories on.
var (
	karmada    = flag.String("karmada", "", "version of Karmada, such as 1.16; empty is the base's")
	kubernetes = flag.String("kubernetes", "", "version of the members' Kubernetes, such as 1.33; empty is the base's")
)

// world is the one federation all stories share; each has a namespace and a whitelist of its own.
var world struct {
	lab     *lab.Lab
	karmada client.Client
	members map[string]client.Client
	// wire is what the agent of the member in pull mode reaches the control plane through.
	wire wire
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// Stories that run in parallel wait for Karmada, not for this machine's two cores. Those that stop parts of the federation come first, one
	// by one.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	options := lab.DefaultOptions()
	options.Karmada, options.MemberKubernetes = *karmada, *kubernetes
	options.Nodes = []int{3, 3, 2}
	options.Pull, options.AgentRoute = []string{pulled}, world.wire.route
	options.Metrics = false
	options.Flags, options.Descheduler = awakeFlags, true
	options.Progress = os.Stderr
	federation, closeLab, err := lab.Run(context.Background(), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the federation:", err)
		return 1
	}
	code := 1
	defer func() { closeLab(code != 0) }()
	world.lab, world.members = federation, map[string]client.Client{}
	config, err := federation.Karmada()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return code
	}
	if world.karmada, err = newClient(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return code
	}
	for _, name := range federation.Members {
		config, err := federation.Config(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return code
		}
		if world.members[name], err = newClient(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return code
		}
	}
	code = lab.Judge(m)
	return code
}

func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, clusterv1alpha1.Install, policyv1alpha1.Install, workv1alpha1.Install,
		workv1alpha2.Install, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	config = lab.Patient(config)
	config.QPS, config.Burst = 200, 400
	config.WarningHandler = rest.NoWarnings{}
	return client.New(config, client.Options{Scheme: scheme})
}

// as a person who may approve.
func as(t *testing.T, user string) client.Client {
	t.Helper()
	config, err := world.lab.Karmada()
	if err != nil {
		t.Fatal(err)
	}
	impersonated, err := newClient(lab.Person(config, user, lab.Approver))
	if err != nil {
		t.Fatal(err)
	}
	return impersonated
}
