package scalein

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// TestDesignate: a selection becomes names, of the workload's own pods, or a refusal that says why not.
func TestDesignate(t *testing.T) {
	slow := &metav1.LabelSelector{MatchLabels: map[string]string{"speed": "slow"}}
	for name, tc := range map[string]struct {
		selection  v1alpha1.PodSelection
		change     func(*facts)
		want       []v1alpha1.PodReference
		wantReason string
		wantWait   bool
		wantSays   string
	}{
		"a node": {selection: v1alpha1.PodSelection{NodeName: "x"}, want: []v1alpha1.PodReference{
			{Cluster: "member1", Name: "member1-pod-0"}, {Cluster: "member1", Name: "member1-pod-1"}, {Cluster: "member2", Name: "member2-pod-0"}}},
		"a node of one member": {
			selection: v1alpha1.PodSelection{NodeName: "x", Clusters: []string{"member2"}}, want: []v1alpha1.PodReference{
				{Cluster: "member2", Name: "member2-pod-0"},
			},
		},
		"labels": {
			selection: v1alpha1.PodSelection{LabelSelector: slow}, want: []v1alpha1.PodReference{{Cluster: "member1", Name: "member1-pod-1"}},
		},
		"both": {selection: v1alpha1.PodSelection{NodeName: "y", LabelSelector: slow}, wantReason: v1alpha1.ReasonNoPodSelected},
		"too many": {
			selection: v1alpha1.PodSelection{NodeName: "x", MaxPods: ptr.To[int32](2)}, wantReason: v1alpha1.ReasonTooManySelected,
			wantSays: "3 pods",
		},
		"a cluster without it": {
			selection: v1alpha1.PodSelection{NodeName: "x", Clusters: []string{"member9"}}, wantReason: v1alpha1.ReasonPodNotFound,
			wantSays: "member9",
		},
		"a member that cannot be asked may hold more": {
			selection: v1alpha1.PodSelection{NodeName: "x"}, change: func(f *facts) { f.members["member2"] = member{unreachable: "timeout"} },
			wantReason: v1alpha1.ReasonMemberUnreachable, wantWait: true, wantSays: "spec.select.clusters",
		},
		"a member that is left out need not be asked": {
			selection: v1alpha1.PodSelection{NodeName: "y", Clusters: []string{"member1"}},
			change:    func(f *facts) { f.members["member2"] = member{unreachable: "timeout"} },
			want:      []v1alpha1.PodReference{{Cluster: "member1", Name: "member1-pod-2"}},
		},
		"others' and terminating pods are passed over": {
			selection: v1alpha1.PodSelection{NodeName: "x", Clusters: []string{"member1"}}, change: func(f *facts) {
				f.members["member1"].pods["member1-pod-0"] = pod{owner: "another", node: "x"}
				f.members["member1"].pods["member1-pod-1"] = pod{owner: "member1-uid", node: "x", terminating: true}
			},
			wantReason: v1alpha1.ReasonNoPodSelected,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(map[string]int32{"member1": 3, "member2": 2}).facts()
			place := func(cluster, name, node, speed string) {
				p := f.members[cluster].pods[name]
				p.node, p.labels = node, map[string]string{"speed": speed}
				f.members[cluster].pods[name] = p
			}
			place("member1", "member1-pod-0", "x", "fast")
			place("member1", "member1-pod-1", "x", "slow")
			place("member1", "member1-pod-2", "y", "fast")
			place("member2", "member2-pod-0", "x", "fast")
			if tc.change != nil {
				tc.change(&f)
			}
			f.order.Spec.Select = &tc.selection
			got, v := designate(f)
			if v.reason != tc.wantReason || v.wait != tc.wantWait || !strings.Contains(v.message, tc.wantSays) {
				t.Errorf("verdict %+v, want reason %q, wait %v, a message with %q", v, tc.wantReason, tc.wantWait, tc.wantSays)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
		})
	}
}

// TestASelectionIsResolvedOnce: what comes to meet it later stays.
func TestASelectionIsResolvedOnce(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 3, "member2": 2})
	f.order.Spec.Select = &v1alpha1.PodSelection{NodeName: "x"}
	seen := f.facts()
	p := seen.members["member1"].pods["member1-pod-0"]
	p.node = "x"
	seen.members["member1"].pods["member1-pod-0"] = p
	s := next(seen)
	if s.do != acceptPlan {
		t.Fatalf("step %+v, want it accepted", s)
	}
	f.order.Status = settle(seen, s)
	later := f.facts()
	for name, p := range later.members["member1"].pods {
		p.node = "x"
		later.members["member1"].pods[name] = p
	}
	if s := next(later); s.do != announce || len(s.plan) != 1 || len(s.plan[0].Pods) != 1 || s.plan[0].Pods[0] != "member1-pod-0" {
		t.Errorf("step %+v, want the one pod of the beginning announced", s)
	}
}

// clients are members with a fake API server each.
type clients map[string]client.Client

func (c clients) Client(_ context.Context, cluster string) (client.Client, error) {
	return c[cluster], nil
}

// TestWhosePodItIs: a pod that is not the workload's is said to be somebody's, one in another member to be there.
func TestWhosePodItIs(t *testing.T) {
	stranger := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other-1", OwnerReferences: []metav1.OwnerReference{
		{Kind: "CloneSet", Name: "other", UID: "other-uid", Controller: ptr.To(true)},
	}}}
	astray := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "member2-pod-0"}}
	r := &Reconciler{members: clients{
		"member1": fake.NewClientBuilder().WithObjects(stranger).Build(), "member2": fake.NewClientBuilder().WithObjects(astray).Build(),
	}}
	for name, tc := range map[string]struct {
		ref        v1alpha1.PodReference
		wantReason string
		wantSays   string
	}{
		"another's": {
			v1alpha1.PodReference{Cluster: "member1", Name: "other-1"}, v1alpha1.ReasonPodNotOwned, "belongs to CloneSet other, not to CloneSet web",
		},
		"another's, without cluster": {
			v1alpha1.PodReference{Name: "other-1"}, v1alpha1.ReasonPodNotOwned, "of member1 belongs to CloneSet other",
		},
		"in another member": {v1alpha1.PodReference{Cluster: "member1", Name: "member2-pod-0"}, v1alpha1.ReasonPodNotFound, "it runs in member2"},
		"nowhere": {
			v1alpha1.PodReference{Cluster: "member1", Name: "gone"}, v1alpha1.ReasonPodNotFound, "pod gone of member1 does not exist",
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen := gathered{facts: newFederation(map[string]int32{"member1": 3, "member2": 2}).facts()}
			seen.order.Spec.Pods = []v1alpha1.PodReference{tc.ref}
			r.gatherStrangers(t.Context(), &seen)
			if got := check(seen.facts); got.reason != tc.wantReason || !strings.Contains(got.message, tc.wantSays) {
				t.Errorf("check() = %+v, want %s and a message with %q", got, tc.wantReason, tc.wantSays)
			}
		})
	}
}

// TestASilentMemberIsAskedOnce: that pods named are somebody else's only makes a refusal say more, and each question that is not answered
// takes its whole time.
func TestASilentMemberIsAskedOnce(t *testing.T) {
	asked := 0
	silent := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			asked++
			return errors.New("i/o timeout")
		},
	})
	seen := gathered{facts: newFederation(map[string]int32{"member1": 3, "member2": 2}).facts()}
	seen.order.Spec.Pods = []v1alpha1.PodReference{{Cluster: "member1", Name: "a"}, {Cluster: "member1", Name: "b"}}
	r := &Reconciler{members: clients{"member1": fake.NewClientBuilder().Build(), "member2": silent}}
	r.gatherStrangers(t.Context(), &seen)
	if asked != 1 || len(seen.strangers)+len(seen.astray) > 0 {
		t.Errorf("asked %d times, want once; found %v, %v", asked, seen.strangers, seen.astray)
	}
}

// TestAFailedOrderIsLookedAtEverMoreRarely, and one at work often.
func TestAFailedOrderIsLookedAtEverMoreRarely(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 3}, "member1-pod-0").facts()
	f.order.Status.StartTime = &metav1.Time{Time: f.now}
	failed := step{phase: v1alpha1.PhaseFailed}
	for age, want := range map[time.Duration]time.Duration{
		601 * time.Second: lookLater, 20 * time.Minute: time.Minute, 110 * time.Minute: 10 * time.Minute, 24 * time.Hour: lookRarest,
	} {
		aged := f
		aged.now = f.now.Add(age)
		if got := again(aged, failed); got != want {
			t.Errorf("%s after its start: again in %s, want %s", age, got, want)
		}
	}
	if got := again(f, step{phase: v1alpha1.PhaseFollowing}); got != lookSoon {
		t.Errorf("at work: again in %s, want %s", got, lookSoon)
	}
}

// TestEndedOrdersAreClearedAway when they say so, after their time.
func TestEndedOrdersAreClearedAway(t *testing.T) {
	end := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		ttl       *int32
		completed bool
		finalizer bool
		now       time.Time
		wantEnded bool
		wantLeft  *time.Duration
	}{
		"at work":           {now: end},
		"not tidied up yet": {completed: true, finalizer: true, ttl: ptr.To[int32](0), now: end},
		"kept for ever":     {completed: true, now: end.AddDate(1, 0, 0), wantEnded: true},
		"kept for a while yet": {
			completed: true, ttl: ptr.To[int32](60), now: end.Add(20 * time.Second), wantEnded: true, wantLeft: ptr.To(40 * time.Second),
		},
		"its time is up": {completed: true, ttl: ptr.To[int32](60), now: end.Add(time.Hour), wantEnded: true, wantLeft: ptr.To[time.Duration](0)},
	} {
		t.Run(name, func(t *testing.T) {
			order := &v1alpha1.PodScaleIn{Spec: v1alpha1.PodScaleInSpec{TTLSecondsAfterFinished: tc.ttl}}
			if tc.completed {
				order.Status.CompletionTime = &metav1.Time{Time: end}
			}
			if tc.finalizer {
				order.Finalizers = []string{v1alpha1.PodScaleInFinalizer}
			}
			left, ended := (&Reconciler{clock: clocktesting.NewFakeClock(tc.now)}).kept(order)
			if ended != tc.wantEnded || !ptr.Equal(left, tc.wantLeft) {
				t.Errorf("kept %v, ended %v; want %v, %v", left, ended, tc.wantLeft, tc.wantEnded)
			}
		})
	}
}

// TestAMemberThatComesBackWakesItsOrders, and nobody else's.
func TestAMemberThatComesBackWakesItsOrders(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	order := func(name string, ended bool, clusters ...string) *v1alpha1.PodScaleIn {
		o := &v1alpha1.PodScaleIn{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		for _, cluster := range clusters {
			o.Status.Clusters = append(o.Status.Clusters, v1alpha1.ClusterScaleIn{Name: cluster})
		}
		if ended {
			o.Status.CompletionTime = &metav1.Time{Time: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
		}
		return o
	}
	r := &Reconciler{cache: fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		order("failed", false, "member1"), order("other", false, "member2"), order("ended", true, "member1"), order("unplanned", false),
	).Build()}
	var got []string
	for _, request := range r.waitingFor(t.Context(), &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member1"}}) {
		got = append(got, request.Name)
	}
	if diff := cmp.Diff([]string{"failed", "unplanned"}, got); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
	cluster := func(status metav1.ConditionStatus) *clusterv1alpha1.Cluster {
		return &clusterv1alpha1.Cluster{
			Status: clusterv1alpha1.ClusterStatus{Conditions: []metav1.Condition{{Type: clusterv1alpha1.ClusterConditionReady, Status: status}}},
		}
	}
	passes := func(before, after metav1.ConditionStatus) bool {
		return becameReady().Update(event.UpdateEvent{ObjectOld: cluster(before), ObjectNew: cluster(after)})
	}
	if !passes(metav1.ConditionFalse, metav1.ConditionTrue) || passes(metav1.ConditionTrue, metav1.ConditionTrue) ||
		passes(metav1.ConditionTrue, metav1.ConditionFalse) {
		t.Error("only a member that comes back is to wake an order")
	}
}

// TestAnEndedOrderIsReadFromTheCacheAlone: whatever becomes of it, nobody is asked for it. This Reconciler has nobody to ask.
func TestAnEndedOrderIsReadFromTheCacheAlone(t *testing.T) {
	end := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	order := &v1alpha1.PodScaleIn{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order"}}
	order.Spec.TTLSecondsAfterFinished = ptr.To[int32](60)
	order.Status.CompletionTime = &metav1.Time{Time: end}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{
		cache: fake.NewClientBuilder().WithScheme(scheme).WithObjects(order).Build(),
		clock: clocktesting.NewFakeClock(end.Add(20 * time.Second)),
	}
	result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(order)})
	if err != nil || result.RequeueAfter != 40*time.Second {
		t.Errorf("looked at again in %s, want 40s (%v)", result.RequeueAfter, err)
	}
}
