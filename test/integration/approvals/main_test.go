package approvals

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/approval"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/member/vm"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	plane  client.Client
	config *rest.Config
	kinds  = runtime.NewScheme()
	// kubeconfig is for programs.
	kubeconfig string
	hooks      *httptest.Server
	// asked counts the questions to the webhook.
	asked atomic.Int64
)

// Groups with a role each; the robot is a program that somebody made an approver.
const (
	editors = "argosy-edit"
	robot   = "system:serviceaccount:ci:robot"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, policyv1alpha1.Install, vmv1alpha1.AddToScheme} {
		if err := add(kinds); err != nil {
			fmt.Fprintln(os.Stderr, "building the scheme:", err)
			return 1
		}
	}
	ctx := context.Background()
	server, err := lab.NewAPIServer(ctx, lab.KarmadaPlane())
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting an API server:", err)
		return 1
	}
	defer server.Close()
	config, kubeconfig = server.Config, server.Kubeconfig
	if plane, err = client.New(lab.Patient(config), client.Options{Scheme: kinds}); err != nil {
		fmt.Fprintln(os.Stderr, "making a client:", err)
		return 1
	}
	mux := http.NewServeMux()
	for path, handler := range map[string]admission.Handler{
		vm.StampPath: &approval.Stamps{Clock: clock.RealClock{}}, vm.ApprovalsPath: approval.Checks{}, vm.ApproversPath: vm.Approvers(),
	} {
		mux.Handle(path, &admission.Webhook{Handler: handler})
	}
	hooks = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		mux.ServeHTTP(w, r)
	}))
	defer hooks.Close()
	if err := prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "registering:", err)
		return 1
	}
	return lab.Judge(m)
}

// prepare gives people their roles, and the API server what is shipped for the VM kinds.
func prepare(ctx context.Context) error {
	if err := lab.GrantPeople(ctx, config); err != nil {
		return err
	}
	bindings := []*rbacv1.ClusterRoleBinding{
		{
			ObjectMeta: metav1.ObjectMeta{Name: "editors"}, RoleRef: role(editors), Subjects: []rbacv1.Subject{
				{APIGroup: rbacv1.GroupName, Kind: "Group", Name: editors},
			},
		},
		{
			// Who may edit a namespace may view it.
			ObjectMeta: metav1.ObjectMeta{Name: "viewers"}, RoleRef: role("argosy-view"), Subjects: []rbacv1.Subject{
				{APIGroup: rbacv1.GroupName, Kind: "Group", Name: editors},
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "robot"}, RoleRef: role(lab.VMApprover), Subjects: []rbacv1.Subject{
				{Kind: "ServiceAccount", Namespace: "ci", Name: "robot"},
			},
		},
	}
	for _, binding := range bindings {
		if err := plane.Create(ctx, binding); err != nil {
			return err
		}
	}
	trust := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hooks.Certificate().Raw})
	objects, err := install.Registrations(hooks.URL, trust)
	if err != nil {
		return err
	}
	registered := 0
	for _, object := range objects {
		if object.GetName() != "argosy-vm" && !strings.HasPrefix(object.GetName(), "argosy-vm-") {
			continue
		}
		lab.WaitLonger(object)
		if err := plane.Create(ctx, object); err != nil {
			return err
		}
		registered++
	}
	if registered != 6 {
		return fmt.Errorf("%d registrations, want two of webhooks, two policies and their bindings", registered)
	}
	return nil
}

func role(name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
}

// as a person of a role, or a program.
func as(t *testing.T, user, role string) client.Client {
	t.Helper()
	person := lab.Person(config, user, role)
	if user == robot {
		person.Impersonate.Groups = nil
	}
	out, err := client.New(person, client.Options{Scheme: kinds, Mapper: plane.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
