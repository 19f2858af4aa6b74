package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/orphans"
	vmsets "github.com/argosy-dev/argosy/member/vm/sets"
)

var vmNoon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// vmPlane is a control plane or a member; stamps says whether its admission writes bob's name into what he decides.
func vmPlane(t *testing.T, stamps bool, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, clusterv1alpha1.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	under := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.VMReplicaSet{}).Build()
	return interceptor.NewClient(under, interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			object.(*authenticationv1.SelfSubjectReview).Status.UserInfo.Username = "bob"
			return nil
		},
		Patch: func(ctx context.Context, under client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if err := under.Patch(ctx, object, patch, options...); err != nil || !stamps {
				return err
			}
			switch o := object.(type) {
			case *unstructured.Unstructured:
				approvals, _, _ := unstructured.NestedSlice(o.Object, "spec", "approvals")
				for _, a := range approvals {
					if a := a.(map[string]any); a["by"] == nil {
						a["by"], a["at"] = "bob", vmNoon.Format(time.RFC3339)
					}
				}
				return errors.Join(unstructured.SetNestedSlice(o.Object, approvals, "spec", "approvals"), under.Update(ctx, o))
			case *v1alpha1.Server:
				if o.Spec.Override == nil {
					return nil
				}
				o.Spec.Override.By, o.Spec.Override.At = "bob", &metav1.Time{Time: vmNoon}
				return under.Update(ctx, o)
			}
			return nil
		},
	})
}

func pendingSet(approvals ...gatev1alpha1.Approval) *v1alpha1.VMReplicaSet {
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments"}}
	set.Spec.Approvals = approvals
	set.Status.PendingApprovals = []gatev1alpha1.PendingApproval{
		{Gate: "give-up", OperationID: "op-1", Server: "payments-1", Cluster: "member1", Summary: "it is given up"},
		{Gate: "give-up", OperationID: "op-2", Server: "payments-2", Cluster: "member2", Summary: "it too"},
	}
	return set
}

func TestApprove(t *testing.T) {
	approved := func(operation, by string, decision gatev1alpha1.ApprovalDecision) gatev1alpha1.Approval {
		return gatev1alpha1.Approval{
			Gate: "give-up", OperationID: operation, Decision: decision, By: by, Reason: "it works", At: &metav1.Time{Time: vmNoon},
		}
	}
	const table = "OPERATION  GATE     SERVER      CLUSTER  SUMMARY\n" +
		"op-1       give-up  payments-1  member1  it is given up\n" +
		"op-2       give-up  payments-2  member2  it too\n"
	tests := map[string]struct {
		set    *v1alpha1.VMReplicaSet
		choice choice
		bare   bool
		want   string
		err    string
		// after are the decisions that are stored, as operation decision by.
		after []string
	}{
		"one of two is named": {
			choice: choice{operation: "op-2"},
			want:   "bob approved operation op-2 at gate give-up of vmreplicaset/payments\n", after: []string{"op-2 Approve bob"},
		},
		"by its server": {
			choice: choice{server: "payments-1"},
			want:   "bob approved operation op-1 at gate give-up of vmreplicaset/payments\n", after: []string{"op-1 Approve bob"},
		},
		"all, rejected": {
			choice: choice{all: true, reject: true, reason: "no"},
			want: "bob rejected operation op-1 at gate give-up of vmreplicaset/payments\n" +
				"bob rejected operation op-2 at gate give-up of vmreplicaset/payments\n",
			after: []string{"op-1 Reject bob", "op-2 Reject bob"},
		},
		"two, and none named": {
			want: table, err: "VMReplicaSet payments: 2 operations wait: name one with --operation, --gate or --server, or all of them with --all",
		},
		"none of that name": {
			choice: choice{operation: "op-9"}, want: table, err: "VMReplicaSet payments: no such operation waits for a person; these do",
		},
		"nothing waits": {
			set: &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments"}},
			err: "VMReplicaSet payments: nothing waits for a person",
		},
		"another has": {
			set: pendingSet(approved("op-1", "ann", gatev1alpha1.Approve)), choice: choice{operation: "op-1"},
			want:  "ann has approved operation op-1 at gate give-up already: it goes on when its member has heard of it; of vmreplicaset/payments\n",
			after: []string{"op-1 Approve ann"},
		},
		"another has rejected": {
			set: pendingSet(approved("op-1", "ann", gatev1alpha1.Reject)), choice: choice{operation: "op-1"},
			err:   "ann rejected operation op-1 at gate give-up (it works), and nobody else can take that back",
			after: []string{"op-1 Reject ann"},
		},
		"one's own rejection is turned": {
			set:    pendingSet(approved("op-1", "bob", gatev1alpha1.Reject), approved("op-0", "ann", gatev1alpha1.Approve)),
			choice: choice{operation: "op-1"},
			want:   "bob approved operation op-1 at gate give-up of vmreplicaset/payments\n",
			after:  []string{"op-0 Approve ann", "op-1 Approve bob"},
		},
		"nobody stamps": {
			bare: true, choice: choice{operation: "op-1"},
			err:   "the decision was stored without a name, and opens nothing",
			after: []string{"op-1 Approve "},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.set == nil {
				tc.set = pendingSet()
			}
			api := vmPlane(t, !tc.bare, tc.set)
			what := approving{target: api, kind: v1alpha1.GroupVersion.WithKind("VMReplicaSet"), key: client.ObjectKeyFromObject(tc.set)}
			var out bytes.Buffer
			err := what.decide(t.Context(), tc.choice, &out)
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			var after v1alpha1.VMReplicaSet
			if err := api.Get(t.Context(), what.key, &after); err != nil {
				t.Fatal(err)
			}
			var stored []string
			for _, a := range after.Spec.Approvals {
				stored = append(stored, a.OperationID+" "+string(a.Decision)+" "+a.By)
			}
			if diff := cmp.Diff(tc.after, stored); diff != "" {
				t.Errorf("stored (-want +have)\n%s", diff)
			}
		})
	}
}

func TestVMOverride(t *testing.T) {
	old := &v1alpha1.Override{
		State: "Offline", Mode: v1alpha1.OverrideHold, Reason: "old", By: "ann", SkipTasks: []v1alpha1.TaskType{"Notify"},
	}
	tests := map[string]struct {
		o     overriding
		had   *v1alpha1.Override
		bare  bool
		want  string
		err   string
		after *v1alpha1.Override
	}{
		"once": {
			o: overriding{state: "Deploying", reason: "mended", once: true}, had: old,
			want:  "server/payments-1 is put into state Deploying by bob, once\n",
			after: &v1alpha1.Override{State: "Deploying", Mode: v1alpha1.OverrideOnce, Reason: "mended", By: "bob", At: &metav1.Time{Time: vmNoon}},
		},
		"for an hour, and a task skipped": {
			o:    overriding{state: "Offline", reason: "inquiry", lasts: time.Hour, skip: []string{"DeleteMachine"}},
			want: "server/payments-1 is put into state Offline by bob, until 2026-01-02T13:00:00Z\n",
			after: &v1alpha1.Override{
				State: "Offline", Mode: v1alpha1.OverrideHold, Reason: "inquiry", By: "bob", At: &metav1.Time{Time: vmNoon},
				ExpiresAt: &metav1.Time{Time: vmNoon.Add(time.Hour)}, SkipTasks: []v1alpha1.TaskType{v1alpha1.TaskDeleteMachine},
			},
		},
		"removed":           {o: overriding{remove: true}, had: old, want: "server/payments-1 is the system's to decide about again\n"},
		"nothing to remove": {o: overriding{remove: true}, want: "server/payments-1 has no override: the system decides\n"},
		"nobody stamps": {
			o: overriding{state: "Ready", reason: "r"}, bare: true, err: "was stored without a name, and does nothing",
			after: &v1alpha1.Override{State: "Ready", Mode: v1alpha1.OverrideHold, Reason: "r"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if err := tc.o.validate(); err != nil {
				t.Fatal(err)
			}
			server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments-1"}}
			server.Spec.Override = tc.had
			api := vmPlane(t, !tc.bare, server)
			var out bytes.Buffer
			err := tc.o.write(t.Context(), api, client.ObjectKeyFromObject(server), "member1", vmNoon, &out)
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			var after v1alpha1.Server
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(server), &after); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.after, after.Spec.Override); diff != "" {
				t.Errorf("stored (-want +have)\n%s", diff)
			}
		})
	}
}

// federation is a control plane with two members, of which the second cannot be asked.
func federation(t *testing.T, template *v1alpha1.VMReplicaSet, member1 client.Client) fleetReader {
	t.Helper()
	objects := []client.Object{
		&clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member1"}},
		&clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member2"}},
	}
	if template != nil {
		objects = append(objects, template)
	}
	return fleetReader{control: vmPlane(t, true, objects...), member: func(_ context.Context, cluster string) (client.Reader, error) {
		if cluster == "member1" {
			return member1, nil
		}
		return nil, errors.New("dial tcp: refused")
	}}
}

const vmSet = `apiVersion: vm.argosy.dev/v1alpha1
kind: VMReplicaSet
metadata: {name: payments, namespace: shop}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: payments}}
  template:
    metadata: {labels: {app: payments}}
    spec:
      machine: {driver: http, image: IMAGE}
      packages: [{name: jdk, version: VERSION}]
  updateStrategy: {maxUnavailable: 1, intervalSeconds: 60, partition: PARTITION, onMachineChange: CHANGE}
`

// setOf fills in what the tests change.
func setOf(t *testing.T, replicas, image, version, partition, change string) *v1alpha1.VMReplicaSet {
	t.Helper()
	path := filepath.Join(t.TempDir(), "set.yaml")
	filled := strings.NewReplacer("REPLICAS", replicas, "IMAGE", image, "VERSION", version, "PARTITION", partition, "CHANGE", change)
	text := filled.Replace(vmSet)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := (&vmPlan{files: []string{path}}).read(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return &read[0]
}

// TestVMPlan: in the federation each member is told of by its own servers and its own part of the numbers, and what is not known is said.
func TestVMPlan(t *testing.T) {
	template := setOf(t, "5", "debian", "21.0.2", "0", "Hold")
	live := setOf(t, "3", "debian", "21.0.2", "0", "Hold")
	live.UID = "set"
	objects := []client.Object{live}
	for _, name := range []string{"payments-1", "payments-2", "payments-3"} {
		server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name,
			Labels: map[string]string{v1alpha1.LabelSet: "payments", v1alpha1.LabelRevision: vmsets.Revision(live, "")},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "vm.argosy.dev/v1alpha1", Kind: "VMReplicaSet", Name: "payments", UID: "set", Controller: ptr.To(true)},
			},
		}}
		server.Spec.Machine, server.Spec.Packages = live.Spec.Template.Spec.Machine, live.Spec.Template.Spec.Packages
		server.Status.Phase = v1alpha1.ServerReady
		server.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
		objects = append(objects, server)
	}
	const unknown = "Unknown: member2 cannot be asked: dial tcp: refused\n"
	tests := map[string]struct {
		wanted   *v1alpha1.VMReplicaSet
		replicas map[string]int
		want     string
	}{
		"nothing changes": {
			wanted: setOf(t, "5", "debian", "21.0.2", "0", "Hold"),
			want: `VMReplicaSet shop/payments in member1: 3 unchanged.
TURN  SERVER      PHASE  BECOMES
-     payments-1  Ready  unchanged
-     payments-2  Ready  unchanged
-     payments-3  Ready  unchanged
`,
		},
		"packages, but for a partition of the whole fleet": {
			wanted: setOf(t, "5", "debian", "21.0.3", "2", "Hold"),
			want: `VMReplicaSet shop/payments in member1: 1 changed in place, 2 kept by the partition.
The template changes: packages.
At most 1 may be away at a time, and 60 s between two.
TURN  SERVER      PHASE  BECOMES
1     payments-1  Ready  changed in place
-     payments-2  Ready  kept by the partition
-     payments-3  Ready  kept by the partition
`,
		},
		"the machine, replaced": {
			wanted: setOf(t, "5", "other", "21.0.2", "0", "Replace"),
			want: `VMReplicaSet shop/payments in member1: 3 replaced, 3 made.
The template changes: machine.
At most 1 may be away at a time, and 60 s between two.
TURN  SERVER      PHASE  BECOMES
1     payments-1  Ready  replaced
2     payments-2  Ready  replaced
3     payments-3  Ready  replaced
-     payments-4  -      made
-     payments-5  -      made
-     payments-6  -      made
`,
		},
		"the machine, held, and more servers": {
			wanted: setOf(t, "7", "other", "21.0.2", "0", "Hold"),
			want: `VMReplicaSet shop/payments in member1: 3 held.
The template changes: machine.
TURN  SERVER      PHASE  BECOMES
-     payments-1  Ready  held: onMachineChange is Hold
-     payments-2  Ready  held: onMachineChange is Hold
-     payments-3  Ready  held: onMachineChange is Hold
Note: shop/payments: replicas 5 -> 7: the scheduler says which members that concerns; --replicas plans a division that you name
`,
		},
		"more servers, where somebody says": {
			wanted: setOf(t, "7", "debian", "21.0.2", "0", "Hold"), replicas: map[string]int{"member1": 4, "member3": 2},
			want: `VMReplicaSet shop/payments in member1: 1 made, 3 unchanged.
TURN  SERVER      PHASE  BECOMES
-     payments-1  Ready  unchanged
-     payments-2  Ready  unchanged
-     payments-3  Ready  unchanged
-     payments-4  -      made
Note: shop/payments does not run in member3 by now: its 2 servers there would be made
Note: shop/payments: --replicas names 6 servers, and the file asks for 7: members that are not named keep what they have
`,
		},
		"fewer servers, where somebody says": {
			wanted: setOf(t, "2", "debian", "21.0.2", "0", "Hold"), replicas: map[string]int{"member1": 2},
			want: `VMReplicaSet shop/payments in member1: 1 removed, 2 unchanged.
TURN  SERVER      PHASE  BECOMES
-     payments-1  Ready  unchanged
-     payments-2  Ready  unchanged
-     payments-3  Ready  removed
`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			o := &vmPlan{IOStreams: genericiooptions.IOStreams{Out: &out}, output: "text", clock: clocktesting.NewFakePassiveClock(vmNoon)}
			o.replicas = tc.replicas
			err := o.run(t.Context(), federation(t, template.DeepCopy(), memberOf(t, objects)), []v1alpha1.VMReplicaSet{*tc.wanted})
			if !errors.Is(err, errReported) {
				t.Errorf("error %v: a member that could not be asked ends the command with an error", err)
			}
			if diff := cmp.Diff(tc.want+unknown, out.String()); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

// memberOf copies objects into a member.
func memberOf(t *testing.T, objects []client.Object) client.Client {
	t.Helper()
	var copies []client.Object
	for _, o := range objects {
		copies = append(copies, o.DeepCopyObject().(client.Object))
	}
	return vmPlane(t, true, copies...)
}

func TestVMDeletions(t *testing.T) {
	set := pendingSet()
	set.UID, set.Finalizers = "set", []string{v1alpha1.FinalizerServers}
	set.DeletionTimestamp = &metav1.Time{Time: vmNoon.Add(-time.Hour)}
	set.Annotations = map[string]string{"resourcetemplate.karmada.io/uid": "old"}
	set.Status.PendingApprovals = []gatev1alpha1.PendingApproval{
		{Gate: "removal", OperationID: "op-9", Summary: "the set was deleted: 3 servers"},
	}
	template := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments", UID: types.UID("new")}}
	found, err := deletions(t.Context(), federation(t, template, vmPlane(t, true, set)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := found.print(&out, vmNoon); err != nil {
		t.Fatal(err)
	}
	const want = `VMReplicaSet shop/payments in member1, deleted 60m ago
  waits for a person at gate removal: the set was deleted: 3 servers
  its template was made again meanwhile: servers of the new one come only when this one is gone
  -> argosyctl vm approve vmrs/payments --member member1 -n shop
Unknown: member2 cannot be asked: dial tcp: refused
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestVMOrphans(t *testing.T) {
	member := vmPlane(t, true, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argosy-system", Name: orphans.Name},
		Data: map[string]string{orphans.Key: `{"observedAt":"2026-01-02T11:59:00Z","more":2,"unknown":[{"driver":"libvirt","message":"503"},
			{"driver":"http","message":"there is no Secret","left":true}],
			"items":[{"driver":"http","key":"uid-9","id":"vm-9","state":"Running","since":"2026-01-02T10:00:00Z"},
			{"driver":"http","key":"uid-8","state":"Running","since":"2026-01-02T10:00:00Z","seenAt":"2026-01-02T11:00:00Z"}]}`},
	})
	found, err := orphansOf(t.Context(), federation(t, nil, member))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := found.print(&out, vmNoon); err != nil {
		t.Fatal(err)
	}
	const want = `CLUSTER  DRIVER  MACHINE  STATE            SINCE  MADE FOR
member1  http    vm-9     Running          120m   uid-9
member1  http    -        Running 60m ago  120m   uid-8
member1 was looked through 60s ago; 2 more are not shown
Unknown: member2: dial tcp: refused
Unknown: member1: driver libvirt: 503
Unknown: member1: driver http: there is no Secret; no set names it any more, and its machines are told as they were last seen: ` +
		`delete ConfigMap argosy-machine-orphans there once you have seen to them
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

// TestAMemberByItself: an API server without Clusters is a member, and what stands in its own plane is what is told.
func TestAMemberByItself(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	visited := 0
	noClusters := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: clusterv1alpha1.GroupName, Kind: "Cluster"}}
		},
	})
	silent, err := fleetReader{control: noClusters}.each(t.Context(), func(cluster string, _ client.Reader) (func(), error) {
		if cluster != "" {
			t.Errorf("it is called %q", cluster)
		}
		return func() { visited++ }, nil
	})
	if err != nil || len(silent) > 0 || visited != 1 {
		t.Errorf("%v, silent %v, visited %d times", err, silent, visited)
	}
	if _, err := (fleetReader{control: noClusters, only: []string{"member1"}}).each(t.Context(), nil); err == nil {
		t.Error("a member is named where there are none, and nothing is said")
	}
}
