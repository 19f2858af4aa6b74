package hook

import (
	"encoding/json"
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/interpreter"
)

func TestAutoscalersAreWarnedOf(t *testing.T) {
	target := func(labels map[string]string) client.Object {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: labels}}
	}
	hpa := func(annotations map[string]string) *autoscalingv1.HorizontalPodAutoscaler {
		return &autoscalingv1.HorizontalPodAutoscaler{
			TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v1", Kind: "HorizontalPodAutoscaler"},
			ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}, Annotations: annotations},
			Spec: autoscalingv1.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv1.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			},
		}
	}
	policy := func(namespace, version string) client.Object {
		selectors := []policyv1alpha1.ResourceSelector{{
			APIVersion: version, Kind: "HorizontalPodAutoscaler", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		}}
		if namespace == "" {
			return &policyv1alpha1.ClusterPropagationPolicy{
				ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: policyv1alpha1.PropagationSpec{ResourceSelectors: selectors},
			}
		}
		return &policyv1alpha1.PropagationPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}, Spec: policyv1alpha1.PropagationSpec{ResourceSelectors: selectors},
		}
	}
	claimed := map[string]string{policyv1alpha1.PropagationPolicyNameAnnotation: "web"}
	for name, tc := range map[string]struct {
		hpa   *autoscalingv1.HorizontalPodAutoscaler
		there []client.Object
		want  bool
	}{
		"claimed by a policy":         {hpa(claimed), []client.Object{target(nil)}, true},
		"selected by a policy":        {hpa(nil), []client.Object{target(nil), policy("shop", "autoscaling/v2")}, true},
		"selected by a policy of all": {hpa(nil), []client.Object{target(nil), policy("", "autoscaling/v1")}, true},
		"selected elsewhere":          {hpa(nil), []client.Object{target(nil), policy("other", "autoscaling/v2")}, false},
		"of the control plane":        {hpa(nil), []client.Object{target(nil)}, false},
		"members own the replicas": {
			hpa(claimed), []client.Object{target(map[string]string{"resourcetemplate.karmada.io/retain-replicas": "true"})}, false,
		},
		"a target that is not there":      {hpa(claimed), nil, false},
		"a target nobody divides":         {withTarget(hpa(claimed), "example.com/v1", "Thing"), nil, false},
		"a CloneSet that is not there":    {withTarget(hpa(claimed), "apps.kruise.io/v1alpha1", "CloneSet"), nil, false},
		"a target whose kind is no words": {withTarget(hpa(claimed), "a/b/c", ""), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			scheme, err := program.Scheme()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(tc.hpa)
			if err != nil {
				t.Fatal(err)
			}
			a := &Autoscalers{Decoder: admission.NewDecoder(scheme),
				Reader:  fake.NewClientBuilder().WithScheme(scheme).WithObjects(tc.there...).Build(),
				Catalog: interpreter.NewCatalog(interpreter.Families())}
			got := a.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Namespace: "shop", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: raw}}})
			if !got.Allowed || (len(got.Warnings) == 1) != tc.want {
				t.Fatalf("answer %+v, want a warning: %v", got, tc.want)
			}
			if tc.want &&
				!strings.Contains(got.Warnings[0], "kubectl -n shop label deployment.apps web resourcetemplate.karmada.io/retain-replicas=true") {
				t.Errorf("warning without the remedy: %s", got.Warnings[0])
			}
		})
	}
}

func withTarget(hpa *autoscalingv1.HorizontalPodAutoscaler, version, kind string) *autoscalingv1.HorizontalPodAutoscaler {
	hpa.Spec.ScaleTargetRef.APIVersion, hpa.Spec.ScaleTargetRef.Kind = version, kind
	return hpa
}
