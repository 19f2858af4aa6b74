package reschedule

import (
	"context"
	"maps"
	"strings"
	"testing"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ofTheStory is a workload whose pods run on the nodes of one story only, one processor each.
const ofTheStory = `
apiVersion: $API
kind: $KIND
metadata: {namespace: $NS, name: $NAME}
spec:
  replicas: 6
  selector: {matchLabels: {app: $NAME}}
  template:
    metadata: {labels: {app: $NAME}}
    spec:
      nodeSelector: {story: $NS}
      tolerations: [{key: story, value: $NS}]
      containers:
      - {name: main, image: "registry.example/web:v1", resources: {requests: {cpu: "1"}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: $NAME}
spec:
  resourceSelectors:
  - {apiVersion: $API, kind: $KIND, name: $NAME}
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
`

// storyNode adds a node for the pods of one story, made like the member's others.
func storyNode(t *testing.T, member client.Client, namespace, name, cpu string) {
	t.Helper()
	var nodes corev1.NodeList
	if err := member.List(t.Context(), &nodes, client.Limit(1)); err != nil || len(nodes.Items) == 0 {
		t.Fatalf("reading a node: %v", err)
	}
	like := nodes.Items[0]
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: like.Annotations, Labels: maps.Clone(like.Labels)}}
	node.Labels["story"], node.Labels["kubernetes.io/hostname"] = namespace, name
	node.Spec.Taints = []corev1.Taint{{Key: "story", Value: namespace, Effect: corev1.TaintEffectNoSchedule}}
	node.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu),
		corev1.ResourceMemory: resource.MustParse("32Gi"), corev1.ResourcePods: resource.MustParse("110")}
	node.Status.Allocatable = node.Status.Capacity
	if err := member.Create(t.Context(), node); err != nil {
		t.Fatalf("making node %s: %v", name, err)
	}
	t.Cleanup(func() { _ = member.Delete(context.Background(), node) }) // some are lost in the story
}

// loseNode takes a node of member1 away with all its pods, at once, as a machine that dies. It returns the story's pods that ran on others,
// in all members: who looked for them afterwards might come when some of them are gone already.
func loseNode(t *testing.T, p planes, namespace, name string) map[types.UID]string {
	t.Helper()
	member, ran := p.members["member1"], onNodes(t, p, namespace)
	for _, pod := range podsIn(t, member, namespace) {
		if pod.Spec.NodeName == name {
			delete(ran, pod.UID)
		}
	}
	if err := member.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		t.Fatal(err)
	}
	if err := member.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(namespace),
		client.MatchingFields{"spec.nodeName": name}, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	return ran
}

func podsIn(t *testing.T, member client.Client, namespace string) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	if err := member.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// members of the stories; member4 is lost in one of them.
var members = []string{"member1", "member2", "member3"}

// onNodes are the UIDs of pods that have a node, in all members of the stories. A scheduler that has not heard yet that a node is lost may
// still give it a pod, which runs nowhere.
func onNodes(t *testing.T, p planes, namespace string) map[types.UID]string {
	t.Helper()
	running := map[types.UID]string{}
	for _, name := range members {
		pods := podsIn(t, p.members[name], namespace)
		var nodes corev1.NodeList
		if err := p.members[name].List(t.Context(), &nodes); err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for i := range nodes.Items {
			there[nodes.Items[i].Name] = true
		}
		for _, pod := range pods {
			if pod.DeletionTimestamp == nil && there[pod.Spec.NodeName] {
				running[pod.UID] = name + "/" + pod.Name
			}
		}
	}
	return running
}

// running is how many pods have a node.
func running(t *testing.T, p planes, namespace string) func() int {
	return func() int { return len(onNodes(t, p, namespace)) }
}

// division is what a binding gives each member, and fails the test when its sum is not what it is asked for.
func division(t *testing.T, p planes, namespace, binding string) map[string]int32 {
	t.Helper()
	rb := &workv1alpha2.ResourceBinding{}
	if err := p.karmada.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: binding}, rb); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	out := map[string]int32{}
	for _, c := range rb.Spec.Clusters {
		out[c.Name] = c.Replicas
	}
	return out
}

// said is all that rescheduling said of an object for a reason, a line each: it says so anew when more of its pods wait than before.
func said(t *testing.T, p planes, namespace, kind, reason string) func() string {
	return func() string {
		t.Helper()
		var list corev1.EventList
		if err := p.karmada.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, e := range list.Items {
			if e.InvolvedObject.Kind == kind && e.Reason == reason {
				lines = append(lines, e.Message)
			}
		}
		return strings.Join(lines, "\n")
	}
}

// stillRun says which of the pods that ran are gone.
func stillRun(t *testing.T, p planes, namespace string, ran map[types.UID]string) []string {
	t.Helper()
	now := onNodes(t, p, namespace)
	var gone []string
	for uid, name := range ran {
		if now[uid] == "" {
			gone = append(gone, name)
		}
	}
	return gone
}

// TestReschedule: a member loses a node under a CloneSet and a Deployment. All replicas come to run elsewhere, as many moved as waited, and
// no pod that had a node was stopped.
func TestReschedule(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	// Twelve fit, and no more: half of them are in member1, whatever an estimator knew of the nodes when it was asked.
	storyNode(t, p.members["member1"], ns, "reschedule-a", "3")
	storyNode(t, p.members["member1"], ns, "reschedule-b", "3")
	storyNode(t, p.members["member2"], ns, "reschedule-c", "6")
	for kind, api := range map[string]string{"CloneSet": "apps.kruise.io/v1alpha1", "Deployment": "apps/v1"} {
		p.apply(t, ns, strings.NewReplacer("$API", api, "$KIND", kind, "$NAME", strings.ToLower(kind)).Replace(ofTheStory))
	}
	running := running(t, p, ns)
	g.Eventually(running, slow, "200ms").Should(Equal(12))
	books := func() [2]map[string]int32 {
		return [2]map[string]int32{division(t, p, ns, "cloneset-cloneset"), division(t, p, ns, "deployment-deployment")}
	}
	before := books()
	g.Expect(before[0]["member1"]+before[1]["member1"]).To(BeEquivalentTo(6), "%v", before)
	storyNode(t, p.members["member2"], ns, "reschedule-d", "6")
	ran := loseNode(t, p, ns, "reschedule-a")
	g.Expect(ran).To(HaveLen(9))

	g.Eventually(running, slow, "200ms").Should(Equal(12), "all run elsewhere")
	g.Expect(stillRun(t, p, ns, ran)).To(BeEmpty(), "ran and were stopped")
	after := books()
	moved := after[0]["member2"] - before[0]["member2"] + after[1]["member2"] - before[1]["member2"]
	g.Expect(moved).To(BeEquivalentTo(3), "as many moved as waited: %v became %v", before, after)
	for i := range after {
		g.Expect(after[i]["member1"]+after[i]["member2"]).To(BeEquivalentTo(6), "the book is whole")
	}
}

// TestRescheduleFull: in a full federation nothing moves, and that is said; once a node is added, all run.
func TestRescheduleFull(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	storyNode(t, p.members["member1"], ns, "full-a", "2")
	storyNode(t, p.members["member1"], ns, "full-b", "2")
	storyNode(t, p.members["member2"], ns, "full-c", "2")
	p.apply(t, ns, strings.NewReplacer("$API", "apps.kruise.io/v1alpha1", "$KIND", "CloneSet", "$NAME", "web").Replace(ofTheStory))
	running := running(t, p, ns)
	g.Eventually(running, slow, "200ms").Should(Equal(6))
	loseNode(t, p, ns, "full-b")
	g.Eventually(said(t, p, ns, "CloneSet", "NoRoom"), slow, "200ms").Should(And(
		ContainSubstring("2 of 4 replicas wait in member1"), ContainSubstring("member2: full")))
	g.Expect(division(t, p, ns, "web-cloneset")).To(Equal(map[string]int32{"member1": 4, "member2": 2}))
	storyNode(t, p.members["member2"], ns, "full-d", "4")
	g.Eventually(running, slow, "200ms").Should(Equal(6), "all run once a node came")
	g.Expect(division(t, p, ns, "web-cloneset")).To(Equal(map[string]int32{"member1": 2, "member2": 4}))
}
