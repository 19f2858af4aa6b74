package removal

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

var noon = metav1.NewTime(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))

func deletedSet(change func(*v1alpha1.VMReplicaSet)) v1alpha1.VMReplicaSet {
	set := v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "payments", UID: "set", DeletionTimestamp: &noon, Finalizers: []string{v1alpha1.FinalizerServers},
		Annotations: map[string]string{"resourcetemplate.karmada.io/uid": "old"},
	}}
	change(&set)
	return set
}

func server(change func(*v1alpha1.Server)) v1alpha1.Server {
	server := v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "payments-1", DeletionTimestamp: &noon, Finalizers: []string{v1alpha1.FinalizerMachine},
		OwnerReferences: []metav1.OwnerReference{{Kind: "VMReplicaSet", Name: "payments", UID: "set", Controller: ptr.To(true)}},
	}}
	change(&server)
	return server
}

func asked(set *v1alpha1.VMReplicaSet) {
	set.Status.PendingApprovals = []gatev1alpha1.PendingApproval{{Gate: "removal", OperationID: "op-1", Summary: "1 servers are removed"}}
}

func TestDeletions(t *testing.T) {
	tests := map[string]struct {
		member Member
		want   []string
	}{
		"nothing was deleted": {member: Member{
			Sets:    []v1alpha1.VMReplicaSet{deletedSet(func(s *v1alpha1.VMReplicaSet) { s.DeletionTimestamp = nil })},
			Servers: []v1alpha1.Server{server(func(s *v1alpha1.Server) { s.DeletionTimestamp = nil })},
		}},
		"a set asks, and its servers with it": {
			member: Member{
				Cluster: "member1", Sets: []v1alpha1.VMReplicaSet{deletedSet(asked)}, Servers: []v1alpha1.Server{server(func(*v1alpha1.Server) {})},
			},
			want: []string{"VMReplicaSet payments waits for a person at gate removal: 1 servers are removed; " +
				"argosyctl vm approve vmrs/payments --member member1 -n shop"},
		},
		"the template is back": {
			member: Member{
				Sets:      []v1alpha1.VMReplicaSet{deletedSet(asked)},
				Templates: map[types.NamespacedName]types.UID{{Namespace: "shop", Name: "payments"}: "new"},
			},
			want: []string{"VMReplicaSet payments waits for a person at gate removal: 1 servers are removed; " +
				"argosyctl vm approve vmrs/payments -n shop (template is back)"},
		},
		"the template was never deleted": {
			member: Member{
				Sets:      []v1alpha1.VMReplicaSet{deletedSet(asked)},
				Templates: map[types.NamespacedName]types.UID{{Namespace: "shop", Name: "payments"}: "old"},
			},
			want: []string{"VMReplicaSet payments waits for a person at gate removal: 1 servers are removed; " +
				"argosyctl vm approve vmrs/payments -n shop"},
		},
		"machines are being removed": {
			member: Member{
				Sets: []v1alpha1.VMReplicaSet{deletedSet(func(*v1alpha1.VMReplicaSet) {})},
				Servers: []v1alpha1.Server{server(func(s *v1alpha1.Server) {
					s.Status.Tasks = []v1alpha1.Task{
						{Type: v1alpha1.TaskPauseMonitor, State: v1alpha1.TaskSucceeded},
						{Type: v1alpha1.TaskDeleteMachine, State: v1alpha1.TaskRunning, Attempts: 3, Message: "503"},
					}
				})},
			},
			want: []string{
				"Server payments-1 waits for task DeleteMachine, attempt 3: 503; ",
				"VMReplicaSet payments waits for 1 servers, whose machines are being removed; ",
			},
		},
		"a removal failed for good": {
			member: Member{Cluster: "member1", Servers: []v1alpha1.Server{server(func(s *v1alpha1.Server) {
				s.Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskDeleteMachine, State: v1alpha1.TaskFailed, Message: "no such zone"}}
			})}},
			want: []string{"Server payments-1 waits for a person: task DeleteMachine failed for good: no such zone; " +
				"mend that, or let the machine go: " +
				"argosyctl vm override payments-1 --state Offline --skip DeleteMachine --reason ... --member member1 -n shop"},
		},
		"a server asks": {
			member: Member{Servers: []v1alpha1.Server{server(func(s *v1alpha1.Server) {
				s.Status.PendingApprovals = []gatev1alpha1.PendingApproval{{Gate: "out", OperationID: "op-2", Summary: "it goes"}}
			})}},
			want: []string{"Server payments-1 waits for a person at gate out: it goes; argosyctl vm approve server/payments-1 -n shop"},
		},
		"nobody looks": {
			member: Member{Sets: []v1alpha1.VMReplicaSet{deletedSet(func(*v1alpha1.VMReplicaSet) {})}},
			want: []string{"VMReplicaSet payments waits for argosy-member-manager, which has not looked at it yet; " +
				"see that argosy-member-manager runs there (namespace argosy-system)"},
		},
		"somebody else's finalizer": {
			member: Member{Servers: []v1alpha1.Server{server(func(s *v1alpha1.Server) { s.Finalizers = []string{"backup.example.com/x"} })}},
			want: []string{"Server payments-1 waits for finalizers of somebody else's: backup.example.com/x; " +
				"ask whoever put them there"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var have []string
			for _, d := range tc.member.Deletions() {
				text := strings.Join([]string{d.Kind, d.Name, "waits for", d.WaitsFor + ";", d.Next}, " ")
				if d.TemplateIsBack {
					text += " (template is back)"
				}
				have = append(have, text)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}
