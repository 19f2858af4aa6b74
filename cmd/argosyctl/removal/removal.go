// Package removal says what members still hold of what was deleted, and what each waits for.
//
// Karmada deletes in members in the background: a VMReplicaSet that waits there for a person, or for its machines, is gone from the
// control plane, and its Work says nothing. It decides from the members' objects alone, and reads and writes nothing.
package removal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Deletion is an object of a member that was deleted and is not gone.
type Deletion struct {
	// Cluster is empty where a member was asked by itself.
	Cluster   string `json:"cluster,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Since is when it was deleted.
	Since metav1.Time `json:"since"`
	// WaitsFor says what, and Next what a person does about it; Next is empty where nothing is to be done.
	WaitsFor string `json:"waitsFor"`
	Next     string `json:"next,omitempty"`
	// ByPerson is true where it waits until a person does something.
	ByPerson bool `json:"byPerson"`
	// TemplateIsBack: the control plane has another object of that name, whose servers come only when this one is gone.
	TemplateIsBack bool `json:"templateIsBack,omitempty"`
}

// Member is what was read of one.
type Member struct {
	// Cluster is its name in the federation; empty where it was asked by itself.
	Cluster string
	Sets    []v1alpha1.VMReplicaSet
	Servers []v1alpha1.Server
	// Templates are the UIDs of the control plane's VMReplicaSets, by namespace and name.
	Templates map[types.NamespacedName]types.UID
}

// Deletions of a member, the oldest first.
func (m Member) Deletions() []Deletion {
	var out []Deletion
	for i := range m.Sets {
		if set := &m.Sets[i]; set.DeletionTimestamp != nil {
			out = append(out, m.ofSet(set))
		}
	}
	for i := range m.Servers {
		if server := &m.Servers[i]; server.DeletionTimestamp != nil && !m.setWaits(server) {
			out = append(out, m.ofServer(server))
		}
	}
	slices.SortStableFunc(out, func(a, b Deletion) int {
		return cmp.Or(a.Since.Compare(b.Since.Time), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func (m Member) ofSet(set *v1alpha1.VMReplicaSet) Deletion {
	out := Deletion{
		Cluster: m.Cluster, Kind: "VMReplicaSet", Namespace: set.Namespace, Name: set.Name, Since: *set.DeletionTimestamp,
	}
	uid, there := m.Templates[types.NamespacedName{Namespace: set.Namespace, Name: set.Name}]
	out.TemplateIsBack = there && string(uid) != set.Annotations[workv1alpha2.ResourceTemplateUIDAnnotation]
	servers := 0
	for i := range m.Servers {
		if metav1.IsControlledBy(&m.Servers[i], set) {
			servers++
		}
	}
	i := slices.IndexFunc(set.Status.PendingApprovals, func(p gatev1alpha1.PendingApproval) bool {
		return p.Gate == gatev1alpha1.GateRemoval
	})
	switch {
	case i >= 0:
		out.WaitsFor = fmt.Sprintf("a person at gate %s: %s", gatev1alpha1.GateRemoval, set.Status.PendingApprovals[i].Summary)
		out.Next, out.ByPerson = m.approve("vmrs/"+set.Name, set.Namespace), true
	case servers > 0:
		out.WaitsFor = fmt.Sprintf("%d servers, whose machines are being removed", servers)
	case slices.Contains(set.Finalizers, v1alpha1.FinalizerServers):
		out.WaitsFor = "argosy-member-manager, which has not looked at it yet"
		out.Next = manager
	default:
		out.WaitsFor, out.Next = foreign(set.Finalizers)
	}
	return out
}

// setWaits is true of a server whose set waits for a person: nothing is told of it that is not told of the set.
func (m Member) setWaits(server *v1alpha1.Server) bool {
	owner := metav1.GetControllerOf(server)
	return owner != nil && slices.ContainsFunc(m.Sets, func(set v1alpha1.VMReplicaSet) bool {
		return set.UID == owner.UID && set.DeletionTimestamp != nil && m.ofSet(&set).ByPerson
	})
}

func (m Member) ofServer(server *v1alpha1.Server) Deletion {
	out := Deletion{
		Cluster: m.Cluster, Kind: "Server", Namespace: server.Namespace, Name: server.Name, Since: *server.DeletionTimestamp,
	}
	task := deleting(server)
	switch {
	case len(server.Status.PendingApprovals) > 0:
		p := server.Status.PendingApprovals[0]
		out.WaitsFor = fmt.Sprintf("a person at gate %s: %s", p.Gate, p.Summary)
		out.Next, out.ByPerson = m.approve("server/"+server.Name, server.Namespace), true
	case task != nil && task.State == v1alpha1.TaskFailed:
		out.WaitsFor = fmt.Sprintf("a person: task %s failed for good: %s", task.Type, task.Message)
		out.Next, out.ByPerson = "mend that, or let the machine go: "+m.letGo(server), true
	case task != nil:
		out.WaitsFor = fmt.Sprintf("task %s, attempt %d", task.Type, task.Attempts)
		if task.Message != "" {
			out.WaitsFor += ": " + task.Message
		}
	case slices.Contains(server.Finalizers, v1alpha1.FinalizerMachine):
		out.WaitsFor = "argosy-member-manager, which has not looked at it yet"
		out.Next = manager
	default:
		out.WaitsFor, out.Next = foreign(server.Finalizers)
	}
	return out
}

// deleting is the task that is under way or failed; nil: none.
func deleting(server *v1alpha1.Server) *v1alpha1.Task {
	for i := range server.Status.Tasks {
		switch task := &server.Status.Tasks[i]; task.State {
		case v1alpha1.TaskFailed, v1alpha1.TaskRunning, v1alpha1.TaskPending:
			return task
		}
	}
	return nil
}

// in is how a command names the member.
func (m Member) in(namespace string) string {
	if m.Cluster == "" {
		return " -n " + namespace
	}
	return " --member " + m.Cluster + " -n " + namespace
}

func (m Member) approve(what, namespace string) string {
	return "argosyctl vm approve " + what + m.in(namespace)
}

func (m Member) letGo(server *v1alpha1.Server) string {
	return fmt.Sprintf("argosyctl vm override %s --state %s --skip %s --reason ...%s", server.Name, v1alpha1.ServerOffline,
		v1alpha1.TaskDeleteMachine, m.in(server.Namespace))
}

const manager = "see that argosy-member-manager runs there (namespace argosy-system)"

func foreign(finalizers []string) (waits, next string) {
	return "finalizers of somebody else's: " + strings.Join(finalizers, ", "), "ask whoever put them there"
}
