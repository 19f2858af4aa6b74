package scalein

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/scalein"
)

// TestRulesOfTheKind are those the API server enforces by itself; each names the field.
func TestRulesOfTheKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tc := range map[string]struct {
		change   func(*v1alpha1.PodScaleInSpec)
		wantSays []string
	}{
		"good":    {change: func(*v1alpha1.PodScaleInSpec) {}},
		"v1beta1": {change: func(s *v1alpha1.PodScaleInSpec) { s.TargetRef.APIVersion = "apps.kruise.io/v1beta1" }},
		"no pod":  {func(s *v1alpha1.PodScaleInSpec) { s.Pods = []v1alpha1.PodReference{} }, []string{"set either pods or select"}},
		"a selection": {change: func(s *v1alpha1.PodScaleInSpec) {
			s.Pods, s.Select = nil, &v1alpha1.PodSelection{NodeName: "x", Clusters: []string{"member1"}}
		}},
		"both": {func(s *v1alpha1.PodScaleInSpec) { s.Select = &v1alpha1.PodSelection{NodeName: "x"} }, []string{"set either pods or select"}},
		"a selection of everything": {func(s *v1alpha1.PodScaleInSpec) {
			s.Pods, s.Select = nil, &v1alpha1.PodSelection{}
		}, []string{"spec.select", "set nodeName, labelSelector or both"}},
		"an empty selector": {func(s *v1alpha1.PodScaleInSpec) {
			s.Pods, s.Select = nil, &v1alpha1.PodSelection{LabelSelector: &metav1.LabelSelector{}}
		}, []string{"labelSelector must not be empty"}},
		"no pod name": {func(s *v1alpha1.PodScaleInSpec) { s.Pods[0].Name = "" }, []string{"spec.pods[0].name"}},
		"too many pods": {func(s *v1alpha1.PodScaleInSpec) {
			for i := range 501 {
				s.Pods = append(s.Pods, v1alpha1.PodReference{Name: fmt.Sprintf("web-%d", i)})
			}
		}, []string{"spec.pods", "at most 500"}},
		"a pod's name too long": {
			func(s *v1alpha1.PodScaleInSpec) { s.Pods[0].Name = strings.Repeat("a", 254) }, []string{"spec.pods[0].name", "253"},
		},
		"a cluster's too long": {
			func(s *v1alpha1.PodScaleInSpec) { s.Pods[0].Cluster = strings.Repeat("a", 64) }, []string{"spec.pods[0].cluster", "63"},
		},
		"no target":    {func(s *v1alpha1.PodScaleInSpec) { s.TargetRef.Name = "" }, []string{"spec.targetRef.name"}},
		"another kind": {func(s *v1alpha1.PodScaleInSpec) { s.TargetRef.Kind = "Deployment" }, []string{"spec.targetRef.kind", "CloneSet"}},
		"another version": {
			func(s *v1alpha1.PodScaleInSpec) { s.TargetRef.APIVersion = "apps/v1" },
			[]string{"spec.targetRef.apiVersion", "apps.kruise.io/v1alpha1"},
		},
		"no time": {func(s *v1alpha1.PodScaleInSpec) { s.TimeoutSeconds = ptr.To[int32](29) }, []string{"spec.timeoutSeconds", "30"}},
		"too much time": {
			func(s *v1alpha1.PodScaleInSpec) { s.TimeoutSeconds = ptr.To[int32](86401) }, []string{"spec.timeoutSeconds", "86400"},
		},
		"a reason too long": {func(s *v1alpha1.PodScaleInSpec) { s.Reason = strings.Repeat("a", 257) }, []string{"spec.reason", "256"}},
	} {
		t.Run(name, func(t *testing.T) {
			order := w.order("", "web-0")
			order.GenerateName = "rules-"
			tc.change(&order.Spec)
			err := plane.Create(t.Context(), order)
			if len(tc.wantSays) == 0 {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			for _, part := range tc.wantSays {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v, want one that says %q", err, part)
				}
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	order := &v1alpha1.PodScaleIn{ObjectMeta: w.meta("short"), Spec: v1alpha1.PodScaleInSpec{
		TargetRef: v1alpha1.ScaleInTarget{Name: "web"}, Pods: []v1alpha1.PodReference{{Name: "web-0"}},
	}}
	w.create(plane, order)
	want := v1alpha1.ScaleInTarget{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"}
	if order.Spec.TargetRef != want || ptr.Deref(order.Spec.TimeoutSeconds, 0) != 600 {
		t.Errorf("defaults: %+v", order.Spec)
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text, err := os.ReadFile(repository + "/deploy/samples/podscalein.yaml")
	if err != nil {
		t.Fatal(err)
	}
	order := &v1alpha1.PodScaleIn{}
	if err := yaml.UnmarshalStrict(text, order); err != nil {
		t.Fatal(err)
	}
	order.Namespace = w.namespace
	w.create(plane, order)
}

func TestTheSpecCannotBeChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	order := w.order("once", "web-0")
	w.create(plane, order)
	order.Spec.Pods[0].Name = "web-1"
	err := plane.Update(w.ctx, order)
	if err == nil || !strings.Contains(err.Error(), "spec cannot be changed: a PodScaleIn is one order; create another") {
		t.Errorf("error %v, want one that says what to do", err)
	}
}

// TestAdmission is what the webhook refuses beyond the kind's own rules.
func TestAdmission(t *testing.T) {
	t.Parallel()
	ref := autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"}
	for name, tc := range map[string]struct {
		prepare  func(*world)
		change   func(*v1alpha1.PodScaleIn)
		wantSays []string
	}{
		"good":                {},
		"a pod of no cluster": {change: func(o *v1alpha1.PodScaleIn) { o.Spec.Pods[0].Cluster = "" }},
		"named twice": {
			change:   func(o *v1alpha1.PodScaleIn) { o.Spec.Pods = append(o.Spec.Pods, o.Spec.Pods[0]) },
			wantSays: []string{"spec.pods[1]", "Duplicate", "web-0"},
		},
		"no such CloneSet": {
			change:   func(o *v1alpha1.PodScaleIn) { o.Spec.TargetRef.Name = "shop" },
			wantSays: []string{"spec.targetRef.name", "CloneSet shop does not exist in namespace"},
		},
		"an HPA owns the replicas": {
			prepare: func(w *world) {
				w.create(plane, &autoscalingv2.HorizontalPodAutoscaler{
					ObjectMeta: w.meta("keeper"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: ref, MaxReplicas: 9},
				})
			},
			wantSays: []string{"spec.targetRef", "HorizontalPodAutoscaler keeper", "lower its maxReplicas or delete it first"},
		},
		"a FedHPA owns the replicas": {
			prepare: func(w *world) {
				w.create(plane, &autoscalingv1alpha1.FedHPA{ObjectMeta: w.meta("keeper"), Spec: autoscalingv1alpha1.FedHPASpec{
					ScaleTargetRef: ref, MinReplicas: 1, MaxReplicas: 9, Metrics: []autoscalingv2.MetricSpec{{
						Type: autoscalingv2.ResourceMetricSourceType,
						Resource: &autoscalingv2.ResourceMetricSource{
							Name: "cpu", Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](60)},
						},
					}},
				}})
			},
			wantSays: []string{"spec.targetRef", "FedHPA keeper"},
		},
		"the members own the replicas": {
			prepare: func(w *world) {
				change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) { c.Labels = map[string]string{mark.RetainReplicas: "true"} })
			},
			wantSays: []string{"spec.targetRef", mark.RetainReplicas, "argosyctl scalein adopt"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			order := w.order("asked", "web-0")
			order.Spec.TargetRef.APIVersion, order.Spec.TargetRef.Kind = "apps.kruise.io/v1alpha1", "CloneSet"
			if tc.change != nil {
				tc.change(order)
			}
			got := w.ask(plane, admissionv1.Create, order)
			w.Expect(got.Allowed).To(gomega.Equal(len(tc.wantSays) == 0), "%v", got.Result)
			for _, part := range tc.wantSays {
				w.Expect(got.Result.Message).To(gomega.ContainSubstring(part))
			}
			w.Expect(w.ask(plane, admissionv1.Update, order).Allowed).
				To(gomega.BeTrue(), "an update cannot change the spec: its status must go through")
		})
	}
}

// ask puts an order before the webhook's handler.
func (w *world) ask(reader client.Reader, operation admissionv1.Operation, order *v1alpha1.PodScaleIn) admission.Response {
	w.t.Helper()
	raw, err := json.Marshal(order)
	w.Expect(err).NotTo(gomega.HaveOccurred())
	handler := &scalein.Validator{Reader: reader, Decoder: admission.NewDecoder(scheme)}
	return handler.Handle(w.ctx, admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: operation, Namespace: w.namespace, Object: runtime.RawExtension{Raw: raw},
	}})
}

// warned keeps what the API server warned of.
type warned struct {
	mu   sync.Mutex
	said []string
}

func (w *warned) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

// TestNamesOnATemplateAreWarnedOf: whoever names pods on the template, where they reach no member, is told of PodScaleIn; nothing is
// refused. ../shared/cases/scaling/podstodelete-on-template.yaml
func TestNamesOnATemplateAreWarnedOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	objects, err := install.Registrations("https://127.0.0.1:1", []byte("none"))
	w.Expect(err).NotTo(gomega.HaveOccurred())
	policies := 0
	for _, object := range objects {
		if object.GetName() == "argosy-pods-to-delete" {
			policies++
			w.create(plane, object)
		}
	}
	w.Expect(policies).To(gomega.Equal(2), "a policy and its binding")
	heard := &warned{}
	config := rest.CopyConfig(planeConfig)
	config.WarningHandler = heard
	person, err := client.New(config, client.Options{Scheme: scheme})
	w.Expect(err).NotTo(gomega.HaveOccurred())
	patch := func(text string) []string {
		heard.said = nil
		template := w.cloneSet(0)
		w.Expect(person.Patch(w.ctx, template, client.RawPatch(types.MergePatchType, []byte(text)))).To(gomega.Succeed())
		return heard.said
	}
	w.Eventually(func() []string { return patch(`{"spec":{"replicas":4,"scaleStrategy":{"podsToDelete":["web-1"]}}}`) }).
		Should(gomega.ContainElement(gomega.ContainSubstring("Name the pods in a PodScaleIn")))
	w.Expect(patch(`{"spec":{"replicas":5,"scaleStrategy":{"podsToDelete":null}}}`)).To(gomega.BeEmpty(), "a scaling without names")
}
