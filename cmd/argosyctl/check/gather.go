package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/names"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/estimator/register"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/install"
)

// Facts are what was read. An Err says that the facts beside it are not known.
type Facts struct {
	// Client is the version of this argosyctl, APIServer the Kubernetes version of karmada-apiserver.
	Client, APIServer string
	// Unreachable is why karmada-apiserver does not answer.
	Unreachable error
	// Served are the groups and versions that karmada-apiserver serves, and Kruise whether CloneSet is among its kinds.
	Served map[string]bool
	Kruise bool
	// Administrator: the user may do everything.
	Administrator bool
	RightsErr     error
	Members       []Member
	MembersErr    error
	// Differences between what is installed and what this argosyctl carries, of Compared objects.
	Differences    []install.Difference
	Compared       int
	DifferencesErr error
	// Lease of the controllers' leader, nil when there is none.
	Lease    *Lease
	LeaseErr error
	// Estimated are the members for which argosy-estimator has registered a Service.
	Estimated []string
	// Deaf are host:port of such Services where the connection is refused. What cannot be reached from here is not among them: those names
	// are of the host cluster.
	Deaf         []string
	EstimatorErr error
	Host         Host
}

// Member cluster.
type Member struct {
	Name  string
	Ready bool
}

// Lease of a leader.
type Lease struct {
	Holder  string
	Renewed time.Time
}

// Host cluster, where the programs run.
type Host struct {
	// Asked is false where nobody said how to reach it.
	Asked     bool
	Err       error
	Version   string
	Namespace string
	Programs  []Program
	// Values of the chart, and the Secrets by name that they may mean: before an installation alone.
	Values  Values
	Secrets map[string]Secret
}

// needed are the groups by which a karmada-apiserver is known.
var needed = []string{"cluster.karmada.io/v1alpha1", "config.karmada.io/v1alpha1", "policy.karmada.io/v1alpha1", "work.karmada.io/v1alpha2"}

// Karmada reports whether this is a karmada-apiserver.
func (f Facts) Karmada() bool { return len(f.missingKinds()) == 0 }

func (f Facts) missingKinds() []string {
	var out []string
	for _, group := range needed {
		if !f.Served[group] {
			out = append(out, group)
		}
	}
	return out
}

// Plane is a karmada-apiserver. The client's scheme knows Kubernetes' kinds and Karmada's.
type Plane struct {
	Client    client.Client
	Discovery discovery.DiscoveryInterface
}

// Gather reads what the checks need; before an installation, nothing of Argosy is read.
func (p Plane) Gather(ctx context.Context, before bool) Facts {
	facts := Facts{Served: map[string]bool{}}
	version, err := p.Discovery.ServerVersion()
	if err != nil {
		facts.Unreachable = err
		return facts
	}
	facts.APIServer = version.GitVersion
	// An aggregated group that is down leaves the others known.
	_, lists, err := p.Discovery.ServerGroupsAndResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		facts.Unreachable = err
		return facts
	}
	for _, list := range lists {
		facts.Served[list.GroupVersion] = true
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		facts.Kruise = facts.Kruise || err == nil && group.Group == "apps.kruise.io" &&
			slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == "CloneSet" })
	}
	if !facts.Karmada() {
		return facts
	}
	facts.Members, facts.MembersErr = p.members(ctx)
	if before {
		facts.Administrator, facts.RightsErr = p.administrator(ctx)
		return facts
	}
	facts.Differences, facts.Compared, facts.DifferencesErr = p.differences(ctx)
	facts.Lease, facts.LeaseErr = p.lease(ctx)
	facts.Estimated, facts.Deaf, facts.EstimatorErr = p.estimated(ctx, facts.Members)
	return facts
}

func (p Plane) members(ctx context.Context) ([]Member, error) {
	var list clusterv1alpha1.ClusterList
	if err := p.Client.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing Clusters: %w", err)
	}
	out := make([]Member, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, Member{Name: list.Items[i].Name, Ready: util.IsClusterReady(&list.Items[i].Status)})
	}
	return out, nil
}

func (p Plane) administrator(ctx context.Context) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
	}}
	if err := p.Client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking for one's own rights: %w", err)
	}
	return review.Status.Allowed, nil
}

func (p Plane) differences(ctx context.Context) ([]install.Difference, int, error) {
	kept, err := install.Kept()
	if err != nil {
		return nil, 0, err
	}
	found, err := install.Compare(ctx, p.Client, kept)
	return found, len(kept), err
}

// lease is read where argosy-controller-manager keeps it unless its configuration says otherwise.
func (p Plane) lease(ctx context.Context) (*Lease, error) {
	election := config.DefaultControllerManager().LeaderElection
	var lease coordinationv1.Lease
	err := p.Client.Get(ctx, types.NamespacedName{Namespace: election.Namespace, Name: election.Name}, &lease)
	if apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading Lease %s/%s: %w", election.Namespace, election.Name, err)
	}
	out := &Lease{Holder: ptr.Deref(lease.Spec.HolderIdentity, "")}
	if lease.Spec.RenewTime != nil {
		out.Renewed = lease.Spec.RenewTime.Time
	}
	return out, nil
}

// estimated are the members whose Service of the name that karmada-scheduler looks for is argosy-estimator's, and where nobody listens.
func (p Plane) estimated(ctx context.Context, members []Member) (registered, deaf []string, err error) {
	var list corev1.ServiceList
	if err := p.Client.List(ctx, &list, client.InNamespace(names.NamespaceKarmadaSystem),
		client.MatchingLabels{"app.kubernetes.io/managed-by": register.Manager}); err != nil {
		return nil, nil, fmt.Errorf("listing the estimator's Services: %w", err)
	}
	services, targets := map[string]bool{}, map[string]bool{}
	for i := range list.Items {
		services[list.Items[i].Name] = true
		for _, port := range list.Items[i].Spec.Ports {
			targets[net.JoinHostPort(list.Items[i].Spec.ExternalName, strconv.Itoa(int(port.Port)))] = true
		}
	}
	prefix := config.DefaultEstimator().Registration.ServicePrefix
	for _, member := range members {
		if services[names.GenerateEstimatorServiceName(prefix, member.Name)] {
			registered = append(registered, member.Name)
		}
	}
	for address := range targets {
		if refused(ctx, address) {
			deaf = append(deaf, address)
		}
	}
	slices.Sort(deaf)
	return registered, deaf, nil
}

// refused says that a machine answers, and that no process listens there.
func refused(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: 3 * time.Second}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	_ = connection.Close() // nothing was sent
	return false
}
