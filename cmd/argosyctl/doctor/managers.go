package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/install"
)

const (
	// leaseLate is how old a leader's Lease may be: it is renewed every few seconds.
	leaseLate = time.Minute
	// unseenLong is how long a change may wait for somebody to look at it: one that lives looks within seconds.
	unseenLong = 2 * time.Minute
)

// Manager is what a member shows of argosy-member-manager: its Deployment, its Lease, and what the objects it acts on say. The three
// differ: it may run as a process of its own, under another name, or without leader election, and only the objects tell whether somebody
// acts.
type Manager struct {
	// Ready replicas of its Deployment; -1 where there is none of the name that argosyctl gives it.
	Ready int32
	// Lease of the leader; nil where there is none of the name it has by default.
	Lease *Leader
	// Held are the objects of acting kinds in the member, and Unseen those whose status does not speak of their generation.
	Held, Unseen int
	// Since is when the one that waits longest was changed; zero where none waits.
	Since time.Time
}

// Leader is who holds a Lease; an empty Holder has given it back.
type Leader struct {
	Holder  string
	Renewed time.Time
}

// lives is true of a manager that was seen alive, whatever its objects say.
func (m Manager) lives(now time.Time) bool {
	return m.Ready > 0 || m.Lease != nil && m.Lease.Holder != "" && now.Sub(m.Lease.Renewed) < leaseLate
}

// managerOf reads a member.
func managerOf(ctx context.Context, member client.Reader) (Manager, error) {
	out := Manager{Ready: -1}
	var deployment appsv1.Deployment
	switch err := member.Get(ctx, client.ObjectKey{Namespace: install.Namespace, Name: "argosy-member-manager"}, &deployment); {
	case err == nil:
		out.Ready = deployment.Status.ReadyReplicas
	case !apierrors.IsNotFound(err):
		return out, fmt.Errorf("reading Deployment argosy-member-manager: %w", err)
	}
	election := config.DefaultMemberManager().LeaderElection
	var lease coordinationv1.Lease
	switch err := member.Get(ctx, client.ObjectKey{Namespace: election.Namespace, Name: election.Name}, &lease); {
	case err == nil:
		out.Lease = &Leader{Holder: ptr.Deref(lease.Spec.HolderIdentity, ""), Renewed: ptr.Deref(lease.Spec.RenewTime, metav1.MicroTime{}).Time}
	case !apierrors.IsNotFound(err):
		return out, fmt.Errorf("reading Lease %s/%s: %w", election.Namespace, election.Name, err)
	}
	for _, kind := range acting {
		list, err := listOf(ctx, member, kind.WithVersion(memberVersion))
		if err != nil {
			return out, err
		}
		out.count(list.Items)
	}
	return out, nil
}

// count whom nobody looked at since they were changed last.
func (m *Manager) count(objects []unstructured.Unstructured) {
	for i := range objects {
		object := &objects[i]
		m.Held++
		seen, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration") // what is no number observed nothing
		if seen == object.GetGeneration() {
			continue
		}
		m.Unseen++
		if since := changed(object); m.Since.IsZero() || since.Before(m.Since) {
			m.Since = since
		}
	}
}

// changed is when somebody wrote the object last, but for its status.
func changed(object *unstructured.Unstructured) time.Time {
	last := object.GetCreationTimestamp().Time
	for _, field := range object.GetManagedFields() {
		if field.Subresource == "" && field.Time != nil && field.Time.After(last) {
			last = field.Time.Time
		}
	}
	return last
}

// memberManagers: without one nothing is made of a Component or a VMReplicaSet, and nothing says so.
func memberManagers(f Facts, now time.Time) []Finding {
	var out []Finding
	for cluster, why := range f.Hosting.Unasked {
		out = append(out, Finding{Severity: Warning, Object: "Cluster/" + cluster,
			Message: "whether argosy-member-manager runs there, and what it still holds of what was deleted, cannot be asked: " + why,
			Remedy:  "run doctor as somebody who may read the Clusters' Secrets, from where the members are reached"})
	}
	for cluster, bound := range f.Hosting.Bound {
		manager, asked := f.Hosting.Managers[cluster]
		if !asked {
			continue
		}
		if found := manager.judge(cluster, bound, now); found != nil {
			found.Object = "Cluster/" + cluster
			out = append(out, *found)
		}
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Message, b.Message))
	})
	return out
}

// judge what a member shows, where this many objects are dispatched to it; nil where somebody acts on them.
func (m Manager) judge(cluster string, bound int, now time.Time) *Finding {
	look := "look at Deployment argosy-member-manager in namespace " + install.Namespace + " of the member"
	add := "argosyctl install member-manager --context " + cluster + ", or take the cluster out of their policies"
	waited := now.Sub(m.Since)
	late := m.Unseen > 0 && waited >= unseenLong
	unseen := fmt.Sprintf("nobody looked at %d of %d Components and VM objects there since they were changed, the first %s ago",
		m.Unseen, m.Held, waited.Round(time.Second))
	switch {
	case m.lives(now) && late:
		return &Finding{Severity: Problem, Message: "argosy-member-manager runs there, and " + unseen,
			Remedy: "look at its log, and whether controllers.vm and controllers.component of its configuration are Enabled"}
	case m.lives(now):
		return nil
	case m.Ready == 0:
		return &Finding{Severity: Problem, Remedy: look,
			Message: fmt.Sprintf("no argosy-member-manager is ready there: the %d Components and VM objects of it stay as they are", bound)}
	case m.Lease != nil:
		return &Finding{Severity: Problem, Remedy: add, Message: fmt.Sprintf(
			"no argosy-member-manager leads there, the last did %s ago: the %d Components and VM objects of it stay as they are",
			now.Sub(m.Lease.Renewed).Round(time.Second), bound)}
	case late:
		return &Finding{Severity: Problem, Message: unseen + ", and argosy-member-manager is not seen", Remedy: add}
	case m.Held == 0:
		return &Finding{Severity: Problem, Remedy: add, Message: fmt.Sprintf(
			"%d Components and VM objects are dispatched there, the member holds none, and argosy-member-manager is not seen", bound)}
	}
	// Neither Deployment nor Lease, and each object was looked at since it was changed: who does so runs otherwise, as in the lab.
	return nil
}
