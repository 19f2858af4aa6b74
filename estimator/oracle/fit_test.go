package oracle

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"
)

var web = map[string]string{"app": "web"}

// fourNodes: four CPUs each, in zones z0, z0, z1 and none.
func fourNodes() *cluster {
	c := &cluster{}
	for i, labels := range []map[string]string{zone(0), zone(0), zone(1), nil} {
		c.objects = append(c.objects, node(fmt.Sprintf("n%d", i), 4, 10, labels))
	}
	return c
}

func TestFit(t *testing.T) {
	tests := map[string]struct {
		objects []*corev1.Pod
		pod     *corev1.Pod
		want    int64
		path    Path
	}{
		"plain":                        {nil, podWith("p", 1000, web), 16, PathNodeLocal},
		"fragmented: 3 of 4 CPUs free": {[]*corev1.Pod{podWith("a", 1000, nil, on("n0"))}, podWith("p", 2000, web), 7, PathNodeLocal},
		"more than any node has":       {nil, podWith("p", 5000, web), 0, PathNodeLocal},
		"host port": {
			[]*corev1.Pod{podWith("a", 0, nil, on("n1"), hostPort(80))}, podWith("p", 100, web, hostPort(80)), 3, PathNodeLocal,
		},
		"node selector": {nil, podWith("p", 1000, web, selectNode(corev1.LabelTopologyZone, "z0")), 8, PathNodeLocal},
		"one to a host": {nil, podWith("p", 1000, web, antiAffinity(corev1.LabelHostname, selecting(web))), 4, PathSeparate},
		"one to a host, one there": {
			[]*corev1.Pod{podWith("a", 0, web, on("n0"))}, podWith("p", 1000, web, antiAffinity(corev1.LabelHostname, selecting(web))), 3,
			PathSeparate,
		},
		"one to a zone, free outside": {
			nil, podWith("p", 1000, web, antiAffinity(corev1.LabelTopologyZone, selecting(web))), 2 + 4, PathSeparate,
		},
		"repelled by others": {
			[]*corev1.Pod{podWith("a", 0, nil, on("n0"), antiAffinity(corev1.LabelTopologyZone, selecting(web)))}, podWith("p", 1000, web), 8,
			PathNodeLocal,
		},
		"repels others": {
			[]*corev1.Pod{podWith("a", 0, map[string]string{"app": "db"}, on("n2"))},
			podWith("p", 1000, web, antiAffinity(corev1.LabelTopologyZone, selecting(map[string]string{"app": "db"}))), 12, PathNodeLocal,
		},
		"near others": {
			[]*corev1.Pod{podWith("a", 0, map[string]string{"app": "db"}, on("n2"))},
			podWith("p", 1000, web, affinity(corev1.LabelTopologyZone, selecting(map[string]string{"app": "db"}))), 4, PathNodeLocal,
		},
		"near its own kind": {
			nil, podWith("p", 4000, web, affinity(corev1.LabelTopologyZone, selecting(web)), selectNode(corev1.LabelTopologyZone, "z1")), 1,
			PathPlaced,
		},
		"spread over zones": {
			nil, podWith("p", 1000, web, spread(corev1.LabelTopologyZone, 1, selecting(web))), 4 + 5, PathSpread,
		},
		"spread that does not count itself": {nil, podWith("p", 1000, nil, spread(corev1.LabelTopologyZone, 1, selecting(web))), 12, PathSpread},
		"two spread constraints": {
			nil, podWith("p", 1000, web, spread(corev1.LabelTopologyZone, 1, selecting(web)), spread(corev1.LabelHostname, 1, selecting(web))), 5,
			PathPlaced,
		},
		"behind a pending pod": {[]*corev1.Pod{podWith("a", 4000, nil)}, podWith("p", 4000, web), 3, PathNodeLocal},
		"behind one for another scheduler": {
			[]*corev1.Pod{podWith("a", 4000, nil, func(p *corev1.Pod) { p.Spec.SchedulerName = "volcano" })}, podWith("p", 4000, web), 3,
			PathNodeLocal,
		},
		"before a pending pod":      {[]*corev1.Pod{podWith("a", 4000, nil)}, podWith("p", 4000, web, priority(5)), 4, PathNodeLocal},
		"behind a pod without hope": {[]*corev1.Pod{podWith("a", 5000, nil)}, podWith("p", 4000, web), 4, PathNodeLocal},
		"behind a nominated pod": {
			[]*corev1.Pod{podWith("a", 4000, nil, func(p *corev1.Pod) { p.Status.NominatedNodeName = "n3" })}, podWith("p", 4000, web), 3,
			PathNodeLocal,
		},
		"behind a nominated pod that repels": {[]*corev1.Pod{podWith("a", 0, nil, antiAffinity(corev1.LabelHostname, selecting(web)),
			func(p *corev1.Pod) { p.Status.NominatedNodeName = "n3" }),
			podWith("b", 0, nil, on("n2"), antiAffinity(corev1.LabelHostname, selecting(web)))}, podWith("p", 4000, web), 2, PathPlaced},
		"gated": {
			nil, podWith("p", 1, web, func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "wait"}} }), 0, PathGated,
		},
		"claims that the member lacks": {nil, podWith("p", 1, web, func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{
				{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "none"}}},
			}
		}), 0, PathPlaced},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := fourNodes()
			for _, pod := range tc.objects {
				c.objects = append(c.objects, pod)
			}
			o := c.start(t)
			got := ask(t, o, Question{Pod: tc.pod, Budget: time.Hour})
			if got.Count != tc.want || got.Path != tc.path {
				t.Errorf("%d by %s (%s), want %d by %s", got.Count, got.Path, got.Why, tc.want, tc.path)
			}
			again := ask(t, o, Question{Pod: tc.pod, Budget: time.Hour})
			if again.Count != got.Count {
				t.Errorf("asked again: %d, first %d: something was left behind", again.Count, got.Count)
			}
			if tc.path == PathPlaced || tc.path == PathGated {
				return
			}
			if judged := ask(t, o, Question{Pod: tc.pod, Budget: time.Hour, Judge: true}); judged.Count != tc.want {
				t.Errorf("the scheduler itself places %d, want %d", judged.Count, tc.want)
			}
		})
	}
}

func ask(t testing.TB, o *Oracle, q Question) Answer {
	t.Helper()
	answer, err := o.Fit(klog.NewContext(context.Background(), klog.Logger{}), q)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// A scheduler that the configuration does not know may have more rules than the profile that stands in for it.
func TestForeignSchedulerIsDoubted(t *testing.T) {
	got := ask(t, fourNodes().start(t), Question{Pod: podWith("p", 1000, web, func(p *corev1.Pod) { p.Spec.SchedulerName = "volcano" })})
	if got.Count != 16 || got.Exact || got.Doubt != ForeignScheduler {
		t.Errorf("%+v, want 16 that are doubted", got)
	}
}

// A first StatefulSet's claims bind no replica to any place: thousands are counted, not placed; a claim left behind by an earlier replica
// is looked at.
func TestClaimsThatBindNothing(t *testing.T) {
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Provisioner: "disk.example.com",
		VolumeBindingMode: ptr.To(storagev1.VolumeBindingWaitForFirstConsumer),
	}
	left := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data-7"},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("disk")},
	}
	driver := &storagev1.CSIDriver{
		ObjectMeta: metav1.ObjectMeta{Name: "disk.example.com"}, Spec: storagev1.CSIDriverSpec{StorageCapacity: ptr.To(true)},
	}
	limited := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: "n0"}, Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{
		{Name: "disk.example.com", NodeID: "n0", Allocatable: &storagev1.VolumeNodeResources{Count: ptr.To[int32](1)}}}}}
	zoned := class.DeepCopy()
	zoned.AllowedTopologies = []corev1.TopologySelectorTerm{
		{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: corev1.LabelTopologyZone, Values: []string{"z1"}}}},
	}
	for name, tc := range map[string]struct {
		objects []runtime.Object
		counted bool
	}{
		"made anywhere":                {[]runtime.Object{class}, true},
		"one is there already":         {[]runtime.Object{class, left}, false},
		"capacity is published":        {[]runtime.Object{class, driver}, false},
		"nodes take so many":           {[]runtime.Object{class, limited}, false},
		"the class names its topology": {[]runtime.Object{zoned}, false},
		"no such class":                {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := fourNodes()
			c.objects = append(c.objects, tc.objects...)
			pod := podWith("web", 1000, web)
			each := func(i int) (*corev1.Pod, []*corev1.PersistentVolumeClaim) {
				claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("data-%d", i)},
					Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("disk")}}
				one := pod.DeepCopy()
				one.Spec.Volumes = []corev1.Volume{
					{
						Name: "data", VolumeSource: corev1.VolumeSource{
							PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
						},
					},
				}
				return one, []*corev1.PersistentVolumeClaim{claim}
			}
			got := ask(t, c.start(t), Question{Pod: pod, Each: each, Budget: time.Hour})
			if counted := got.Path == PathNodeLocal && got.Count == 16; counted != tc.counted {
				t.Errorf("%d by %s, want it counted: %t", got.Count, got.Path, tc.counted)
			}
		})
	}
}

// Every closed form against the scheduler placing one by one, on random members.
func TestClosedFormsAgreeWithTheScheduler(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
		defer cancel()
		c := randomCluster(t)
		o := c.startWith(ctx, func(err error) { t.Fatal(err) })
		for i := range 3 {
			pod := randomPod(t, fmt.Sprintf("p%d", i))
			fast, err := o.Fit(ctx, Question{Pod: pod, Budget: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			judged, err := o.Fit(ctx, Question{Pod: pod, Budget: time.Hour, Judge: true})
			if err != nil {
				t.Fatal(err)
			}
			if fast.Exact && (fast.Count != judged.Count || judged.Width != 0) {
				t.Fatalf("%s: %d by %s, the scheduler places %d to %d", pod.Name, fast.Count, fast.Path, judged.Count, judged.Count+judged.Width)
			}
		}
	})
}

var apps = []map[string]string{{"app": "web"}, {"app": "db"}, {"app": "web", "tier": "a"}, nil}

func randomCluster(t *rapid.T) *cluster {
	c := &cluster{}
	count := rapid.IntRange(1, 7).Draw(t, "nodes")
	for i := range count {
		labels := map[string]string{}
		if z := rapid.IntRange(0, 3).Draw(t, "zone"); z < 3 {
			labels = zone(z)
		}
		if rapid.Bool().Draw(t, "ssd") {
			labels["disk"] = "ssd"
		}
		n := node(fmt.Sprintf("n%d", i), rapid.IntRange(0, 5).Draw(t, "cpu"), rapid.IntRange(1, 8).Draw(t, "pods"), labels)
		if rapid.IntRange(0, 3).Draw(t, "tainted") == 0 {
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: rapid.SampledFrom([]corev1.TaintEffect{
				corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute, corev1.TaintEffectPreferNoSchedule}).Draw(t, "effect")}}
		}
		n.Spec.Unschedulable = rapid.IntRange(0, 7).Draw(t, "cordoned") == 0
		c.objects = append(c.objects, n)
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "existing") {
		pod := randomPod(t, fmt.Sprintf("e%d", i))
		switch rapid.IntRange(0, 9).Draw(t, "state") {
		case 0: // pending
		case 1:
			pod.Status.NominatedNodeName = fmt.Sprintf("n%d", rapid.IntRange(0, count-1).Draw(t, "node"))
		default:
			pod.Spec.NodeName = fmt.Sprintf("n%d", rapid.IntRange(0, count-1).Draw(t, "node"))
		}
		c.objects = append(c.objects, pod)
	}
	return c
}

func randomPod(t *rapid.T, name string) *corev1.Pod {
	label := func(what string) map[string]string { return rapid.SampledFrom(apps).Draw(t, what) }
	key := func() string {
		return rapid.SampledFrom([]string{corev1.LabelHostname, corev1.LabelTopologyZone}).Draw(t, "key")
	}
	pod := podWith(name, rapid.Int64Range(0, 3).Draw(t, "request")*500, label("labels"), priority(rapid.Int32Range(0, 1).Draw(t, "priority")))
	maybe := func(what string, apply func(*corev1.Pod)) {
		if rapid.IntRange(0, 4).Draw(t, what) == 0 {
			apply(pod)
		}
	}
	maybe("port", hostPort(8080))
	maybe("tolerates", tolerate("k"))
	maybe("wants ssd", selectNode("disk", "ssd"))
	maybe("repels", antiAffinity(key(), selecting(label("repelled"))))
	maybe("repels more", antiAffinity(key(), selecting(label("repelled too"))))
	maybe("seeks", affinity(key(), selecting(label("sought"))))
	maybe("spreads", spread(key(), rapid.Int32Range(1, 2).Draw(t, "skew"), selecting(label("counted")),
		func(c *corev1.TopologySpreadConstraint) {
			if rapid.Bool().Draw(t, "has minDomains") {
				least := rapid.Int32Range(1, 4).Draw(t, "minDomains")
				c.MinDomains = &least
			}
			policy := rapid.SampledFrom([]corev1.NodeInclusionPolicy{corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore})
			if rapid.Bool().Draw(t, "has policies") {
				affinityPolicy, taintsPolicy := policy.Draw(t, "affinityPolicy"), policy.Draw(t, "taintsPolicy")
				c.NodeAffinityPolicy, c.NodeTaintsPolicy = &affinityPolicy, &taintsPolicy
			}
		}))
	return pod
}

// Hundreds of pods pending for one reason cost one try, not one each.
func TestPendingPodsAlikeAreTriedOnce(t *testing.T) {
	c := fourNodes()
	owner := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "web", Controller: ptr.To(true)}}
	for i := range 300 {
		c.objects = append(c.objects, podWith(fmt.Sprintf("stuck-%d", i), 100, web, antiAffinity(corev1.LabelHostname, selecting(web)),
			func(p *corev1.Pod) { p.OwnerReferences = owner }))
	}
	o := c.start(t)
	reservations, _ := o.reservations(Question{Pod: podWith("p", 1000, nil)})
	if len(reservations) != 300 {
		t.Fatalf("%d reservations, want all 300: each node would take one", len(reservations))
	}
	got := ask(t, o, Question{Pod: podWith("p", 1000, nil), Budget: time.Hour})
	if got.Count != 12 || got.TimedOut {
		t.Errorf("%+v: want 12, four of the pending pods having taken a tenth of a node each", got)
	}
}

// A promise is held by a copy of a pod that the workload has; when that pod is itself pending, both take their room.
func TestPromiseOfAWorkloadWithAPendingPod(t *testing.T) {
	c := fourNodes()
	pending := podWith("x8hnk", 1000, web)
	c.objects = append(c.objects, pending)
	o := c.start(t)
	alone := ask(t, o, Question{Pod: podWith("p", 1000, nil), Budget: time.Hour})
	got := ask(t, o, Question{
		Pod: podWith("p", 1000, nil), Ahead: []Reservation{{Pod: pending, Count: 2, For: "promised Deployment default/web"}}, Budget: time.Hour,
	})
	if got.Count != alone.Count-2 {
		t.Errorf("%d fit, want 2 fewer than the %d without the promise", got.Count, alone.Count)
	}
}

func TestRepeatedQuestionAsksOnlyChangedNodes(t *testing.T) {
	o := fourNodes().start(t)
	pod := podWith("p", 1000, web)
	if first := ask(t, o, Question{Pod: pod}); first.Computed != 4 {
		t.Errorf("first question asked %d nodes, want 4", first.Computed)
	}
	if second := ask(t, o, Question{Pod: pod}); second.Computed != 0 {
		t.Errorf("second question asked %d nodes, want none", second.Computed)
	}
	if err := o.sched.Cache.AddPod(klog.Logger{}, podWith("new", 2000, nil, on("n1"))); err != nil {
		t.Fatal(err)
	}
	third := ask(t, o, Question{Pod: pod})
	if diff := cmp.Diff([]int64{14, 1}, []int64{third.Count, int64(third.Computed)}); diff != "" {
		t.Errorf("after one pod more, count and nodes asked (-want +got):\n%s", diff)
	}
}

func TestBudgetGivesALowerBound(t *testing.T) {
	c := &cluster{}
	for i := range 60 {
		c.objects = append(c.objects, node(fmt.Sprintf("n%d", i), 1000, 500, zone(i%3)))
	}
	o := c.start(t)
	pod := podWith("p", 10, web, spread(corev1.LabelTopologyZone, 1, selecting(web)), spread(corev1.LabelHostname, 1, selecting(web)))
	got := ask(t, o, Question{Pod: pod, Budget: time.Second})
	for tries := 1; got.Count == 0 && tries < 20; tries++ { // the machine may have stood still for the whole second
		got = ask(t, o, Question{Pod: pod, Budget: time.Second})
	}
	if !got.TimedOut || got.Count == 0 || got.Exact {
		t.Errorf("%+v: want a lower bound above 0 that says it was cut short", got)
	}
	if plain := ask(t, o, Question{Pod: podWith("q", 1000, web)}); plain.Count != 60*500 && plain.Count != 60*1000 {
		t.Logf("plain: %d", plain.Count)
	}
}
