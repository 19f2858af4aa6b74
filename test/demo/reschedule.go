package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab/machine"
)

const rescheduleNamespace = "demo-reschedule"

// rescheduling shows that of a member that lost a node just the replicas move that cannot run.
func rescheduling() Scene {
	return Scene{
		Name:  "reschedule",
		Alone: true,
		Title: "a member loses a node: the two replicas that cannot run move, and nobody else",
		Why: `karmada-scheduler divides replicas once. When a member loses nodes afterwards, pods wait there for ever, although another
member has room. Argosy asks for room first, then moves exactly what waits, in one write: no pod that runs is stopped.`,
		Play: playReschedule,
	}
}

// Four members' nodes of two processors, which only this scene's pods may use, hold eight replicas and no more.
const rescheduleManifests = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: demo-reschedule, name: web}
spec:
  replicas: 8
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {scene: reschedule}
      tolerations: [{key: scene, value: reschedule}]
      containers:
      - {name: web, image: "registry.example/web:v1", resources: {requests: {cpu: "1"}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-reschedule, name: web}
spec:
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
`

func playReschedule(ctx context.Context, s *Stage) (err error) {
	s.Step("Two nodes in member1 and two in member2 hold eight replicas, and no more")
	if err := s.empty(ctx, rescheduleNamespace); err != nil { // of an earlier performance
		return err
	}
	nodes := map[string]string{"scene-a": "member1", "scene-b": "member1", "scene-c": "member2", "scene-d": "member2", "scene-e": "member2"}
	remove := func(ctx context.Context) error {
		for name, member := range nodes {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if err := client.IgnoreNotFound(s.Members[member].Delete(ctx, node)); err != nil {
				return fmt.Errorf("removing node %s: %w", name, err)
			}
		}
		return nil
	}
	if err := remove(ctx); err != nil { // an earlier performance may have been cut off
		return err
	}
	defer func() {
		if removed := remove(context.WithoutCancel(ctx)); err == nil {
			err = removed
		}
	}()
	for _, name := range []string{"scene-a", "scene-b", "scene-c", "scene-d"} {
		if err := s.sceneNode(ctx, nodes[name], name); err != nil {
			return err
		}
	}
	before, err := s.placeOnNodes(ctx)
	if err != nil {
		return err
	}

	s.Step("member2 grows by a node, and member1 loses one with two pods")
	if err := s.sceneNode(ctx, "member2", "scene-e"); err != nil {
		return err
	}
	if err := s.loseNode(ctx, "member1", "scene-b"); err != nil {
		return err
	}
	s.Say(`Karmada by itself leaves it so: two pods of member1 wait, and member2 has room. Its karmada-descheduler would lower member1
and start the scheduler, for Deployments only, whether anybody has room or not.`)
	elapsed := s.Elapsed()
	s.Expect(ctx, "replicas by ResourceBinding, and pods Ready", "member1=2 member2=6, 8 Ready", s.bookOfScene)
	s.ExpectUnder("from the lost node to all Ready (pods must have waited for ten seconds)", 2*readyAim, elapsed())
	s.Expect(ctx, "the six that ran", "run on", func(ctx context.Context) (string, error) {
		now, err := s.onNodes(ctx, "scene-a", "scene-c", "scene-d")
		if err != nil || !slices.Equal(before, now) {
			return fmt.Sprintf("%v, were %v", now, before), err
		}
		return "run on", nil
	})
	s.Expect(ctx, "the CloneSet's events say", "2 replicas moved from member1 to member2", s.movedWords)
	return nil
}

// placeOnNodes has the replicas run on the four nodes; it returns the pods on those nodes that stay.
func (s *Stage) placeOnNodes(ctx context.Context) ([]string, error) {
	s.Expect(ctx, "members whose estimator karmada-scheduler has dialled", fmt.Sprint(len(s.Members)), s.estimatorsDialled)
	err := s.placeEstimated(ctx, client.ObjectKey{Namespace: rescheduleNamespace, Name: "web-cloneset"}, func() error {
		return errors.Join(s.Fresh(ctx, rescheduleNamespace), s.Apply(ctx, rescheduleManifests))
	})
	if err != nil {
		return nil, err
	}
	if !s.Expect(ctx, "replicas by ResourceBinding, and pods Ready", "member1=4 member2=4, 8 Ready", s.bookOfScene) {
		return nil, fmt.Errorf("the scene needs eight replicas on four nodes")
	}
	return machine.Answered(ctx, func(ctx context.Context) ([]string, error) {
		return s.onNodes(ctx, "scene-a", "scene-c", "scene-d")
	})
}

// sceneNode adds a node of two processors, made like the member's others, that only the scene's pods tolerate.
func (s *Stage) sceneNode(ctx context.Context, member, name string) error {
	var nodes corev1.NodeList
	if err := s.Members[member].List(ctx, &nodes); err != nil || len(nodes.Items) == 0 {
		return fmt.Errorf("reading a node of %s: %w", member, err)
	}
	like := nodes.Items[0]
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: like.Annotations, Labels: maps.Clone(like.Labels)}}
	node.Labels["scene"], node.Labels[corev1.LabelHostname] = "reschedule", name
	node.Spec.Taints = []corev1.Taint{{Key: "scene", Value: "reschedule", Effect: corev1.TaintEffectNoSchedule}}
	node.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"),
		corev1.ResourceMemory: resource.MustParse("32Gi"), corev1.ResourcePods: resource.MustParse("110")}
	node.Status.Allocatable = node.Status.Capacity
	if err := s.Members[member].Create(ctx, node); err != nil {
		return fmt.Errorf("making node %s of %s: %w", name, member, err)
	}
	return nil
}

// loseNode takes a node away with all its pods, as a machine that dies.
func (s *Stage) loseNode(ctx context.Context, member, name string) error {
	if err := s.Members[member].Delete(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return fmt.Errorf("losing node %s: %w", name, err)
	}
	var pods corev1.PodList
	if err := s.Members[member].List(ctx, &pods, client.InNamespace(rescheduleNamespace)); err != nil {
		return fmt.Errorf("listing the pods of %s: %w", member, err)
	}
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName != name {
			continue
		}
		err := s.Members[member].Delete(ctx, &pods.Items[i], client.GracePeriodSeconds(0))
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("losing pod %s: %w", pods.Items[i].Name, err)
		}
	}
	return nil
}

// onNodes are the UIDs of the scene's pods on some nodes, in order.
func (s *Stage) onNodes(ctx context.Context, nodes ...string) ([]string, error) {
	var out []string
	for name, member := range s.Members {
		var pods corev1.PodList
		if err := member.List(ctx, &pods, client.InNamespace(rescheduleNamespace)); err != nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", name, err)
		}
		for _, pod := range pods.Items {
			if slices.Contains(nodes, pod.Spec.NodeName) {
				out = append(out, string(pod.UID))
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// bookOfScene is the division, and how many pods are Ready.
func (s *Stage) bookOfScene(ctx context.Context) (string, error) {
	rb := &workv1alpha2.ResourceBinding{}
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: rescheduleNamespace, Name: "web-cloneset"}, rb); err != nil {
		return "", err
	}
	var shares []string
	for _, c := range rb.Spec.Clusters {
		shares = append(shares, fmt.Sprintf("%s=%d", c.Name, c.Replicas))
	}
	slices.Sort(shares)
	ready, err := s.ReadyPods(ctx, rescheduleNamespace)
	sum := 0
	for _, n := range ready {
		sum += n
	}
	return fmt.Sprintf("%s, %d Ready", strings.Join(shares, " "), sum), err
}

// movedWords is what rescheduling said of the CloneSet, in sum: of two pods one may have waited long enough before the other.
func (s *Stage) movedWords(ctx context.Context) (string, error) {
	var list corev1.EventList
	if err := s.Karmada.List(ctx, &list, client.InNamespace(rescheduleNamespace)); err != nil {
		return "", err
	}
	moved := 0
	for _, e := range list.Items {
		if e.InvolvedObject.Kind != "CloneSet" || e.Reason != "Moved" {
			continue
		}
		var n, of int
		if _, err := fmt.Sscanf(e.Message, "moved %d of %d replicas from member1", &n, &of); err != nil ||
			!strings.Contains(e.Message, fmt.Sprintf("%d to member2", n)) {
			return e.Message, nil
		}
		moved += n
	}
	return fmt.Sprintf("%d replicas moved from member1 to member2", moved), nil
}
