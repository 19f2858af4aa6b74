package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab/machine"
)

const (
	shop = "demo-spread"
	// readyAim is generous to a busy machine; the seconds seen are printed.
	readyAim = 30 * time.Second
)

// spread is the first thing a federation must do, and the first thing stock Karmada gets wrong with
// an OpenKruise workload: a canary.
func spread() Scene {
	return Scene{
		Name:  "spread",
		Alone: true,
		Title: "one CloneSet, three clusters, and a canary of exactly one",
		Why: `An application owner writes one CloneSet, as for one cluster. Karmada divides its pods; OpenKruise runs
them in each member; Argosy tells Karmada what a CloneSet means, so that "update one pod of ten"
updates one pod of the whole fleet - not one in each cluster, and not none.`,
		Play: playSpread,
	}
}

const shopManifests = `
apiVersion: v1
kind: ConfigMap
metadata: {namespace: demo-spread, name: settings}
data: {greeting: hello}
---
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: demo-spread, name: shop}
spec:
  replicas: 10
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: registry.example/shop:v1
        resources: {requests: {cpu: 100m, memory: 64Mi}}
        envFrom: [{configMapRef: {name: settings}}]
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-spread, name: shop-cloneset}
spec:
  propagateDeps: true
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: shop}
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 1}
        - {targetCluster: {clusterNames: [member2]}, weight: 1}
        - {targetCluster: {clusterNames: [member3]}, weight: 1}
`

func playSpread(ctx context.Context, s *Stage) error {
	s.Step("Apply a ConfigMap, a CloneSet of 10 replicas that reads it, and a PropagationPolicy for the CloneSet")
	if err := s.Fresh(ctx, shop); err != nil {
		return err
	}
	before, err := machine.Answered(ctx, s.answers)
	if err != nil {
		return err
	}
	elapsed := s.Elapsed()
	if err := s.Apply(ctx, shopManifests); err != nil {
		return err
	}
	s.Expect(ctx, "Ready pods in the three members", "4+3+3", func(ctx context.Context) (string, error) {
		ready, err := s.ReadyPods(ctx, shop)
		return Shares(ready), err
	})
	s.ExpectUnder("from apply to all pods Ready", readyAim, elapsed())
	s.Expect(ctx, "members with the ConfigMap, which no policy names", "3", s.configMaps)
	s.Expect(ctx, "the template's status, summed", "10 replicas, 10 ready, 10 updated", s.templateStatus)
	s.Expect(ctx, "health, member by member", "Healthy Healthy Healthy", s.shopHealth)

	s.Step("Release v2 to one pod of ten: partition 9, a new image")
	s.Say(`Stock Karmada copies partition 9 into every member. A member of 3 or 4 pods then updates none of
them, and each member is called Unhealthy for it.`)
	if err := s.release(ctx, "registry.example/shop:v2", 9); err != nil {
		return err
	}
	s.ExpectHeld(ctx, 5*time.Second, "pods of v2, fleet-wide", "1 of 10", s.podsOf("registry.example/shop:v2"))
	s.Expect(ctx, "the members' partitions add up", "9", s.partitions)
	s.Expect(ctx, "the template's status", "10 replicas, 10 ready, 1 updated", s.templateStatus)
	s.Expect(ctx, "health during the canary", "Healthy Healthy Healthy", s.shopHealth)

	s.Step("Go on to half: partition 5")
	if err := s.release(ctx, "registry.example/shop:v2", 5); err != nil {
		return err
	}
	s.ExpectHeld(ctx, 3*time.Second, "pods of v2, fleet-wide", "5 of 10", s.podsOf("registry.example/shop:v2"))

	s.Step("Finish: partition 0")
	if err := s.release(ctx, "registry.example/shop:v2", 0); err != nil {
		return err
	}
	s.Expect(ctx, "pods of v2, fleet-wide", "10 of 10", s.podsOf("registry.example/shop:v2"))
	s.Expect(ctx, "the template's status", "10 replicas, 10 ready, 10 updated", s.templateStatus)
	return s.proveWhoAnswered(ctx, before)
}

// proveWhoAnswered shows that Argosy and not the Lua that Karmada ships gave these answers: every
// operation was asked of our webhook during this scene, and no customization stands in between.
func (s *Stage) proveWhoAnswered(ctx context.Context, before map[string]float64) error {
	s.Step("Who answered Karmada? Count what argosy-webhook was asked about CloneSets meanwhile")
	operations := []string{
		"AggregateStatus", "InterpretDependency", "InterpretHealth", "InterpretReplica", "InterpretStatus", "Retain", "ReviseReplica",
	}
	s.Expect(ctx, "interpreter operations asked of argosy-webhook", "all 7", func(ctx context.Context) (string, error) {
		after, err := s.answers(ctx)
		silent := slices.DeleteFunc(slices.Clone(operations), func(operation string) bool {
			return after[operation] > before[operation]
		})
		if len(silent) > 0 {
			return "not " + strings.Join(silent, ", "), err
		}
		return fmt.Sprintf("all %d", len(operations)), err
	})
	s.Expect(ctx, "customizations that would answer for CloneSets instead", "0", func(ctx context.Context) (string, error) {
		var list configv1alpha1.ResourceInterpreterCustomizationList
		err := s.Karmada.List(ctx, &list)
		n := 0
		for _, customization := range list.Items {
			if customization.Spec.Target.Kind == "CloneSet" {
				n++
			}
		}
		return fmt.Sprint(n), err
	})
	return nil
}

func (s *Stage) answers(ctx context.Context) (map[string]float64, error) {
	return s.Metric(ctx, "argosy/webhook", "argosy_interpreter_requests_total", "operation",
		map[string]string{"kind": "CloneSet", "result": "answered"})
}

func (s *Stage) configMaps(ctx context.Context) (string, error) {
	n := 0
	for _, member := range s.Members {
		err := member.Get(ctx, client.ObjectKey{Namespace: shop, Name: "settings"}, &corev1.ConfigMap{})
		if client.IgnoreNotFound(err) != nil {
			return "", err
		}
		if err == nil {
			n++
		}
	}
	return fmt.Sprint(n), nil
}

func (s *Stage) shopHealth(ctx context.Context) (string, error) {
	return s.Health(ctx, shop, "shop-cloneset")
}

func (s *Stage) template(ctx context.Context) (*kruisev1alpha1.CloneSet, error) {
	cs := &kruisev1alpha1.CloneSet{}
	err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: shop, Name: "shop"}, cs)
	return cs, err
}

func (s *Stage) templateStatus(ctx context.Context) (string, error) {
	cs, err := s.template(ctx)
	return fmt.Sprintf("%d replicas, %d ready, %d updated", cs.Status.Replicas, cs.Status.ReadyReplicas, cs.Status.UpdatedReplicas), err
}

func (s *Stage) release(ctx context.Context, image string, partition int) error {
	cs, err := s.template(ctx)
	if err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	next := cs.DeepCopy()
	next.Spec.Template.Spec.Containers[0].Image = image
	next.Spec.UpdateStrategy.Partition = ptr.To(intstr.FromInt32(int32(partition)))
	if err := s.Karmada.Patch(ctx, next, client.MergeFrom(cs)); err != nil {
		return fmt.Errorf("releasing %s: %w", image, err)
	}
	return nil
}

func (s *Stage) podsOf(image string) See {
	return func(ctx context.Context) (string, error) {
		of, all := 0, 0
		for _, member := range s.Members {
			var pods corev1.PodList
			if err := member.List(ctx, &pods, client.InNamespace(shop)); err != nil {
				return "", err
			}
			for _, pod := range pods.Items {
				if !isReady(pod) {
					continue
				}
				all++
				if pod.Spec.Containers[0].Image == image {
					of++
				}
			}
		}
		return fmt.Sprintf("%d of %d", of, all), nil
	}
}

func (s *Stage) partitions(ctx context.Context) (string, error) {
	sets, err := s.CloneSets(ctx, shop, "shop")
	sum := 0
	for _, cs := range sets {
		if cs.Spec.UpdateStrategy.Partition != nil {
			sum += cs.Spec.UpdateStrategy.Partition.IntValue()
		}
	}
	return fmt.Sprint(sum), err
}
