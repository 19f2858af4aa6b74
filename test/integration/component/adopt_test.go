package component

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/adopt"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// adopting is a Component that is to be the Deployment legacy of running.
func (w *world) adopting() *v1alpha1.Component {
	c := w.five("shop")
	c.Spec.Svc.Type = v1alpha1.ServiceNone
	c.Spec.Adopt = &v1alpha1.Adopt{Workload: "legacy", Selector: map[string]string{"app": "legacy"}, Container: "app"}
	return c
}

// kubectl applies the object as a person with the real program does, by client-side apply; flags are more of its own.
func (w *world) kubectl(object client.Object, kind string, flags ...string) {
	w.t.Helper()
	root, err := binaries.FindRoot()
	if err != nil {
		w.t.Fatal(err)
	}
	programs, err := binaries.Ensure(w.ctx, binaries.Options{Root: root, Progress: os.Stderr}, "kubectl")
	if err != nil {
		w.t.Fatal(err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		w.t.Fatal(err)
	}
	content["apiVersion"], content["kind"] = "apps/v1", kind
	delete(content, "status")
	text, err := yaml.Marshal(content)
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.t.TempDir(), "object.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	arguments := append([]string{"--kubeconfig=" + kubeconfig, "apply", "-f", file}, flags...)
	if _, err := process.Run(w.ctx, programs["kubectl"], arguments...); err != nil {
		w.t.Fatal(err)
	}
}

// managers of an object, as "name operation".
func managers(o client.Object) []string {
	var out []string
	for _, entry := range o.GetManagedFields() {
		if entry.Subresource == "" {
			out = append(out, entry.Manager+" "+string(entry.Operation))
		}
	}
	return out
}

// TestAdoptFromKubectl: what kubectl apply made by client-side apply is taken over without a change of its spec. Its fields
// become ours, so that what the Component gives up later really goes.
func TestAdoptFromKubectl(t *testing.T) {
	w := newWorld(t)
	old := w.running("legacy", func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "MODE", Value: "fast"}}
	})
	w.kubectl(old, "Deployment")
	before := w.deployment("legacy")
	w.Expect(managers(before)).To(gomega.ConsistOf("kubectl-client-side-apply Update"))
	w.lead(nil)
	component := w.adopting()
	component.Spec.Env = []corev1.EnvVar{{Name: "MODE", Value: "fast"}}
	w.create(component)
	w.says("shop", v1alpha1.ConditionRendered, "True Rendered")
	after := w.deployment("legacy")
	w.Expect(after.UID).To(gomega.Equal(before.UID))
	w.Expect(after.Spec).To(gomega.Equal(before.Spec), "a restart")
	w.get(component)
	w.Expect(metav1.IsControlledBy(after, component)).To(gomega.BeTrue())
	w.Expect(managers(after)).To(gomega.ConsistOf("argosy-component Apply", "kubectl-client-side-apply Update"),
		"who owned the defaults keeps them")
	w.Eventually(func() []string { return w.events(v1alpha1.ReasonAdopted) }).Should(gomega.HaveLen(1))

	change(w, component, func(c *v1alpha1.Component) { c.Spec.Env = nil })
	w.Eventually(func() []corev1.EnvVar { return w.deployment("legacy").Spec.Template.Spec.Containers[0].Env }).Should(gomega.BeEmpty(),
		"a field kubectl once applied stays for ever")
}

// TestAdoptLeavesWhatItDoesNotKnow: a field the Component does not speak of stays, and its owner is named. Former owners write as their
// programs do: Helm 3 by an update, Helm 4 by server-side apply, Argo CD with kubectl's own client-side apply or, with
// ServerSideApply=true, as Helm 4 does.
func TestAdoptLeavesWhatItDoesNotKnow(t *testing.T) {
	helm := func(w *world, old *appsv1.Deployment) {
		old.Annotations = map[string]string{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": w.namespace}
		old.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"}
	}
	argo := func(w *world, old *appsv1.Deployment) {
		old.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:" + w.namespace + "/legacy"}
	}
	for name, tc := range map[string]struct {
		marks func(*world, *appsv1.Deployment)
		write func(*world, *appsv1.Deployment)
		want  string
	}{
		"Helm 3": {helm, func(w *world, old *appsv1.Deployment) {
			w.Expect(api.Create(w.ctx, old, client.FieldOwner("helm"))).To(gomega.Succeed())
		}, "Deployment legacy: helm: spec.minReadySeconds."},
		"Helm 4": {
			helm, func(w *world, old *appsv1.Deployment) { w.serverSide(old, "helm") }, "Deployment legacy: helm goes on applying it.",
		},
		"Argo CD": {argo, func(w *world, old *appsv1.Deployment) {
			w.kubectl(old, "Deployment", "--field-manager=argocd-controller")
		}, "Deployment legacy: argocd-controller: spec.minReadySeconds."},
		"Argo CD, server-side": {
			argo, func(w *world, old *appsv1.Deployment) { w.serverSide(old, "argocd-controller") },
			"Deployment legacy: argocd-controller goes on applying it.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			old := w.running("legacy", func(d *appsv1.Deployment) { d.Spec.MinReadySeconds = 7 })
			tc.marks(w, old)
			tc.write(w, old)
			before := w.deployment("legacy")
			w.lead(nil)
			component := w.adopting()
			w.create(component)
			message := w.says("shop", v1alpha1.ConditionRendered, "True AdoptedWithForeignFields")
			w.Expect(message).To(gomega.ContainSubstring(tc.want))
			after := w.deployment("legacy")
			w.Expect(after.Spec).To(gomega.Equal(before.Spec))
			// A change comes through, and the field stays.
			change(w, component, func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
			w.runsImage("legacy", "python-demo:2")
			w.Expect(w.deployment("legacy").Spec.MinReadySeconds).To(gomega.Equal(int32(7)))
		})
	}
}

// serverSide applies the Deployment under a field manager's name.
func (w *world) serverSide(d *appsv1.Deployment, manager string) {
	w.t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(d)
	if err != nil {
		w.t.Fatal(err)
	}
	delete(content, "status")
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "spec", "template", "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "spec", "strategy")
	w.Expect(api.Apply(w.ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(manager))).To(gomega.Succeed())
}

// TestAdoptionWouldRestart: nothing is touched, and what would change is told; with the annotation it is changed.
func TestAdoptionWouldRestart(t *testing.T) {
	for name, tc := range map[string]struct {
		running func(*appsv1.Deployment)
		edit    func(*v1alpha1.Component)
		says    string
	}{
		"another image": {
			nil, func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" },
			"image is python-demo:latest and would be python-demo:2",
		},
		"fewer copies": {
			func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](5) }, nil, "spec.replicas is 5 and would be 1",
		},
		"another container": {
			nil, func(c *v1alpha1.Component) { c.Spec.Adopt.Container = "main" }, "spec.template.spec.containers[1]",
		},
		"another selector": {
			nil, func(c *v1alpha1.Component) { c.Spec.Adopt.Selector = map[string]string{"app": "other"} }, "selector",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			old := w.running("legacy", tc.running)
			w.create(old)
			component := w.adopting()
			if tc.edit != nil {
				tc.edit(component)
			}
			w.lead(nil)
			w.create(component)
			message := w.says("shop", v1alpha1.ConditionRendered, "False AdoptionWouldRestart")
			w.Expect(message).To(gomega.And(gomega.ContainSubstring(tc.says), gomega.ContainSubstring(v1alpha1.AnnotationAdoptWithRestart)))
			version := old.ResourceVersion
			w.get(old)
			w.Expect(old.ResourceVersion).To(gomega.Equal(version), "it was touched")
			if name != "another image" {
				return
			}
			change(w, component, func(c *v1alpha1.Component) {
				c.Annotations = map[string]string{v1alpha1.AnnotationAdoptWithRestart: "true"}
			})
			w.runsImage("legacy", "python-demo:2")
			w.says("shop", v1alpha1.ConditionRendered, "True Rendered")
		})
	}
}

// TestAdoptService: a Service in front of what runs is taken over as it is, or left alone.
func TestAdoptService(t *testing.T) {
	w := newWorld(t)
	service := func(name string, port int32) *corev1.Service {
		return &corev1.Service{ObjectMeta: w.meta(name), Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "legacy"},
			Ports:    []corev1.ServicePort{{Name: "main", Port: port, TargetPort: intstr.FromString("main")}},
		}}
	}
	w.create(w.running("legacy", nil), service("front", 8080))
	component := w.adopting()
	component.Spec.Svc.Type, component.Spec.Adopt.Service = v1alpha1.ServiceClusterIP, "front"
	w.lead(nil)
	w.create(component)
	w.says("shop", v1alpha1.ConditionRendered, "True Rendered")
	taken := service("front", 0)
	w.get(taken)
	w.get(component)
	w.Expect(metav1.IsControlledBy(taken, component)).To(gomega.BeTrue())
	w.Eventually(func() []v1alpha1.Endpoint { w.get(component); return component.Status.Endpoints }).
		Should(gomega.ConsistOf(gomega.HaveField("URL", "http://front."+w.namespace+".svc:8080")))
}

// TestAHundredAdopted: nobody restarts.
func TestAHundredAdopted(t *testing.T) {
	w := newWorld(t)
	const many = 100
	specs := map[string]appsv1.DeploymentSpec{}
	for i := range many {
		name := fmt.Sprintf("old-%02d", i)
		d := w.running(name, nil)
		w.create(d)
		specs[name] = d.Spec
	}
	w.lead(nil)
	for name := range specs {
		c := w.five(name)
		c.Spec.Svc.Type = v1alpha1.ServiceNone
		c.Spec.Adopt = &v1alpha1.Adopt{Workload: name, Selector: map[string]string{"app": name}, Container: "app"}
		w.create(c)
	}
	w.Eventually(func() int {
		list := &appsv1.DeploymentList{}
		w.Expect(api.List(w.ctx, list, client.InNamespace(w.namespace))).To(gomega.Succeed())
		adopted := 0
		for i := range list.Items {
			d := &list.Items[i]
			w.Expect(d.Spec).To(gomega.Equal(specs[d.Name]), d.Name+" restarts")
			if metav1.GetControllerOf(d) != nil {
				adopted++
			}
		}
		return adopted
	}).Should(gomega.Equal(many))
}

// TestWrittenComponentIsTakenOver: what argosyctl component adopt writes of a workload with all sorts of fields is taken over at once.
func TestWrittenComponentIsTakenOver(t *testing.T) {
	w := newWorld(t)
	old := w.running("legacy", func(d *appsv1.Deployment) {
		d.Spec.Replicas, d.Spec.MinReadySeconds = ptr.To[int32](3), 7
		d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
		pod := &d.Spec.Template
		pod.Labels["tier"], pod.Annotations = "front", map[string]string{"checked": "yes"}
		main := &pod.Spec.Containers[0]
		main.Env = []corev1.EnvVar{{Name: "B", Value: "2"}, {Name: "A", Value: "$(B)"}}
		settings := &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}
		main.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: settings}}
		main.Command, main.Args = []string{"/app"}, []string{"--serve"}
		main.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
		ok := &corev1.HTTPGetAction{Path: "/ok", Port: intstr.FromString("main")}
		main.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: ok}}
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "proxy", Image: "proxy:1"})
		pod.Spec.InitContainers = []corev1.Container{{Name: "first", Image: "first:1"}}
		pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		pod.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
		pod.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	})
	w.kubectl(old, "Deployment")
	before := w.deployment("legacy")
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(before), live)).To(gomega.Succeed())
	written, err := adopt.ComponentOf(live, adopt.Wish{Name: "shop", Container: "app", Language: "java", RunType: "server"})
	w.Expect(err).NotTo(gomega.HaveOccurred())
	w.lead(nil)
	w.Expect(api.Create(w.ctx, &unstructured.Unstructured{Object: written})).To(gomega.Succeed())
	w.says("shop", v1alpha1.ConditionRendered, "True Rendered")
	w.Expect(w.deployment("legacy").Spec).To(gomega.Equal(before.Spec))
}
