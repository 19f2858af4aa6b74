package reschedule

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// scale writes spec.replicas of a template.
func (p planes) scale(t *testing.T, namespace, manifests string, replicas int) {
	t.Helper()
	objects, err := manifest.Parse([]byte(strings.ReplaceAll(manifests, "$NS", namespace)))
	if err != nil {
		t.Fatal(err)
	}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	if err := p.karmada.Patch(t.Context(), objects[0], patch); err != nil {
		t.Fatal(err)
	}
}

// namesOn are the pods that a node has.
func namesOn(t *testing.T, member client.Client, namespace, node string) []string {
	t.Helper()
	names := sets.New[string]()
	for _, pod := range podsIn(t, member, namespace) {
		if pod.Spec.NodeName == node {
			names.Insert(pod.Name)
		}
	}
	return sets.List(names)
}

// TestOrdinals: of an Advanced StatefulSet the highest ordinals move. One that waits below others stays, and that is said.
func TestOrdinals(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	store := strings.NewReplacer("$API", "apps.kruise.io/v1beta1", "$KIND", "StatefulSet", "$NAME", "store", "replicas: 6", "replicas: 4").
		Replace(ofTheStory)
	storyNode(t, p.members["member1"], ns, "ordinals-a", "2")
	storyNode(t, p.members["member2"], ns, "ordinals-c", "2")
	p.apply(t, ns, store)
	g.Eventually(running(t, p, ns), slow, "200ms").Should(Equal(4))
	// Two more find room on a second node alone: the highest of member1.
	storyNode(t, p.members["member1"], ns, "ordinals-b", "2")
	p.scale(t, ns, store, 6)
	g.Eventually(running(t, p, ns), slow, "200ms").Should(Equal(6))
	g.Expect(division(t, p, ns, "store-statefulset")).To(Equal(map[string]int32{"member1": 4, "member2": 2}))
	g.Expect(namesOn(t, p.members["member1"], ns, "ordinals-b")).To(Equal([]string{"store-2", "store-3"}))
	storyNode(t, p.members["member2"], ns, "ordinals-d", "2")

	ran := loseNode(t, p, ns, "ordinals-a")
	g.Eventually(said(t, p, ns, "StatefulSet", "PodsStay"), slow, "200ms").Should(ContainSubstring("waits below others"))
	g.Expect(division(t, p, ns, "store-statefulset")).To(Equal(map[string]int32{"member1": 4, "member2": 2}), "nothing moved")
	g.Expect(stillRun(t, p, ns, ran)).To(BeEmpty(), "ran and were stopped")
	storyNode(t, p.members["member1"], ns, "ordinals-e", "2")
	g.Eventually(running(t, p, ns), slow, "200ms").Should(Equal(6), "all run on a new node")

	ran = loseNode(t, p, ns, "ordinals-b")
	g.Eventually(running(t, p, ns), slow, "200ms").Should(Equal(6), "the two highest run elsewhere")
	g.Expect(division(t, p, ns, "store-statefulset")).To(Equal(map[string]int32{"member1": 2, "member2": 4}))
	g.Expect(stillRun(t, p, ns, ran)).To(BeEmpty(), "ran and were stopped")
}

const componentOfTheStory = `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: $NS, name: front}
spec:
  workloadType: Deployment
  developLanguage: go
  runType: server
  image: registry.example/front:v1
  port: 8080
  replicas: 6
  patches:
  - target: {kind: Deployment}
    patch:
      spec:
        template:
          spec:
            nodeSelector: {story: $NS}
            tolerations: [{key: story, value: $NS}]
            containers: [{name: main, resources: {requests: {cpu: "1"}}}]
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: front}
spec:
  resourceSelectors:
  - {apiVersion: component.luojilab.com/v1alpha1, kind: Component, name: front}
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
`

// TestComponent: the pods are those of what was made of the Component in its member; its replicas move like any others.
func TestComponent(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	storyNode(t, p.members["member1"], ns, "component-a", "2")
	storyNode(t, p.members["member1"], ns, "component-b", "2")
	storyNode(t, p.members["member2"], ns, "component-c", "2")
	p.apply(t, ns, componentOfTheStory)
	g.Eventually(running(t, p, ns), slow, "200ms").Should(Equal(6))
	g.Expect(division(t, p, ns, "front-component")).To(Equal(map[string]int32{"member1": 4, "member2": 2}))
	storyNode(t, p.members["member2"], ns, "component-d", "2")
	ran := loseNode(t, p, ns, "component-b")
	g.Eventually(running(t, p, ns), slow, "200ms").Should(Equal(6), "all run elsewhere")
	g.Expect(division(t, p, ns, "front-component")).To(Equal(map[string]int32{"member1": 2, "member2": 4}))
	g.Expect(stillRun(t, p, ns, ran)).To(BeEmpty(), "ran and were stopped")
	// Two at once, or one after the other where one had waited for long enough before the other.
	g.Eventually(said(t, p, ns, "Component", "Moved"), slow, "200ms").Should(Or(
		HavePrefix("moved 2 of 4 replicas from member1"),
		And(ContainSubstring("moved 1 of 4 replicas from member1"), ContainSubstring("moved 1 of 3 replicas from member1"))))
}
