package fedhpa

import (
	"encoding/json"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa"
)

// TestAdmission: what can only fail later is refused at once, with what to do.
func TestAdmission(t *testing.T) {
	t.Parallel()
	validator := &fedhpa.Validator{Reader: plane.Client, Decoder: admission.NewDecoder(plane.Client.Scheme())}
	for name, tc := range map[string]struct {
		prepare func(story) error
		change  func(*api.FedHPA)
		// want is part of the refusal; empty means admitted.
		want string
	}{
		"admitted":       {},
		"target-to-come": {change: func(f *api.FedHPA) { f.Spec.ScaleTargetRef.Name = "later" }},
		"unknown-cluster": {change: func(f *api.FedHPA) {
			f.Spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{{Name: "member9", Weight: ptr.To[int32](1)}}}
		}, want: "correct the name, or join the cluster first"},
		"own-mins-above-max": {change: func(f *api.FedHPA) {
			f.Spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{
				{Name: "member1", MinReplicas: ptr.To[int32](15)}, {Name: "member2", MinReplicas: ptr.To[int32](15)}}}
		}, want: "lower them or raise maxReplicas"},
		"metric-no-member-takes": {change: func(f *api.FedHPA) {
			f.Spec.Metrics = []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType}}
		}, want: "spec.metrics[0].resource"},
		"kind-nobody-retains": {change: func(f *api.FedHPA) {
			f.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web"}
		}, want: "register argosy-webhook's interpreter"},
		"duplicated": {prepare: func(s story) error {
			var b workv1alpha2.ResourceBinding
			if err := s.plane.Client.Get(s.t.Context(), client.ObjectKey{Namespace: s.app.Namespace, Name: "web-deployment"}, &b); err != nil {
				return err
			}
			b.Spec.Placement = &policyv1alpha1.Placement{}
			return s.plane.Client.Update(s.t.Context(), &b)
		}, want: "replicaSchedulingType to Divided"},
		"cronhpa-on-the-target": {prepare: func(s story) error {
			return s.plane.Client.Create(s.t.Context(), &api.CronHPA{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "nightly"},
				Spec: api.CronHPASpec{ScaleTargetRef: s.app.FedHPA(1, 2).Spec.ScaleTargetRef,
					Rules: []api.CronHPARule{{Name: "night", Schedule: "0 1 * * *", TargetReplicas: ptr.To[int32](3)}}},
			})
		}, want: "delete it, and create one aimed at this FedHPA instead"},
		"cronhpa-with-limits-that-cross": {prepare: func(s story) error {
			return s.plane.Client.Create(s.t.Context(), s.peak(30))
		}, want: "CronHPA web-peak is aimed at this FedHPA, and its rule peak sets targetMinReplicas 30: with maxReplicas 20 of FedHPA web the " +
			"limits would be 30..20: set targetMaxReplicas in the rule as well, or raise spec.maxReplicas"},
		"cronhpa-inside": {prepare: func(s story) error {
			return s.plane.Client.Create(s.t.Context(), s.peak(12))
		}},
		"second-autoscaler": {prepare: func(s story) error {
			other := s.app.FedHPA(1, 5)
			other.Name = "other"
			return s.plane.Client.Create(s.t.Context(), other)
		}, want: "FedHPA other scales the same target: delete one of the two"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			if tc.prepare != nil {
				s.g.Expect(tc.prepare(s)).To(Succeed())
			}
			fed := s.app.FedHPA(2, 20)
			if tc.change != nil {
				tc.change(fed)
			}
			response := validator.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: admissionv1.Create, Object: s.raw(fed),
			}})
			if tc.want == "" {
				s.g.Expect(response.Allowed).To(BeTrue(), "%v", response.Result)
				return
			}
			s.g.Expect(response.Allowed).To(BeFalse())
			s.g.Expect(response.Result.Message).To(ContainSubstring(tc.want))
		})
	}
}

func (s story) raw(fed *api.FedHPA) runtime.RawExtension {
	fed.APIVersion, fed.Kind = api.GroupVersion.String(), "FedHPA"
	raw, err := json.Marshal(fed)
	s.g.Expect(err).NotTo(HaveOccurred())
	return runtime.RawExtension{Raw: raw}
}

// peak is a CronHPA that raises the lower limit of the app's FedHPA.
func (s story) peak(least int32) *api.CronHPA {
	return &api.CronHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "web-peak"},
		Spec: api.CronHPASpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: api.GroupVersion.String(), Kind: "FedHPA", Name: s.app.Name},
			Rules:          []api.CronHPARule{{Name: "peak", Schedule: "0 19 * * *", TargetMinReplicas: &least}},
		},
	}
}

// TestAnUntouchedSpecIsNotJudgedAgain: what has become of a cluster since is no reason to refuse a label.
func TestAnUntouchedSpecIsNotJudgedAgain(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	validator := &fedhpa.Validator{Reader: plane.Client, Decoder: admission.NewDecoder(plane.Client.Scheme())}
	fed := s.app.FedHPA(2, 20)
	fed.Spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{{Name: "unjoined", Weight: ptr.To[int32](1)}}}
	update := func(change func(*api.FedHPA)) admission.Response {
		changed := fed.DeepCopy()
		change(changed)
		return validator.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Update, Object: s.raw(changed), OldObject: s.raw(fed),
		}})
	}
	s.g.Expect(update(func(f *api.FedHPA) { f.Labels = map[string]string{"team": "shop"} }).Allowed).To(BeTrue())
	s.g.Expect(update(func(f *api.FedHPA) { f.Spec.MaxReplicas = 30 }).Allowed).To(BeFalse())
}
