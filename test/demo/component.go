package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

const componentNamespace = "demo-component"

// component shows what a developer gets for five fields, and an old service taken over.
func component() Scene {
	return Scene{
		Name:  "component",
		Title: "a service in five fields, and an old one taken over without a restart",
		Why: `A developer writes workload type, language, run type, image and port. Each member renders its Deployment and
Service, with what its own platform team adds; status and reasons come back in plain words. A change comes to one copy
first and waits for a person; a template's change comes to one Component first, and no further when that one does not
serve; another load balancer comes before the old one goes. A Deployment that somebody made by hand is taken over as it
runs: the same pods, or nothing is touched and it says why.`,
		Play: playComponent,
	}
}

const fiveFields = `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: demo-component, name: python-demo, labels: {demo: component}}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: python-demo:1, port: 8080, replicas: 6}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-component, name: python-demo}
spec:
  resourceSelectors: [{apiVersion: component.luojilab.com/v1alpha1, kind: Component, name: python-demo}]
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

const disruptionTemplate = `
apiVersion: component.luojilab.com/v1alpha1
kind: ComponentTemplate
metadata: {name: demo-python}
spec:
  level: Language
  match: {languages: [python], componentSelector: {matchLabels: {demo: component}}}
  wave: {batchPercents: [100], intervalSeconds: 1}
  objects:
  - kind: PodDisruptionBudget
    object: {spec: {maxUnavailable: 1}}
`

const oldComponent = `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: demo-component, name: old}
spec:
  workloadType: Deployment
  developLanguage: python
  runType: server
  image: %s
  port: 8080
  replicas: 2
  svc: {type: None}
  adopt: {workload: legacy, selector: {app: legacy}, container: app}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-component, name: old}
spec:
  resourceSelectors: [{apiVersion: component.luojilab.com/v1alpha1, kind: Component, name: old}]
  placement: {clusterAffinity: {clusterNames: [member3]}}
`

func playComponent(ctx context.Context, s *Stage) error {
	if err := s.Fresh(ctx, componentNamespace); err != nil {
		return err
	}
	if err := s.removeTemplate(ctx); err != nil {
		return err
	}
	s.Step("Apply a Component of five fields, six copies over three members")
	if err := s.Apply(ctx, fiveFields+firstOfWave); err != nil {
		return err
	}
	s.Expect(ctx, "copies its Deployments run in the members", "2+2+2", s.copies)
	s.Expect(ctx, "what the developer reads", "Ready=True: 6 of 6 copies serve; http://python-demo.demo-component.svc:8080", s.developerReads)

	s.Step("Write a new image")
	if err := s.newImage(ctx, "python-demo", "python-demo:2"); err != nil {
		return err
	}
	s.Expect(ctx, "image of the pods, in the members", "python-demo:2 x6", s.images)
	s.Expect(ctx, "what the developer reads", "Ready=True: 6 of 6 copies serve; http://python-demo.demo-component.svc:8080", s.developerReads)

	s.Step("Let member2's platform team add a disruption budget for programs in python: nobody restarts for it")
	before, err := machine.Answered(ctx, s.uidsOf("member2", componentv1alpha1.LabelComponent, "python-demo"))
	if err != nil {
		return err
	}
	if err := Apply(ctx, s.Members["member2"], disruptionTemplate); err != nil {
		return err
	}
	s.Expect(ctx, "members with the budget", "member2", s.budgets)
	s.Expect(ctx, "pods of member2", "the same", s.samePods("member2", componentv1alpha1.LabelComponent, "python-demo", before))
	for _, part := range []func(context.Context) error{s.playSteps, s.playWave, s.playSwitch} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return s.playAdoption(ctx)
}

func (s *Stage) playAdoption(ctx context.Context) error {
	s.Step("Run an old Deployment of two pods in member3, made by hand; write a Component that is to be it, and gets the image wrong")
	if err := s.runLegacy(ctx); err != nil {
		return err
	}
	s.Expect(ctx, "copies of the old Deployment that serve", "2", s.legacyAvailable)
	before, err := machine.Answered(ctx, s.uidsOf("member3", "app", "legacy"))
	if err != nil {
		return err
	}
	if err := s.Apply(ctx, fmt.Sprintf(oldComponent, "legacy:2")); err != nil {
		return err
	}
	s.Expect(ctx, "what it says", "Rendered=False AdoptionWouldRestart: image is legacy:1 and would be legacy:2", s.adoptionSays)
	s.Expect(ctx, "pods of the old Deployment", "the same", s.samePods("member3", "app", "legacy", before))

	s.Step("Write the image that runs: it is taken over")
	if err := s.newImage(ctx, "old", "legacy:1"); err != nil {
		return err
	}
	s.Expect(ctx, "whose the old Deployment is", "Component old", s.legacyOwner)
	s.Expect(ctx, "pods of the old Deployment", "the same", s.samePods("member3", "app", "legacy", before))
	s.Step("Release the next version through the Component")
	if err := s.newImage(ctx, "old", "legacy:2"); err != nil {
		return err
	}
	s.Expect(ctx, "pods of the old Deployment", "2 others", s.samePods("member3", "app", "legacy", before))
	return s.removeTemplate(ctx)
}

// removeTemplate of this scene: templates have no namespace that would go with it.
func (s *Stage) removeTemplate(ctx context.Context) error {
	template := &componentv1alpha1.ComponentTemplate{ObjectMeta: metav1.ObjectMeta{Name: "demo-python"}}
	return client.IgnoreNotFound(s.Members["member2"].Delete(ctx, template))
}

func (s *Stage) copies(ctx context.Context) (string, error) {
	shares := map[string]int{}
	for name, member := range s.Members {
		d := &appsv1.Deployment{}
		if err := member.Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: "python-demo"}, d); err != nil {
			return "", err
		}
		shares[name] = int(d.Status.AvailableReplicas)
	}
	return Shares(shares), nil
}

func (s *Stage) developerReads(ctx context.Context) (string, error) {
	c := &componentv1alpha1.Component{}
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: "python-demo"}, c); err != nil {
		return "", err
	}
	ready := apimeta.FindStatusCondition(c.Status.Conditions, componentv1alpha1.ConditionReady)
	if ready == nil || len(c.Status.Endpoints) == 0 {
		return "nothing yet", nil
	}
	return fmt.Sprintf("Ready=%s: %d of %d copies serve; %s", ready.Status, c.Status.AvailableReplicas,
		ptr.Deref(c.Spec.Replicas, 1), c.Status.Endpoints[0].URL), nil
}

func (s *Stage) newImage(ctx context.Context, name, image string) error {
	return s.patchComponent(ctx, name, fmt.Sprintf(`{"spec":{"image":%q}}`, image))
}

func (s *Stage) componentPods(ctx context.Context, member, label, value string) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := s.Members[member].List(ctx, pods, client.InNamespace(componentNamespace), client.MatchingLabels{label: value})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of %s: %w", member, err)
	}
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil }), nil
}

func (s *Stage) images(ctx context.Context) (string, error) {
	count := map[string]int{}
	for name := range s.Members {
		pods, err := s.componentPods(ctx, name, componentv1alpha1.LabelComponent, "python-demo")
		if err != nil {
			return "", err
		}
		for _, pod := range pods {
			count[pod.Spec.Containers[0].Image]++
		}
	}
	var out []string
	for image, n := range count {
		out = append(out, fmt.Sprintf("%s x%d", image, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", "), nil
}

func (s *Stage) podUIDs(ctx context.Context, member, label, value string) ([]string, error) {
	pods, err := s.componentPods(ctx, member, label, value)
	var out []string
	for _, pod := range pods {
		out = append(out, string(pod.UID))
	}
	slices.Sort(out)
	return out, err
}

func (s *Stage) uidsOf(member, label, value string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) { return s.podUIDs(ctx, member, label, value) }
}

// samePods compares the pods with those of before.
func (s *Stage) samePods(member, label, value string, before []string) See {
	return func(ctx context.Context) (string, error) {
		now, err := s.podUIDs(ctx, member, label, value)
		if err != nil || slices.Equal(before, now) {
			return "the same", err
		}
		others := 0
		for _, uid := range now {
			if !slices.Contains(before, uid) {
				others++
			}
		}
		if others < len(now) {
			return fmt.Sprintf("%d of %d others", others, len(now)), nil
		}
		return fmt.Sprintf("%d others", others), nil
	}
}

func (s *Stage) budgets(ctx context.Context) (string, error) {
	var out []string
	for name, member := range s.Members {
		err := member.Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: "python-demo"}, &policyv1.PodDisruptionBudget{})
		if client.IgnoreNotFound(err) != nil {
			return "", err
		}
		if !apierrors.IsNotFound(err) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", "), nil
}

// runLegacy makes the old Deployment as kubectl create does.
func (s *Stage) runLegacy(ctx context.Context) error {
	labels := map[string]string{"app": "legacy"}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: componentNamespace, Name: "legacy"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "app", Image: "legacy:1", Ports: []corev1.ContainerPort{{Name: "main", ContainerPort: 8080}}}},
			}},
		},
	}
	if err := s.Members["member3"].Create(ctx, d, client.FieldOwner("kubectl-create")); err != nil {
		return fmt.Errorf("making the old Deployment: %w", err)
	}
	return nil
}

func (s *Stage) legacy(ctx context.Context) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	err := s.Members["member3"].Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: "legacy"}, d)
	return d, err
}

func (s *Stage) legacyAvailable(ctx context.Context) (string, error) {
	d, err := s.legacy(ctx)
	return fmt.Sprint(d.Status.AvailableReplicas), err
}

func (s *Stage) legacyOwner(ctx context.Context) (string, error) {
	d, err := s.legacy(ctx)
	if err != nil {
		return "", err
	}
	if owner := metav1.GetControllerOf(d); owner != nil {
		return owner.Kind + " " + owner.Name, nil
	}
	return "nobody's", nil
}

// adoptionSays is the heart of what the control plane's Component says.
func (s *Stage) adoptionSays(ctx context.Context) (string, error) {
	c := &componentv1alpha1.Component{}
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: "old"}, c); err != nil {
		return "", err
	}
	rendered := apimeta.FindStatusCondition(c.Status.Conditions, componentv1alpha1.ConditionRendered)
	if rendered == nil {
		return "nothing yet", nil
	}
	_, difference, _ := strings.Cut(rendered.Message, "spec.template.spec.containers[0].")
	difference, _, _ = strings.Cut(difference, ".")
	return fmt.Sprintf("Rendered=%s %s: %s", rendered.Status, rendered.Reason, difference), nil
}
