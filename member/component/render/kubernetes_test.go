package render

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"k8s.io/kubernetes/pkg/apis/apps"
	appsinstall "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	autoscalinginstall "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	autoscalingvalidation "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	coreinstall "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	networkinginstall "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	policyinstall "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
)

// TestKubernetesAcceptsTheCorpus runs Kubernetes' own defaulting and validation over every object of the corpus.
func TestKubernetesAcceptsTheCorpus(t *testing.T) {
	scheme := runtime.NewScheme()
	coreinstall.Install(scheme)
	appsinstall.Install(scheme)
	networkinginstall.Install(scheme)
	autoscalinginstall.Install(scheme)
	policyinstall.Install(scheme)
	for _, c := range corpus(t) {
		objects, _, err := Render(c.component, c.templates, zoneA)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, o := range objects {
			if errs := validated(t, scheme, o); len(errs) > 0 {
				t.Errorf("%s: %s %s: %v", c.name, o.Kind, o.Name, errs.ToAggregate())
			}
		}
	}
}

func validated(t *testing.T, scheme *runtime.Scheme, o Object) field.ErrorList {
	t.Helper()
	read := func(into runtime.Object, internal any) {
		t.Helper()
		strict, err := kjson.UnmarshalStrict(o.JSON, into)
		if err != nil || len(strict) > 0 {
			t.Fatalf("%s %s: %v %v", o.Kind, o.Name, err, strict)
		}
		scheme.Default(into)
		if err := scheme.Convert(into, internal, nil); err != nil {
			t.Fatal(err)
		}
	}
	switch o.Kind {
	case "Deployment":
		var in apps.Deployment
		read(&appsv1.Deployment{}, &in)
		return appsvalidation.ValidateDeployment(&in, corevalidation.PodValidationOptions{})
	case "StatefulSet":
		var in apps.StatefulSet
		read(&appsv1.StatefulSet{}, &in)
		return appsvalidation.ValidateStatefulSet(&in, corevalidation.PodValidationOptions{})
	case "Service":
		var in core.Service
		read(&corev1.Service{}, &in)
		return corevalidation.ValidateServiceCreate(&in)
	case "ConfigMap":
		var in core.ConfigMap
		read(&corev1.ConfigMap{}, &in)
		return corevalidation.ValidateConfigMap(&in)
	case "Ingress":
		var in networking.Ingress
		read(&networkingv1.Ingress{}, &in)
		return networkingvalidation.ValidateIngressCreate(&in)
	case "HorizontalPodAutoscaler":
		var in autoscaling.HorizontalPodAutoscaler
		read(&autoscalingv2.HorizontalPodAutoscaler{}, &in)
		return autoscalingvalidation.ValidateHorizontalPodAutoscaler(&in,
			autoscalingvalidation.HorizontalPodAutoscalerSpecValidationOptions{MinReplicasLowerBound: 1})
	case "PodDisruptionBudget":
		var in policy.PodDisruptionBudget
		read(&policyv1.PodDisruptionBudget{}, &in)
		return policyvalidation.ValidatePodDisruptionBudget(&in, policyvalidation.PodDisruptionBudgetValidationOptions{})
	}
	t.Fatalf("no validation of %s", o.Kind)
	return nil
}
