package program

import (
	"context"
	"fmt"
	"os"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/internal/config"
)

// presence keeps the Lease of a program that elects no leader, as a kubelet keeps its node's: nothing waits for it, and argosyctl check
// sees by it that the program lives. It is given back when the program ends.
type presence struct {
	leases   kubernetes.Interface
	election config.LeaderElection
	holder   string
}

func newPresence(to *rest.Config, election config.LeaderElection) (*presence, error) {
	leases, err := kubernetes.NewForConfig(to)
	if err != nil {
		return nil, fmt.Errorf("building the client of Leases: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming the holder of the Lease: %w", err)
	}
	// As controller-runtime names leaders.
	return &presence{leases: leases, election: election, holder: host + "_" + string(uuid.NewUUID())}, nil
}

// NeedLeaderElection is false: there is none.
func (p *presence) NeedLeaderElection() bool { return false }

// Start renews until ctx ends, a few times in the Lease's own duration. It never fails: a program that cannot say that it lives lives.
func (p *presence) Start(ctx context.Context) error {
	duration := time.Duration(p.election.LeaseDurationSeconds) * time.Second
	lease.NewController(clock.RealClock{}, p.leases, p.holder, p.election.LeaseDurationSeconds, nil, duration/3,
		p.election.Name, p.election.Namespace, p.hold).Run(ctx)
	p.giveBack(context.WithoutCancel(ctx))
	return nil
}

// hold takes the Lease over from whoever had it: exactly one process runs.
func (p *presence) hold(l *coordinationv1.Lease) error {
	l.Name, l.Namespace, l.Spec.HolderIdentity = p.election.Name, p.election.Namespace, &p.holder
	return nil
}

// giveBack so that it shows at once that nobody is there. Who cannot is seen by the Lease's age.
func (p *presence) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	leases := p.leases.CoordinationV1().Leases(p.election.Namespace)
	held, err := leases.Get(ctx, p.election.Name, metav1.GetOptions{})
	if err != nil || ptr.Deref(held.Spec.HolderIdentity, "") != p.holder {
		return
	}
	held.Spec.HolderIdentity = ptr.To("")
	if _, err := leases.Update(ctx, held, metav1.UpdateOptions{}); err != nil && !apierrors.IsConflict(err) {
		klog.FromContext(ctx).Info("Did not give the Lease back",
			"lease", klog.KRef(p.election.Namespace, p.election.Name), "reason", err.Error())
	}
}
