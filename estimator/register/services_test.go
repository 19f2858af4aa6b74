package register

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestDecide(t *testing.T) {
	target := Target{Prefix: "estimator", Host: "argosy-estimator.karmada-system.svc", Port: 10352}
	service := func(name string, change func(*corev1.Service)) corev1.Service {
		s := corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{managedBy: Manager}},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: target.Host,
				Ports: []corev1.ServicePort{{Name: "grpc", Port: 10352, TargetPort: intstr.FromInt32(10352)}}},
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	foreign := func(s *corev1.Service) { s.Labels = map[string]string{managedBy: "Helm"} }
	shared := target
	shared.Shared = true
	elsewhere := func(s *corev1.Service) { s.Spec.ExternalName = "other.karmada-system.svc" }
	if diff := cmp.Diff(steps{apply: []string{"estimator-m1"}, remove: []string{"estimator-m2"}},
		decide([]corev1.Service{service("estimator-m1", elsewhere), service("estimator-m2", nil),
			service("estimator-m3", elsewhere)}, []string{"m1"}, shared), cmp.AllowUnexported(steps{})); diff != "" {
		t.Errorf("beside another instance: one member comes from it, one leaves, one is its own (-want +got):\n%s", diff)
	}
	for name, tc := range map[string]struct {
		have    []corev1.Service
		members []string
		want    steps
	}{
		"members without Services": {members: []string{"m2", "m1"}, want: steps{apply: []string{"estimator-m1", "estimator-m2"}}},
		"as it should be":          {have: []corev1.Service{service("estimator-m1", nil)}, members: []string{"m1"}},
		"a member has left":        {have: []corev1.Service{service("estimator-m1", nil)}, want: steps{remove: []string{"estimator-m1"}}},
		"the prefix is another now": {
			have: []corev1.Service{service("old-m1", nil)}, members: []string{"m1"}, want: steps{
				apply: []string{"estimator-m1"}, remove: []string{"old-m1"},
			},
		},
		"the release moved": {
			have: []corev1.Service{service("estimator-m1", func(s *corev1.Service) { s.Spec.ExternalName = "old" })}, members: []string{"m1"},
			want: steps{apply: []string{"estimator-m1"}},
		},
		"edited by hand": {
			have:    []corev1.Service{service("estimator-m1", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(1) })},
			members: []string{"m1"}, want: steps{apply: []string{"estimator-m1"}},
		},
		"the member's is somebody else's": {
			have: []corev1.Service{service("estimator-m1", foreign)}, members: []string{"m1", "m2"}, want: steps{
				apply: []string{"estimator-m2"}, foreign: []string{"estimator-m1"},
			},
		},
		"Karmada's own": {have: []corev1.Service{service("karmada-aggregated-apiserver", foreign)}},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(tc.have, tc.members, target)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(steps{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
