package reschedule

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// lostMember taints member4 while it is not Ready, and takes the taint off again: Karmada evicts nothing by itself.
const lostMember = `
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterTaintPolicy
metadata: {name: lost-member}
spec:
  targetClusters: {clusterNames: [member4]}
  taints: [{key: cluster.karmada.io/not-ready, effect: NoExecute}]
  addOnConditions: [{conditionType: Ready, operator: In, statusValues: ["False", "Unknown"]}]
  removeOnConditions: [{conditionType: Ready, operator: In, statusValues: ["True"]}]
`

const workloadOfThree = `
apiVersion: $API
kind: $KIND
metadata: {namespace: $NS, name: $NAME}
spec:
  replicas: 3
  selector: {matchLabels: {app: $NAME}}
  template:
    metadata: {labels: {app: $NAME}}
    spec:
      nodeSelector: {story: $NS}
      tolerations: [{key: story, value: $NS}]
      containers:
      - {name: main, image: "registry.example/web:v1", resources: {requests: {cpu: "1"}}}
---
`

const componentOfThree = `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: $NS, name: $NAME}
spec:
  workloadType: Deployment
  developLanguage: go
  runType: server
  image: registry.example/front:v1
  port: 8080
  replicas: 3
  patches:
  - target: {kind: Deployment}
    patch: {spec: {template: {spec: {nodeSelector: {story: $NS}, tolerations: [{key: story, value: $NS}]}}}}
---
`

// policyOfThree divides it evenly, and says what happens in a cluster failure.
const policyOfThree = `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: $NAME}
spec:
  resourceSelectors:
  - {apiVersion: $API, kind: $KIND, name: $NAME}
  $FAILOVER
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member4]}
    clusterTolerations: [{key: cluster.karmada.io/not-ready, operator: Exists, effect: NoExecute$SECONDS}]
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 1}
        - {targetCluster: {clusterNames: [member2]}, weight: 1}
        - {targetCluster: {clusterNames: [member4]}, weight: 1}
`

// stagedRelease lets a change of Deployment staged into member1, and into the others once somebody agrees.
const stagedRelease = `
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {namespace: $NS, name: staged}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: staged}
  stages: [{name: first, clusters: {names: [member1]}, gates: {approvals: 1}}, {name: all}]
`

// app is one of three replicas, one in each member.
type app struct {
	name, api, kind string
	// failover is what its policy says of it, and seconds for how long it tolerates a lost member; empty is for ever.
	failover, seconds string
}

func (a app) binding() string { return a.name + "-" + strings.ToLower(a.kind) }

func (a app) manifests() string {
	workload := workloadOfThree
	if a.kind == "Component" {
		workload = componentOfThree
	}
	seconds := ""
	if a.seconds != "" {
		seconds = ", tolerationSeconds: " + a.seconds
	}
	return a.filled(workload, seconds) + a.filled(policyOfThree, seconds)
}

func (a app) filled(text, seconds string) string {
	return strings.NewReplacer("$API", a.api, "$KIND", a.kind, "$NAME", a.name, "$FAILOVER", a.failover, "$SECONDS", seconds).Replace(text)
}

// policy of an application that tolerates a lost member for ever.
func (a app) policy() string { return a.filled(policyOfThree, "") }

var (
	// moving are made elsewhere, staying are not.
	moving = []app{
		{name: "web", api: "apps.kruise.io/v1alpha1", kind: "CloneSet", seconds: "3"},
		{name: "desk", api: "apps/v1", kind: "Deployment", failover: "failover: {cluster: {purgeMode: Directly}}", seconds: "3"},
		{name: "front", api: "component.luojilab.com/v1alpha1", kind: "Component", seconds: "3"},
		{name: "staged", api: "apps/v1", kind: "Deployment", seconds: "3"},
		auto,
	}
	staying = []app{
		{name: "patient", api: "apps/v1", kind: "Deployment", seconds: "600"},
		{name: "store", api: "apps.kruise.io/v1beta1", kind: "StatefulSet"},
	}
	// survivors are the members that are not lost.
	survivors = []string{"member1", "member2"}
	// oneEach is how all of them are divided.
	oneEach = map[string]int32{"member1": 1, "member2": 1, "member4": 1}
)

// failing is the story's federation.
type failing struct {
	*WithT
	planes
	t  *testing.T
	ns string
}

// ready waits until karmada-controller-manager says so of member4.
func (f failing) ready(want bool) {
	f.t.Helper()
	f.Eventually(func() (bool, error) {
		cluster := &clusterv1alpha1.Cluster{}
		err := f.karmada.Get(f.t.Context(), client.ObjectKey{Name: "member4"}, cluster)
		return meta.IsStatusConditionTrue(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady), err
	}, slow, "200ms").Should(Equal(want), "member4 is Ready")
}

// pods of one application with a node: where they are, and their image.
func (f failing) pods(of string, members ...string) map[types.UID]string {
	f.t.Helper()
	out := map[types.UID]string{}
	for _, member := range members {
		for _, pod := range podsIn(f.t, f.members[member], f.ns) {
			if strings.HasPrefix(pod.Name, of+"-") && pod.DeletionTimestamp == nil && pod.Spec.NodeName != "" {
				out[pod.UID] = member + "/" + pod.Name + " " + pod.Spec.Containers[0].Image
			}
		}
	}
	return out
}

// all pods with a node, in every member.
func (f failing) all() map[types.UID]string {
	f.t.Helper()
	out := map[types.UID]string{}
	for _, a := range slices.Concat(moving, staying) {
		maps.Copy(out, f.pods(a.name, everywhere...))
	}
	return out
}

func (f failing) evicting(binding string) int {
	f.t.Helper()
	rb := &workv1alpha2.ResourceBinding{}
	f.Expect(f.karmada.Get(f.t.Context(), client.ObjectKey{Namespace: f.ns, Name: binding}, rb)).To(Succeed())
	return len(rb.Spec.GracefulEvictionTasks)
}

// setUp runs every application, one pod in each member, and has a change of one of them held in member2 and member4. In between the
// member flaps, when there is nothing yet that would not tolerate it.
func (f failing) setUp() stay {
	f.t.Helper()
	f.apply(f.t, f.ns, lostMember)
	for _, member := range everywhere {
		storyNode(f.t, f.members[member], f.ns, "lost-"+member, "21")
	}
	f.run(staying)
	kept := f.setUpStay()
	f.Eventually(f.all, slow, "200ms").Should(HaveLen(6))
	f.flap(kept, f.all())
	f.scaled()
	f.run(slices.DeleteFunc(slices.Clone(moving), func(a app) bool { return a == auto }))
	f.Eventually(f.all, slow, "200ms").Should(HaveLen(21))
	f.apply(f.t, f.ns, stagedRelease)
	f.Eventually(func() (bool, error) {
		release := &releasev1alpha1.Release{}
		err := f.karmada.Get(f.t.Context(), client.ObjectKey{Namespace: f.ns, Name: "staged"}, release)
		return meta.IsStatusConditionTrue(release.Status.Conditions, releasev1alpha1.ConditionComplete), err
	}, slow, "200ms").Should(BeTrue(), "changes of staged are held from here on")
	f.Expect(f.karmada.Patch(f.t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: f.ns, Name: "staged"}},
		client.RawPatch(types.StrategicMergePatchType,
			[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"registry.example/web:v2"}]}}}}`)))).To(Succeed())
	f.Eventually(func() []string { return f.images("staged", "member1") }, slow, "200ms").Should(Equal([]string{"registry.example/web:v2"}))
	return kept
}

// run applications, one pod in each member.
func (f failing) run(apps []app) {
	f.t.Helper()
	for _, a := range apps {
		f.apply(f.t, f.ns, a.manifests())
		f.Eventually(f.booked(a), slow, "200ms").Should(Equal(oneEach), a.name)
	}
}

// images of an application's pods, each once.
func (f failing) images(of string, members ...string) []string {
	f.t.Helper()
	found := map[string]bool{}
	for _, pod := range f.pods(of, members...) {
		found[pod[strings.IndexByte(pod, ' ')+1:]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// TestMemberLost plays Karmada's cluster failure with our kinds. What does not tolerate it for as long is made elsewhere, once, whatever
// the purge mode, and under a FedHPA too; what tolerates it, for ten minutes or for ever, and what a Migration has in hand, is not made
// twice and has lost nothing when the member is back, machines among it; what a Release holds stays held; nobody who ran elsewhere is
// stopped for it; and of what moved the old pods go then. A member that only flaps changes nothing.
func TestMemberLost(t *testing.T) {
	t.Parallel()
	f := failing{WithT: NewWithT(t), planes: federation(t), t: t}
	f.ns = newNamespace(t, f.planes)
	t.Cleanup(func() { // a member that is away keeps the namespace
		if err := shared.Start(context.WithoutCancel(t.Context()), "member4"); err != nil {
			t.Errorf("bringing member4 back: %v", err)
		}
	})
	kept := f.setUp()
	ran := f.all()
	began := clock.RealClock{}.Now()
	after := func() time.Duration { return clock.RealClock{}.Since(began).Round(time.Second) }
	f.Expect(shared.Stop(t.Context(), "member4")).To(Succeed())
	f.ready(false)
	t.Logf("member4 is not Ready %s after it was lost", after())
	for _, a := range moving {
		f.Eventually(func() int { return len(f.pods(a.name, survivors...)) }, slow, "200ms").Should(Equal(3), a.name+" runs elsewhere")
		t.Logf("%s runs elsewhere %s after it", a.name, after())
		// A FedHPA may have one more for a moment, where the scheduler gave the lost one's share to another than it did.
		f.Eventually(func(g Gomega) {
			now := division(t, f.planes, f.ns, a.binding())
			g.Expect(now["member1"]+now["member2"]).To(BeEquivalentTo(3), "the book of %s is whole: %v", a.name, now)
			g.Expect(now).NotTo(HaveKey("member4"), a.name)
		}, slow, "200ms").Should(Succeed())
	}
	for _, a := range staying {
		f.Expect(division(t, f.planes, f.ns, a.binding())).To(Equal(oneEach), a.name)
		f.Expect(f.pods(a.name, survivors...)).To(HaveLen(2), a.name+" is not made twice")
	}
	f.stayed(kept, survivors...)
	f.Expect(f.images("staged", "member1")).To(Equal([]string{"registry.example/web:v2"}))
	f.Expect(f.images("staged", "member2")).To(Equal([]string{"registry.example/web:v1"}), "the Release holds it")

	f.Expect(shared.Start(t.Context(), "member4")).To(Succeed())
	f.ready(true)
	for _, a := range moving {
		old := func() map[types.UID]string { return f.pods(a.name, "member4") }
		f.Eventually(old, slow, "200ms").Should(BeEmpty(), "old pods of "+a.name)
		f.Eventually(func() int { return f.evicting(a.binding()) }, slow, "200ms").Should(BeZero(), a.name)
	}
	f.Eventually(f.all, slow, "200ms").Should(HaveLen(21), "nobody twice, nobody lost")
	now := f.all()
	f.goesOn(kept)
	for uid, pod := range ran {
		moved := slices.ContainsFunc(moving, func(a app) bool { return strings.HasPrefix(pod, "member4/"+a.name+"-") })
		if !moved {
			f.Expect(now).To(HaveKey(uid), pod+" ran and was stopped")
		}
	}
}
