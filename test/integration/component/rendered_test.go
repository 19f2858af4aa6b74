package component

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// TestFiveFields: the contract's minimal object becomes a Deployment and a Service that belong to it, and says how it is.
func TestFiveFields(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	w.create(w.five("demo"))
	d := w.deployment("demo")
	service := &corev1.Service{ObjectMeta: w.meta("demo")}
	w.Eventually(func() bool { return w.get(service) }).Should(gomega.BeTrue())
	component := w.five("demo")
	w.get(component)
	for _, o := range []client.Object{d, service} {
		w.Expect(metav1.IsControlledBy(o, component)).To(gomega.BeTrue())
	}
	w.Expect(d.Spec.Template.Spec.Containers).To(gomega.HaveLen(1))
	w.Expect(d.Spec.Template.Spec.Containers[0].Image).To(gomega.Equal("python-demo:latest"))
	w.Expect(service.Spec.Ports[0].Port).To(gomega.Equal(int32(8080)))
	w.says("demo", v1alpha1.ConditionRendered, "True Rendered")

	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	w.says("demo", v1alpha1.ConditionProgressing, "False RolloutComplete")
	w.get(component)
	s := component.Status
	counts := []int32{s.Replicas, s.ReadyReplicas, s.UpdatedReplicas, s.AvailableReplicas, s.ExpectedUpdatedReplicas}
	w.Expect(counts).To(gomega.HaveEach(int32(1)))
	w.Expect(s.ObservedGeneration).To(gomega.Equal(component.Generation))
	endpoint := v1alpha1.Endpoint{Type: v1alpha1.EndpointService, URL: "http://demo." + w.namespace + ".svc:8080"}
	w.Expect(s.Endpoints).To(gomega.ConsistOf(endpoint))
	w.Expect(s.Selector).To(gomega.Equal("component.luojilab.com/component=demo"))
	w.Expect(s.Resources).To(gomega.HaveLen(2))
	w.Eventually(func() []string { return w.events(v1alpha1.ReasonReplicasReady) }).Should(gomega.ConsistOf("1 of 1 copies serve."))
}

// TestNewImage: until the cluster has looked at the change the status goes on speaking of the generation before.
func TestNewImage(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	component := w.five("demo")
	component.Spec.Replicas = ptr.To[int32](3)
	w.create(component)
	w.deployment("demo")
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	change(w, component, func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	w.Eventually(func() string { return w.deployment("demo").Spec.Template.Spec.Containers[0].Image }).Should(gomega.Equal("python-demo:2"))
	w.says("demo", v1alpha1.ConditionProgressing, "True NotObserved")
	w.get(component)
	w.Expect(component.Status.ObservedGeneration).To(gomega.Equal(component.Generation-1), "speaks of a generation nobody has observed")
	before := component.Status.UpdateRevision

	w.serves("demo", 1)
	w.says("demo", v1alpha1.ConditionReady, "False ReplicasNotReady")
	w.says("demo", v1alpha1.ConditionDegraded, "True FewerReplicas")
	w.get(component)
	w.Expect(component.Status.CurrentRevision).To(gomega.Equal(before))
	w.Expect(component.Status.UpdateRevision).NotTo(gomega.Equal(before))
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	w.get(component)
	w.Expect(component.Status.CurrentRevision).To(gomega.Equal(component.Status.UpdateRevision))
	w.Expect(component.Status.ObservedGeneration).To(gomega.Equal(component.Generation))
}

// TestTroublesInPlainWords: what keeps a copy from serving is said with what to do next.
func TestTroublesInPlainWords(t *testing.T) {
	waiting := func(reason, message string) corev1.PodStatus {
		return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "main", Image: "python-demo:latest",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		}}}
	}
	ended := func(reason string, code int32) corev1.PodStatus {
		s := waiting("CrashLoopBackOff", "back-off")
		s.ContainerStatuses[0].RestartCount = 4
		last := &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, ContainerID: "x://1"}
		s.ContainerStatuses[0].LastTerminationState.Terminated = last
		return s
	}
	w := newWorld(t)
	w.lead(nil)
	for name, tc := range map[string]struct {
		status corev1.PodStatus
		reason string
		says   []string
	}{
		"image": {waiting("ImagePullBackOff", "not found"), v1alpha1.ReasonImageNotPulled, []string{"python-demo:latest", "spec.image"}},
		"settings": {
			waiting("CreateContainerConfigError", `secret "db" not found`), v1alpha1.ReasonSettingsMissing,
			[]string{`secret "db" not found`, "spec.envFrom"},
		},
		"memory": {ended("OOMKilled", 137), v1alpha1.ReasonOutOfMemory, []string{"spec.resources.limits.memory", "4 times"}},
		"ends":   {ended("Error", 3), v1alpha1.ReasonProgramEnds, []string{"code 3", "kubectl logs -n " + w.namespace + " ends-pod"}},
		"room": {corev1.PodStatus{Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			Message: "0/5 nodes are available: 5 Insufficient cpu.",
		}}}, v1alpha1.ReasonNoRoom, []string{"Insufficient cpu", "platform team"}},
	} {
		w.create(w.five(name))
		w.deployment(name)
		w.pod(name, name+"-pod", tc.status)
		w.serves(name, 1)
		message := w.says(name, v1alpha1.ConditionReady, "False "+tc.reason)
		for _, words := range tc.says {
			w.Expect(message).To(gomega.ContainSubstring(words))
		}
	}
	w.create(w.five("quota"))
	w.serves("quota", 1, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota: team",
	})
	w.Expect(w.says("quota", v1alpha1.ConditionReady, "False "+v1alpha1.ReasonPodsRefused)).To(gomega.ContainSubstring("exceeded quota: team"))
	w.Eventually(func() []string { return w.events(v1alpha1.ReasonImageNotPulled) }).Should(gomega.HaveLen(1))
}

// TestAChangeThatDoesNotComeUp: the copy of before serves, so that Ready stays True, and the image that is not there is told all the same,
// though a hundred pods that serve come before it by their names.
func TestAChangeThatDoesNotComeUp(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	w.create(w.five("demo"))
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	ready := corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	for n := range 101 {
		w.pod("demo", fmt.Sprintf("demo-a-%03d", n), ready)
	}
	w.pod("demo", "demo-b", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", Image: "python-demo:2", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}},
	}}})
	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	w.runsImage("demo", "python-demo:2")
	w.Eventually(func() error {
		d := w.deployment("demo")
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1, UnavailableReplicas: 1,
		}
		return api.Status().Update(w.ctx, d)
	}).Should(gomega.Succeed())
	message := w.says("demo", v1alpha1.ConditionDegraded, "True ImageNotPulled")
	w.Expect(message).To(gomega.And(gomega.ContainSubstring("The image python-demo:2 cannot be fetched"),
		gomega.ContainSubstring("The version before goes on serving. Write back what spec said before, such as the image, or mend it.")))
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	w.says("demo", v1alpha1.ConditionProgressing, "True RollingOut")
	w.Eventually(func() []string { return w.events(v1alpha1.ReasonImageNotPulled) }).Should(gomega.HaveLen(1))
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionDegraded, "False AsAsked")
}

// TestTemplates: what a template adds comes and goes with it; the Ingress too; and what others own in an object stays.
func TestTemplates(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	budget := w.template("budget", `[
		{kind: PodDisruptionBudget, object: {spec: {maxUnavailable: 1}}},
		{kind: ConfigMap, object: {data: {zone: $(cluster.zone)}}}]`)
	w.create(&corev1.ConfigMap{ObjectMeta: w.meta(v1alpha1.ClusterValuesName), Data: map[string]string{"zone": "a"}})
	w.create(budget)
	component := w.five("demo")
	component.Spec.Ingress = &v1alpha1.IngressSpec{Host: "demo.example.com", Path: "/"}
	w.create(component)
	pdb, settings := &policyv1.PodDisruptionBudget{ObjectMeta: w.meta("demo")}, &corev1.ConfigMap{ObjectMeta: w.meta("demo")}
	w.Eventually(func() bool { return w.get(pdb) && w.get(settings) }).Should(gomega.BeTrue())
	w.Expect(settings.Data).To(gomega.Equal(map[string]string{"zone": "a"}))
	rendered := func() string { message, _ := w.condition("demo", v1alpha1.ConditionRendered); return message }
	w.Eventually(rendered).Should(gomega.Equal("True Rendered"))

	// The cluster's values change.
	change(w, &corev1.ConfigMap{ObjectMeta: w.meta(v1alpha1.ClusterValuesName)}, func(c *corev1.ConfigMap) { c.Data["zone"] = "b" })
	w.Eventually(func() string { w.get(settings); return settings.Data["zone"] }).Should(gomega.Equal("b"))

	// Somebody labels what was rendered, which is theirs, and changes its image, which is not.
	change(w, w.deployment("demo"), func(d *appsv1.Deployment) {
		d.Labels["team"] = "shop"
		d.Spec.Template.Spec.Containers[0].Image = "another"
	})
	w.runsImage("demo", "python-demo:latest")
	w.Expect(w.deployment("demo").Labels).To(gomega.HaveKeyWithValue("team", "shop"))

	// The template goes, the Ingress is no longer asked for.
	w.Expect(api.Delete(w.ctx, budget)).To(gomega.Succeed())
	change(w, component, func(c *v1alpha1.Component) { c.Spec.Ingress = nil })
	ingress := &networkingv1.Ingress{ObjectMeta: w.meta("demo")}
	w.Eventually(func() bool { return w.get(pdb) || w.get(settings) || w.get(ingress) }).Should(gomega.BeFalse())
	w.Expect(w.get(&corev1.ConfigMap{ObjectMeta: w.meta(v1alpha1.ClusterValuesName)})).To(gomega.BeTrue(), "deleted what is not its own")
	w.Eventually(func() []string { return w.events(v1alpha1.ReasonPruned) }).Should(gomega.HaveLen(3))
}

// TestTemplateThatDoesNotFit: what runs goes on as it was, and the fault is told with its place.
func TestTemplateThatDoesNotFit(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	w.create(w.five("demo"))
	before := w.deployment("demo")
	w.create(w.template("wrong", `[{kind: Deployment, object: {spec: {replcas: 3}}}]`))
	message := w.says("demo", v1alpha1.ConditionRendered, "False TemplateInvalid")
	w.Expect(message).To(gomega.And(gomega.ContainSubstring("replcas"), gomega.ContainSubstring("goes on as it was")))
	w.Expect(w.deployment("demo").ResourceVersion).To(gomega.Equal(before.ResourceVersion))
	w.Expect(w.get(&corev1.Service{ObjectMeta: w.meta("demo")})).To(gomega.BeTrue())
}

// TestWhatTheClusterRefuses is said in its words, and what it takes is applied.
func TestWhatTheClusterRefuses(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	component := w.five("demo")
	component.Spec.Patches = []v1alpha1.Patch{{
		Target: v1alpha1.PatchTarget{Kind: "Service"}, Patch: runtime.RawExtension{Raw: []byte(`{"spec": {"clusterIP": "not an address"}}`)},
	}}
	w.create(component)
	message := w.says("demo", v1alpha1.ConditionRendered, "False ApplyRefused")
	w.Expect(message).To(gomega.And(gomega.ContainSubstring("Service demo"), gomega.ContainSubstring("clusterIP")))
	w.deployment("demo")
}

// TestTaken: an object of that name was there before: it is left alone and its owner named. A workload that is somebody's
// keeps the Component from everything, a Service from itself alone.
func TestTaken(t *testing.T) {
	w := newWorld(t)
	theirs := &corev1.Service{ObjectMeta: w.meta("door"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	helm := w.running("web", nil)
	helm.Annotations = map[string]string{"meta.helm.sh/release-name": "shop"}
	w.create(theirs, helm)
	w.lead(nil)
	w.create(w.five("door"), w.five("web"))
	w.Expect(w.says("door", v1alpha1.ConditionRendered, "False ObjectTaken")).To(gomega.ContainSubstring("Service door is there already"))
	w.deployment("door")
	w.Expect(w.says("web", v1alpha1.ConditionRendered, "False ObjectTaken")).To(gomega.And(
		gomega.ContainSubstring("the Helm release shop"), gomega.ContainSubstring("spec.adopt")))
	w.says("web", v1alpha1.ConditionReady, "False NotApplied")
	w.Expect(w.get(&corev1.Service{ObjectMeta: w.meta("web")})).To(gomega.BeFalse(), "a Service in front of somebody else's pods")
	version := theirs.ResourceVersion
	w.get(theirs)
	w.Expect(theirs.ResourceVersion).To(gomega.Equal(version))
	version = helm.ResourceVersion
	w.get(helm)
	w.Expect(helm.ResourceVersion).To(gomega.Equal(version))
}

// running is a Deployment that somebody made by hand.
func (w *world) running(name string, edit func(*appsv1.Deployment)) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: w.meta(name), Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "app", Image: "python-demo:latest", Ports: []corev1.ContainerPort{{Name: "main", ContainerPort: 8080}},
			}},
		}},
	}}
	if edit != nil {
		edit(d)
	}
	return d
}

// TestUnmanaged: once the condition says so nothing is changed any more, and the objects are nobody's; taken back, they are.
func TestUnmanaged(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	component := w.five("demo")
	w.create(component)
	w.deployment("demo")
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	change(w, component, func(c *v1alpha1.Component) { c.Annotations = map[string]string{v1alpha1.AnnotationUnmanaged: "true"} })
	w.says("demo", v1alpha1.ConditionUnmanaged, "True OptedOut")
	w.Expect(w.deployment("demo").OwnerReferences).To(gomega.BeEmpty(), "its end would be the end of what it disowned")

	change(w, w.deployment("demo"), func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "by-hand" })
	w.serves("demo", 0)
	change(w, component, func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	w.Consistently(func() string { return w.image("demo") }, time.Second).Should(gomega.Equal("by-hand"))
	w.Eventually(func() bool { w.get(component); return component.Status.ObservedGeneration == component.Generation }).Should(gomega.BeTrue())
	w.Expect(component.Status.AvailableReplicas).To(gomega.Equal(int32(1)), "what it was is still counted")

	change(w, component, func(c *v1alpha1.Component) { c.Annotations = nil })
	w.Eventually(func() string { return w.deployment("demo").Spec.Template.Spec.Containers[0].Image }).Should(gomega.Equal("python-demo:2"))
	w.says("demo", v1alpha1.ConditionUnmanaged, "False Managed")
	w.get(component)
	w.Expect(metav1.IsControlledBy(w.deployment("demo"), component)).To(gomega.BeTrue())
}

// TestAutoscaler: from the moment one sets the replicas, rendered or anybody's, they are its own; they never fall to the default.
func TestAutoscaler(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	component := w.five("demo")
	component.Spec.Replicas = ptr.To[int32](4)
	w.create(component)
	w.Eventually(func() int32 { return *w.deployment("demo").Spec.Replicas }).Should(gomega.Equal(int32(4)))
	w.create(&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta("any"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "demo"}, MaxReplicas: 9,
	}})
	// A change of the Component makes it look at its objects: it knows of no autoscaler that does not name it.
	change(w, component, func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	w.Eventually(func() string { return w.deployment("demo").Spec.Template.Spec.Containers[0].Image }).Should(gomega.Equal("python-demo:2"))
	w.Expect(*w.deployment("demo").Spec.Replicas).To(gomega.Equal(int32(4)))
	w.Expect(api.SubResource("scale").Update(w.ctx, w.deployment("demo"),
		client.WithSubResourceBody(&autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}))).To(gomega.Succeed())
	change(w, component, func(c *v1alpha1.Component) { c.Spec.Image, c.Spec.Replicas = "python-demo:3", ptr.To[int32](2) })
	w.Eventually(func() string { return w.deployment("demo").Spec.Template.Spec.Containers[0].Image }).Should(gomega.Equal("python-demo:3"))
	w.Expect(*w.deployment("demo").Spec.Replicas).To(gomega.Equal(int32(7)))
}

// TestInSyncIsQuiet: a Component that is as rendered costs no write, also after a restart of the controller.
func TestInSyncIsQuiet(t *testing.T) {
	w := newWorld(t)
	var applies atomic.Int32
	count := &interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			applies.Add(1)
			return c.Apply(ctx, obj, opts...)
		},
	}
	kill := w.lead(count)
	w.create(w.template("amounts", `[{kind: Deployment, object: {spec: {template: {spec: {containers: [
		{name: main, resources: {requests: {cpu: 1000m, memory: 128Mi}}, readinessProbe: {tcpSocket: {port: $(component.port)}}}]}}}}}]`))
	component := w.five("demo")
	component.Spec.Ingress = &v1alpha1.IngressSpec{Host: "quiet.example.com", Path: "/"}
	w.create(component)
	w.Eventually(func() bool { return w.get(&networkingv1.Ingress{ObjectMeta: w.meta("demo")}) }).Should(gomega.BeTrue())
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	kill()
	before := applies.Load()
	generation := w.deployment("demo").Generation
	w.lead(count)
	w.create(w.five("another"))
	w.says("another", v1alpha1.ConditionRendered, "True Rendered")
	w.serves("demo", 0)
	w.Consistently(applies.Load, time.Second).Should(gomega.Equal(before+2), "a Component in sync was written again")
	w.Expect(w.deployment("demo").Generation).To(gomega.Equal(generation))
}

// TestNamesakes: a Component made again under the name of a deleted one does not touch what the other's end leaves for a moment.
func TestNamesakes(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	first := w.five("demo")
	w.create(first)
	old := w.deployment("demo")
	w.Expect(api.Delete(w.ctx, first)).To(gomega.Succeed())
	w.create(w.five("demo"))
	w.Expect(w.says("demo", v1alpha1.ConditionRendered, "False ObjectTaken")).To(gomega.ContainSubstring("belongs to Component demo"))
	// The garbage collector comes.
	w.Expect(api.Delete(w.ctx, old)).To(gomega.Succeed())
	service := &corev1.Service{ObjectMeta: w.meta("demo")}
	w.Expect(api.Delete(w.ctx, service)).To(gomega.Succeed())
	w.says("demo", v1alpha1.ConditionRendered, "True Rendered")
	w.Expect(w.deployment("demo").UID).NotTo(gomega.Equal(old.UID))
}
