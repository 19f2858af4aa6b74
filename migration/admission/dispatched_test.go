package admission

import (
	"context"
	"errors"
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// dispatched is one application with its binding and its Work for cluster member1, as they are while it stands in a phase.
type dispatched struct {
	migration *v1alpha1.Migration
	binding   *workv1alpha2.ResourceBinding
	work      *workv1alpha1.Work
}

func newDispatched(phase v1alpha1.Phase) *dispatched {
	web := v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	d := &dispatched{migration: planned(), binding: &workv1alpha2.ResourceBinding{}, work: &workv1alpha1.Work{}}
	d.migration.Status.Phase = phase
	d.migration.Status.Resources = []v1alpha1.ResourceStatus{{ResourceReference: web, Policy: "deployment-web", Clusters: []string{"member1"}}}
	id := map[string]string{workv1alpha2.ResourceBindingPermanentIDLabel: "one"}
	d.binding.Namespace, d.binding.Name, d.binding.Labels = "shop", "web-deployment", id
	d.binding.TypeMeta = metav1.TypeMeta{APIVersion: workv1alpha2.GroupVersion.String(), Kind: "ResourceBinding"}
	d.binding.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: web.APIVersion, Kind: web.Kind, Namespace: "shop", Name: web.Name}
	d.binding.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 2}}
	d.work.Namespace, d.work.Name, d.work.Labels = "karmada-es-member1", "web-abc", id
	d.work.TypeMeta = metav1.TypeMeta{APIVersion: workv1alpha1.GroupVersion.String(), Kind: "Work"}
	d.work.Annotations = map[string]string{
		workv1alpha2.ResourceBindingNamespaceAnnotationKey: "shop", workv1alpha2.ResourceBindingNameAnnotationKey: "web-deployment",
	}
	return d
}

func workScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	out := scheme(t)
	for _, add := range []func(*runtime.Scheme) error{workv1alpha1.Install, workv1alpha2.Install} {
		if err := add(out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// delete asks for the deletion of the binding or the Work, whatever else the control plane has.
func (d *dispatched) delete(t *testing.T, object client.Object, have ...client.Object) admission.Response {
	t.Helper()
	reader := fake.NewClientBuilder().WithScheme(workScheme(t)).WithObjects(have...).Build()
	in := request(t, "admin", object, nil)
	in.Kind.Kind, in.Namespace = object.GetObjectKind().GroupVersionKind().Kind, object.GetNamespace()
	return (&Dispatched{Decoder: admission.NewDecoder(workScheme(t)), Reader: reader}).Handle(t.Context(), in)
}

func deleting(object client.Object) {
	object.SetDeletionTimestamp(ptr.To(metav1.NewTime(noon)))
	object.SetFinalizers([]string{"karmada.io/keeps"})
}

func TestBindingsOfCutOffApplicationsAreKept(t *testing.T) {
	const remedy = "argosyctl migration leave -n shop deployment/web"
	for name, tc := range map[string]struct {
		phase  v1alpha1.Phase
		change func(*dispatched)
		want   string
	}{
		"cut off":               {phase: v1alpha1.PhaseCutOff, want: remedy},
		"being cut off":         {phase: v1alpha1.PhaseCuttingOff, want: remedy},
		"its leave is prepared": {phase: v1alpha1.PhaseLeaving, want: remedy},
		"removed by its plan": {
			phase: v1alpha1.PhaseLeaving, change: func(d *dispatched) { d.migration.Status.RemovalStartTime = ptr.To(metav1.NewTime(noon)) },
		},
		"federated":     {phase: v1alpha1.PhaseFederated},
		"on its way in": {phase: v1alpha1.PhasePreparing},
		"it left":       {phase: v1alpha1.PhaseLeft},
		"left under static management": {
			phase: v1alpha1.PhaseCutOff, change: func(d *dispatched) { d.migration.Status.Resources[0].Policy = "" },
		},
		"somebody else's object": {phase: v1alpha1.PhaseCutOff, change: func(d *dispatched) { d.binding.Spec.Resource.Name = "other" }},
		"of another group of that kind": {
			phase: v1alpha1.PhaseCutOff, change: func(d *dispatched) { d.binding.Spec.Resource.APIVersion = "example/v1" },
		},
		"being deleted already": {phase: v1alpha1.PhaseCutOff, change: func(d *dispatched) { deleting(d.binding) }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDispatched(tc.phase)
			if tc.change != nil {
				tc.change(d)
			}
			judge(t, d.delete(t, d.binding, d.migration), tc.want)
		})
	}
}

func TestWorksAreKept(t *testing.T) {
	const remedy = "'argosyctl migration rollback -n shop deployment/web', then 'argosyctl migration leave'"
	for name, tc := range map[string]struct {
		phase  v1alpha1.Phase
		change func(*dispatched)
		want   string
	}{
		"cut off":       {phase: v1alpha1.PhaseCutOff, want: remedy},
		"federated":     {phase: v1alpha1.PhaseFederated, want: remedy},
		"on its way in": {phase: v1alpha1.PhaseAwaitingApproval, want: remedy},
		"it left":       {phase: v1alpha1.PhaseLeft},
		"removed by its plan": {
			phase: v1alpha1.PhaseLeaving, change: func(d *dispatched) { d.migration.Status.RemovalStartTime = ptr.To(metav1.NewTime(noon)) },
		},
		"its binding goes":    {phase: v1alpha1.PhaseFederated, change: func(d *dispatched) { deleting(d.binding) }},
		"its binding left it": {phase: v1alpha1.PhaseFederated, change: func(d *dispatched) { d.binding.Spec.Clusters[0].Name = "member2" }},
		"of another binding": {
			phase:  v1alpha1.PhaseFederated,
			change: func(d *dispatched) { d.work.Annotations[workv1alpha2.ResourceBindingNameAnnotationKey] = "gone" },
		},
		"of a binding before": {phase: v1alpha1.PhaseFederated, change: func(d *dispatched) {
			d.work.Labels = map[string]string{workv1alpha2.ResourceBindingPermanentIDLabel: "two"}
		}},
		"of none":               {phase: v1alpha1.PhaseFederated, change: func(d *dispatched) { d.work.Annotations = nil }},
		"being deleted already": {phase: v1alpha1.PhaseFederated, change: func(d *dispatched) { deleting(d.work) }},
		"no execution space":    {phase: v1alpha1.PhaseFederated, change: func(d *dispatched) { d.work.Namespace = "shop" }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDispatched(tc.phase)
			if tc.change != nil {
				tc.change(d)
			}
			response := d.delete(t, d.work, d.migration, d.binding)
			judge(t, response, tc.want)
			if (len(response.Warnings) > 0) != (tc.want != "") {
				t.Errorf("warns %v: karmadactl shows nothing else", response.Warnings)
			}
		})
	}
}

// Karmada's controllers delete Works too: what cannot be judged is not held back.
func TestDispatchedFailsOpen(t *testing.T) {
	d := newDispatched(v1alpha1.PhaseCutOff)
	broken := fake.NewClientBuilder().WithScheme(workScheme(t)).WithObjects(d.migration, d.binding).WithInterceptorFuncs(interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("etcd is away")
		},
	}).Build()
	handler := &Dispatched{Decoder: admission.NewDecoder(workScheme(t)), Reader: broken}
	for _, object := range []client.Object{d.binding, d.work} {
		in := request(t, "admin", object, nil)
		in.Kind.Kind, in.Namespace = object.GetObjectKind().GroupVersionKind().Kind, object.GetNamespace()
		judge(t, handler.Handle(t.Context(), in), "")
		in.OldObject.Raw = []byte("{")
		judge(t, handler.Handle(t.Context(), in), "")
	}
}
