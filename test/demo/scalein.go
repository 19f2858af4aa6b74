package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

const scaleInNamespace = "demo-scalein"

// scaleIn is a PodScaleIn: pods chosen by name, from the control plane.
func scaleIn() Scene {
	return Scene{
		Name:  "scalein",
		Title: "three pods by name, in two clusters, and no other",
		Why: `Someone must get rid of exactly these pods: a bad node, a hot shard. Names alone would be replaced by new
pods, fewer replicas alone would pick pods by ranking. A PodScaleIn brings both to each member in one
update, and the template, the scheduling result and the members agree afterwards.`,
		Play: playScaleIn,
	}
}

func playScaleIn(ctx context.Context, s *Stage) error {
	s.Step("Apply a CloneSet of 9 replicas for three members")
	if err := s.Fresh(ctx, scaleInNamespace); err != nil {
		return err
	}
	if err := s.Apply(ctx, fleetManifests(scaleInNamespace, 9)); err != nil {
		return err
	}
	if !s.Expect(ctx, "Ready pods in the three members", "3+3+3", s.sharesOf(scaleInNamespace)) {
		return fmt.Errorf("there is nothing to scale in")
	}
	before, err := machine.Answered(ctx, s.podNames)
	if err != nil {
		return err
	}
	scheduledBefore, err := machine.Answered(ctx, s.scaleInScheduled)
	if err != nil {
		return err
	}
	named := []v1alpha1.PodReference{
		{Cluster: "member1", Name: before["member1"][0]}, {Cluster: "member1", Name: before["member1"][2]}, {Name: before["member2"][1]},
	}
	s.Step("Order three pods away: two of member1, one whose cluster is not named")
	order := &v1alpha1.PodScaleIn{}
	order.Namespace, order.Name = scaleInNamespace, "bad-nodes"
	order.Spec = v1alpha1.PodScaleInSpec{
		TargetRef: v1alpha1.ScaleInTarget{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
		Pods:      named, Reason: "hosts with failing disks",
	}
	if err := s.Karmada.Create(ctx, order); err != nil {
		return fmt.Errorf("creating the PodScaleIn: %w", err)
	}
	if err := s.pushTemplate(ctx); err != nil {
		return err
	}
	want := map[string][]string{
		"member1": {before["member1"][1]}, "member2": {before["member2"][0], before["member2"][2]}, "member3": before["member3"],
	}
	s.Expect(ctx, "the order", "Succeeded", func(ctx context.Context) (string, error) {
		err := s.Karmada.Get(ctx, client.ObjectKeyFromObject(order), order)
		return string(order.Status.Phase), err
	})
	s.Expect(ctx, "the pods that are left, by name", listed(want), func(ctx context.Context) (string, error) {
		now, err := s.podNames(ctx)
		return listed(now), err
	})
	s.Expect(ctx, "the books", "template 6, binding 1+2+3 of 6, members 1+2+3", s.scaleInBooks)
	s.Expect(ctx, "the scheduler ran meanwhile", "no", func(ctx context.Context) (string, error) {
		now, err := s.scaleInScheduled(ctx)
		if now != scheduledBefore {
			return "yes", err
		}
		return "no", err
	})
	return nil
}

// pushTemplate changes the template while the order is at work, as a release pipeline does.
func (s *Stage) pushTemplate(ctx context.Context) error {
	s.Say("and push the template five times meanwhile, as a release pipeline may")
	for i := range 5 {
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{"release":"r%d"}}}`, i)
		if err := s.Karmada.Patch(ctx, cloneSetObject(scaleInNamespace), client.RawPatch(types.MergePatchType, patch)); err != nil {
			return fmt.Errorf("pushing the template: %w", err)
		}
	}
	return nil
}

// podNames are the pods that are not on their way out, by member and in order.
func (s *Stage) podNames(ctx context.Context) (map[string][]string, error) {
	out := map[string][]string{}
	for name, member := range s.Members {
		var pods corev1.PodList
		if err := member.List(ctx, &pods, client.InNamespace(scaleInNamespace)); err != nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", name, err)
		}
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp == nil {
				out[name] = append(out[name], pod.Name)
			}
		}
		slices.Sort(out[name])
	}
	return out, nil
}

func listed(names map[string][]string) string {
	var out []string
	for _, member := range slices.Sorted(maps.Keys(names)) {
		out = append(out, member+": "+strings.Join(names[member], " "))
	}
	return strings.Join(out, "; ")
}

func (s *Stage) scaleInBinding(ctx context.Context) (*workv1alpha2.ResourceBinding, error) {
	binding := &workv1alpha2.ResourceBinding{}
	err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: scaleInNamespace, Name: "web-cloneset"}, binding)
	return binding, err
}

func (s *Stage) scaleInScheduled(ctx context.Context) (string, error) {
	binding, err := s.scaleInBinding(ctx)
	if err != nil {
		return "", err
	}
	// It is written after the division, which pods may be faster to follow.
	if binding.Status.LastScheduledTime == nil {
		return "", errors.New("the scheduler has not said when it divided")
	}
	return binding.Status.LastScheduledTime.String(), nil
}

// scaleInBooks are the three places that must tell the same.
func (s *Stage) scaleInBooks(ctx context.Context) (string, error) {
	template := cloneSetObject(scaleInNamespace)
	if err := s.Karmada.Get(ctx, client.ObjectKeyFromObject(template), template); err != nil {
		return "", err
	}
	binding, err := s.scaleInBinding(ctx)
	if err != nil {
		return "", err
	}
	members, err := s.CloneSets(ctx, scaleInNamespace, "web")
	if err != nil {
		return "", err
	}
	booked := map[string]int32{}
	for _, c := range binding.Spec.Clusters {
		booked[c.Name] = c.Replicas
	}
	return fmt.Sprintf("template %d, binding %d+%d+%d of %d, members %d+%d+%d", *template.Spec.Replicas,
		booked["member1"], booked["member2"], booked["member3"], binding.Spec.Replicas,
		replicasOf(members["member1"]), replicasOf(members["member2"]), replicasOf(members["member3"])), nil
}

func replicasOf(cs *kruisev1alpha1.CloneSet) int32 {
	if cs == nil || cs.Spec.Replicas == nil {
		return 0
	}
	return *cs.Spec.Replicas
}
