package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	componentv1beta1 "github.com/argosy-dev/argosy/api/component/v1beta1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/preview"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// firstOfWave runs in member2 alone, and has a change of templates first.
const firstOfWave = `
---
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: demo-component, name: first, labels: {demo: component, wave: first}}
spec:
  workloadType: Deployment
  developLanguage: python
  runType: worker
  image: worker:1
  port: 8080
  svc: {type: None}
  strategy: {type: Rolling, rolling: {maxUnavailable: 1, maxSurge: 0}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-component, name: first}
spec:
  resourceSelectors: [{apiVersion: component.luojilab.com/v1alpha1, kind: Component, name: first}]
  placement: {clusterAffinity: {clusterNames: [member2]}}
`

// pythonTemplate is member2's for programs in python; pod is a part of their pods.
func pythonTemplate(pod string) string {
	return `
apiVersion: component.luojilab.com/v1alpha1
kind: ComponentTemplate
metadata: {name: demo-python}
spec:
  level: Language
  match: {languages: [python], componentSelector: {matchLabels: {demo: component}}}
  wave: {canarySelector: {matchLabels: {wave: first}}, batchPercents: [100], intervalSeconds: 1}
  objects:
  - kind: PodDisruptionBudget
    object: {spec: {maxUnavailable: 1}}
  - kind: Deployment
    object: {spec: {template: {spec: {containers: [{name: main, ` + pod + `}]}}}}
`
}

// playSteps is a change that comes to one copy of all, is undone, and goes through when it is approved.
func (s *Stage) playSteps(ctx context.Context) error {
	s.Step("Let a change come to one copy of the six first, and wait for a person for each member")
	steps := `{"spec":{"image":"python-demo:3","strategy":{"type":"Canary","canary":{"steps":[{"replicas":1,"pause":"Approval"}]}}}}`
	if err := s.patchComponent(ctx, "python-demo", steps); err != nil {
		return err
	}
	s.Expect(ctx, "image of the pods, in the members", "python-demo:2 x5, python-demo:3 x1", s.images)
	s.Expect(ctx, "who waits for an approval", "member1, member2, member3", s.canariesWaiting)
	s.Step("Undo it: write the image of before")
	if err := s.newImage(ctx, "python-demo", "python-demo:2"); err != nil {
		return err
	}
	s.Expect(ctx, "image of the pods, in the members", "python-demo:2 x6", s.images)
	s.Expect(ctx, "who waits for an approval", "nobody", s.canariesWaiting)
	s.Step("Write it again, and approve it in the control plane")
	if err := s.newImage(ctx, "python-demo", "python-demo:3"); err != nil {
		return err
	}
	s.Expect(ctx, "who waits for an approval", "member1, member2, member3", s.canariesWaiting)
	if err := s.approveCanaries(ctx); err != nil {
		return err
	}
	s.Expect(ctx, "image of the pods, in the members", "python-demo:3 x6", s.images)
	s.Expect(ctx, "what the developer reads", "Ready=True: 6 of 6 copies serve; http://python-demo.demo-component.svc:8080", s.developerReads)
	return s.patchComponent(ctx, "python-demo", `{"spec":{"strategy":{"type":"Rolling","canary":null}}}`)
}

// playWave is a template's change that stops at the first Component, and one that goes on.
func (s *Stage) playWave(ctx context.Context) error {
	s.Step("Let member2's platform team ask for a thousand processors for each program in python, by mistake")
	// The first copy of above is gone when all are its Deployments' own.
	s.Expect(ctx, "copies its Deployments run in the members", "2+2+2", s.copies)
	s.Expect(ctx, "image of the pods, in the members", "python-demo:3 x6", s.images)
	before, err := machine.Answered(ctx, s.uidsOf("member2", componentv1alpha1.LabelComponent, "python-demo"))
	if err != nil {
		return err
	}
	mistake := pythonTemplate(`resources: {requests: {cpu: "1000"}}`)
	s.Expect(ctx, "who would change (argosyctl component preview)", "first restarts, python-demo restarts", s.preview(mistake))
	if err := Apply(ctx, s.Members["member2"], mistake); err != nil {
		return err
	}
	s.Expect(ctx, "the wave in member2", "Stopped, 1 failed", s.waves)
	s.Expect(ctx, "pods of the others", "the same", s.samePods("member2", componentv1alpha1.LabelComponent, "python-demo", before))
	s.Step("They mend it: a variable instead")
	if err := Apply(ctx, s.Members["member2"], pythonTemplate(`env: [{name: PYTHONUNBUFFERED, value: "1"}]`)); err != nil {
		return err
	}
	s.Expect(ctx, "the wave in member2", "RolledOut, 0 failed", s.waves)
	s.Expect(ctx, "pods of the others", "2 others", s.samePods("member2", componentv1alpha1.LabelComponent, "python-demo", before))
	return nil
}

// playSwitch is another provider of load balancers. The lab's IaaS is luoji-slb; aliyun-slb is nobody there, so that the scene plays it: it
// gives its Services addresses.
func (s *Stage) playSwitch(ctx context.Context) error {
	s.Step("Ask for a load balancer of aliyun-slb, and then of luoji-slb")
	ask := func(kind string) error {
		return s.patchComponent(ctx, "python-demo", fmt.Sprintf(`{"spec":{"svc":{"type":%q}}}`, kind))
	}
	if err := ask("aliyun-slb"); err != nil {
		return err
	}
	s.Expect(ctx, "Services in member1 while aliyun-slb has given no address", "python-demo, python-demo-aliyun-slb", s.services)
	if err := s.giveAddress(ctx, "python-demo-aliyun-slb", "10.0.0.1"); err != nil {
		return err
	}
	s.Expect(ctx, "addresses", "python-demo-aliyun-slb has 10.0.0.1", s.addresses)
	if err := ask("luoji-slb"); err != nil {
		return err
	}
	s.Expect(ctx, "addresses", "python-demo-luoji-slb has one of 198.51.100.0/24", s.addresses)
	s.Expect(ctx, "the same Component as v1beta1, which member3 serves too", "svc: type LoadBalancer, provider luoji-slb", s.asBeta)
	s.Expect(ctx, "load balancers that luoji-slb has", "3, each with nodes to send to", s.balancers)
	if err := ask("ClusterIP"); err != nil {
		return err
	}
	s.Expect(ctx, "load balancers that luoji-slb has", "none", s.balancers)
	return nil
}

// asBeta is what v1beta1 says of the load balancer, in the member that serves it.
func (s *Stage) asBeta(ctx context.Context) (string, error) {
	c := &componentv1beta1.Component{}
	if err := s.Members[lab.BetaMember].Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: "python-demo"}, c); err != nil {
		return "", err
	}
	if c.Spec.Svc.LoadBalancer == nil {
		return fmt.Sprintf("svc: type %s", c.Spec.Svc.Type), nil
	}
	return fmt.Sprintf("svc: type %s, provider %s", c.Spec.Svc.Type, c.Spec.Svc.LoadBalancer.Provider), nil
}

// balancers of the scene at the lab's IaaS.
func (s *Stage) balancers(ctx context.Context) (string, error) {
	all, err := s.Lab.LoadBalancers(ctx)
	if err != nil {
		return "", err
	}
	count, idle := 0, 0
	for _, b := range all {
		if strings.HasPrefix(b.Spec.Name, componentNamespace+"/") {
			count++
			if len(b.Spec.Targets) == 0 {
				idle++
			}
		}
	}
	switch {
	case count == 0:
		return "none", nil
	case idle > 0:
		return fmt.Sprintf("%d, %d of them without a node", count, idle), nil
	}
	return fmt.Sprintf("%d, each with nodes to send to", count), nil
}

// preview of a template of member2: who would change, and who restarts for it.
func (s *Stage) preview(manifest string) See {
	return func(ctx context.Context) (string, error) {
		template := componentv1alpha1.ComponentTemplate{}
		if err := yaml.Unmarshal([]byte(manifest), &template); err != nil {
			return "", fmt.Errorf("reading the template: %w", err)
		}
		var text bytes.Buffer
		err := preview.Wave(ctx, s.Members["member2"], []componentv1alpha1.ComponentTemplate{template}, nil, "member2", &text)
		if err != nil {
			return "", err
		}
		var out []string
		for line := range strings.Lines(text.String()) {
			// NAMESPACE, COMPONENT, CHANGES (one or more kinds), RESTARTS, REPLICAS.
			if row := strings.Fields(line); len(row) >= 5 && row[0] == componentNamespace {
				out = append(out, row[1]+map[string]string{"yes": " restarts", "no": " does not restart"}[row[len(row)-2]])
			}
		}
		return strings.Join(out, ", "), nil
	}
}

func (s *Stage) patchComponent(ctx context.Context, name, patch string) error {
	c := &componentv1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: componentNamespace, Name: name}}
	if err := s.Karmada.Patch(ctx, c, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return fmt.Errorf("changing Component %s: %w", name, err)
	}
	return nil
}

func (s *Stage) fiveFieldsComponent(ctx context.Context) (*componentv1alpha1.Component, error) {
	c := &componentv1alpha1.Component{}
	err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: "python-demo"}, c)
	return c, err
}

func (s *Stage) canariesWaiting(ctx context.Context) (string, error) {
	c, err := s.fiveFieldsComponent(ctx)
	if err != nil {
		return "", err
	}
	var out []string
	for _, p := range c.Status.PendingApprovals {
		out = append(out, p.Cluster)
	}
	if len(out) == 0 {
		return "nobody", nil
	}
	slices.Sort(out)
	return strings.Join(out, ", "), nil
}

// approveCanaries that wait, in all members.
func (s *Stage) approveCanaries(ctx context.Context) error {
	return retry.RetryOnConflict(writesMeet(), func() error {
		c, err := s.fiveFieldsComponent(ctx)
		if err != nil {
			return err
		}
		for _, p := range c.Status.PendingApprovals {
			c.Spec.Approvals = append(c.Spec.Approvals, gatev1alpha1.Approval{
				Gate: p.Gate, OperationID: p.OperationID, Decision: gatev1alpha1.Approve, Reason: "it serves",
			})
		}
		return s.Karmada.Update(ctx, c)
	})
}

func (s *Stage) waves(ctx context.Context) (string, error) {
	template := &componentv1alpha1.ComponentTemplate{}
	if err := s.Members["member2"].Get(ctx, client.ObjectKey{Name: "demo-python"}, template); err != nil {
		return "", err
	}
	if len(template.Status.Waves) == 0 {
		return "not seen yet", nil
	}
	return fmt.Sprintf("%s, %d failed", template.Status.Waves[0].State, template.Status.Waves[0].Failed), nil
}

func (s *Stage) services(ctx context.Context) (string, error) {
	list := &corev1.ServiceList{}
	if err := s.Members["member1"].List(ctx, list, client.InNamespace(componentNamespace)); err != nil {
		return "", err
	}
	var out []string
	for _, service := range list.Items {
		out = append(out, service.Name)
	}
	slices.Sort(out)
	return strings.Join(out, ", "), nil
}

// giveAddress to a Service in each member, as its provider does.
func (s *Stage) giveAddress(ctx context.Context, name, address string) error {
	for member, c := range s.Members {
		s.Expect(ctx, name+" in "+member, "there", func(ctx context.Context) (string, error) {
			return "there", c.Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: name}, &corev1.Service{})
		})
		err := retry.RetryOnConflict(writesMeet(), func() error {
			service := &corev1.Service{}
			if err := c.Get(ctx, client.ObjectKey{Namespace: componentNamespace, Name: name}, service); err != nil {
				return err
			}
			service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
			return c.Status().Update(ctx, service)
		})
		if err != nil {
			return fmt.Errorf("giving Service %s of %s an address: %w", name, member, err)
		}
	}
	return nil
}

// addresses of the Services in member1, and what the developer reads of them.
func (s *Stage) addresses(ctx context.Context) (string, error) {
	list := &corev1.ServiceList{}
	if err := s.Members["member1"].List(ctx, list, client.InNamespace(componentNamespace)); err != nil {
		return "", err
	}
	c, err := s.fiveFieldsComponent(ctx)
	if err != nil {
		return "", err
	}
	var out []string
	for _, service := range list.Items {
		for _, have := range service.Status.LoadBalancer.Ingress {
			told := slices.ContainsFunc(c.Status.LoadBalancer.Ingress, func(i componentv1alpha1.LoadBalancerIngress) bool { return i.IP == have.IP })
			address := have.IP
			if strings.HasPrefix(address, "198.51.100.") {
				address = "one of 198.51.100.0/24"
			}
			if !told {
				address += ", which the developer does not read"
			}
			out = append(out, service.Name+" has "+address)
		}
	}
	return strings.Join(out, "; "), nil
}
