package fedhpa

import (
	"fmt"
	"strings"
	"testing"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// story is one app and what is asked of it.
type story struct {
	t     *testing.T
	g     Gomega
	plane *fedhpaplane.Plane
	app   fedhpaplane.App
}

// newStory is an app in the shared plane, whose controllers run.
func newStory(t *testing.T) story {
	t.Helper()
	return storyIn(t, plane, strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")))
}

func storyIn(t *testing.T, p *fedhpaplane.Plane, namespace string) story {
	t.Helper()
	s := story{t: t, g: NewWithT(t), plane: p, app: fedhpaplane.App{
		Namespace: namespace, Name: "web",
		Clusters: []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 3}, {Name: "member2", Replicas: 2}},
	}}
	s.g.Expect(p.Propagate(t.Context(), s.app)).To(Succeed())
	return s
}

func (s story) key() client.ObjectKey {
	return client.ObjectKey{Namespace: s.app.Namespace, Name: s.app.Name}
}

const (
	// noticed is within what an event is followed: the next look without one is two minutes away.
	noticed = "90s"
)

func (s story) ready() (string, error) { return s.condition(api.FedHPAReady) }

// condition is status and reason.
func (s story) condition(kind string) (string, error) {
	var fed api.FedHPA
	if err := s.plane.Client.Get(s.t.Context(), s.key(), &fed); err != nil {
		return "", err
	}
	c := meta.FindStatusCondition(fed.Status.Conditions, kind)
	if c == nil {
		return "none", nil
	}
	return string(c.Status) + " " + c.Reason, nil
}

func (s story) books() (string, error) {
	var b workv1alpha2.ResourceBinding
	if err := s.plane.Client.Get(s.t.Context(), client.ObjectKey{Namespace: s.app.Namespace, Name: "web-deployment"}, &b); err != nil {
		return "", err
	}
	var d appsv1.Deployment
	if err := s.plane.Client.Get(s.t.Context(), s.key(), &d); err != nil {
		return "", err
	}
	var out []string
	for _, c := range b.Spec.Clusters {
		out = append(out, fmt.Sprintf("%s=%d", c.Name, c.Replicas))
	}
	return fmt.Sprintf("%s of %d, template %d", strings.Join(out, " "), b.Spec.Replicas, ptr.Deref(d.Spec.Replicas, 0)), nil
}

// active takes the app over and lets both members speak.
func (s story) active() {
	s.t.Helper()
	s.g.Expect(s.plane.Client.Create(s.t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
	s.g.Eventually(s.retained, machine.Patience).Should(BeTrue(), "the template learns to leave replicas to members")
	_, err := s.plane.AutoscalerWork(s.t.Context(), s.app, "member1")
	s.g.Expect(err).To(HaveOccurred(), "no autoscaler before the Works bear the label")
	s.takenOver()
}

// takenOver plays Karmada and the members until the FedHPA is active.
func (s story) takenOver() {
	s.t.Helper()
	s.g.Eventually(func() (string, error) {
		if err := s.plane.Deliver(s.t.Context(), s.app); err != nil {
			return "", err
		}
		for _, c := range s.app.Clusters {
			// Before the controller has sent it there is nothing to report.
			if err := s.plane.Report(s.t.Context(), s.app, c.Name, c.Replicas); client.IgnoreNotFound(err) != nil {
				return "", err
			}
		}
		if err := s.plane.Schedule(s.t.Context(), s.app); err != nil {
			return "", err
		}
		return s.ready()
	}, machine.Patience, "200ms").Should(Equal("True " + api.FedHPAReasonActive))
}

// TestTakeOverFollowRelease is the whole life of a FedHPA.
func TestTakeOverFollowRelease(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.active()
	s.g.Expect(s.books()).To(Equal("member1=3 member2=2 of 5, template 5"))

	s.g.Eventually(func() error { return s.plane.Schedule(t.Context(), s.app) }, machine.Patience).Should(Succeed())
	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 7)).To(Succeed())
	s.follows("member1=7 member2=2 of 9, template 9")

	// Somebody overwrites the result: the same clusters, other numbers.
	s.scheduled(workv1alpha2.TargetCluster{Name: "member1", Replicas: 5}, workv1alpha2.TargetCluster{Name: "member2", Replicas: 4})
	s.follows("member1=7 member2=2 of 9, template 9")

	s.g.Expect(s.plane.Client.Delete(t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
	s.g.Eventually(s.letGo, machine.Patience).Should(BeTrue())
	s.released("member1=7 member2=2 of 9, template 9")
}

// letGo plays Karmada while a FedHPA is being released, and reports whether it is gone. Until then Karmada must not own the replicas of a
// member that still has an autoscaler.
func (s story) letGo() (bool, error) {
	// Read before the autoscalers are counted: the last of them may go, and the label after it, while this looks.
	retained, left := s.retained(), 0
	for _, c := range s.app.Clusters {
		work, err := s.plane.AutoscalerWork(s.t.Context(), s.app, c.Name)
		if err != nil {
			continue
		}
		left++
		if work.DeletionTimestamp != nil {
			if err := s.plane.Release(s.t.Context(), s.app, c.Name); err != nil {
				return false, err
			}
		}
	}
	s.g.Expect(left == 0 || retained).To(BeTrue(), "%d autoscalers are left, and their replicas are Karmada's", left)
	if err := s.plane.Detect(s.t.Context(), s.app); err != nil {
		return false, err
	}
	if err := s.plane.Schedule(s.t.Context(), s.app); err != nil {
		return false, err
	}
	// The Works say the counts of the books before Karmada owns the replicas.
	if err := s.plane.Deliver(s.t.Context(), s.app); client.IgnoreNotFound(err) != nil {
		return false, err
	}
	err := s.plane.Client.Get(s.t.Context(), s.key(), &api.FedHPA{})
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

func (s story) retained() bool {
	var d appsv1.Deployment
	s.g.Expect(s.plane.Client.Get(s.t.Context(), s.key(), &d)).To(Succeed())
	return d.Labels[mark.RetainReplicas] == "true"
}

// released checks that nothing is left of a FedHPA but the counts.
func (s story) released(books string) {
	s.g.Expect(s.books()).To(Equal(books), "not a replica changed")
	s.g.Expect(s.retained()).To(BeFalse())
	var b workv1alpha2.ResourceBinding
	s.g.Expect(s.plane.Client.Get(s.t.Context(), client.ObjectKey{Namespace: s.app.Namespace, Name: "web-deployment"}, &b)).To(Succeed())
	s.g.Expect(b.Annotations).NotTo(HaveKey(api.FedHPALedgerAnnotation))
}

// follows plays the scheduler until the books say so.
func (s story) follows(books string) {
	s.t.Helper()
	s.g.Eventually(func() (string, error) {
		if err := s.plane.Schedule(s.t.Context(), s.app); err != nil {
			return "", err
		}
		return s.books()
	}, machine.Patience).Should(Equal(books))
}

// TestWhatCannotBeScaledIsSaid: each precondition has its reason, and nothing is touched.
func TestWhatCannotBeScaledIsSaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prepare func(story) error
		change  func(*api.FedHPA)
		want    string
	}{
		"no-target": {change: func(f *api.FedHPA) { f.Spec.ScaleTargetRef.Name = "nothing" }, want: api.FedHPAReasonTargetNotFound},
		"no-kind": {change: func(f *api.FedHPA) {
			f.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "example.com/v1", Kind: "Widget", Name: "web"}
		}, want: api.FedHPAReasonTargetKindUnknown},
		"not-scalable": {prepare: func(s story) error {
			return s.plane.Client.Create(s.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "web"}})
		}, change: func(f *api.FedHPA) {
			f.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "v1", Kind: "ConfigMap", Name: "web"}
		}, want: api.FedHPAReasonTargetNotScalable},
		"not-retained": {prepare: func(s story) error {
			labels := map[string]string{"app": "set"}
			return s.plane.Client.Create(s.t.Context(), &appsv1.StatefulSet{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "web"},
				Spec: appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}}}},
			})
		}, change: func(f *api.FedHPA) { f.Spec.ScaleTargetRef.Kind = "StatefulSet" }, want: api.FedHPAReasonTargetNotScalable},
		"second": {prepare: func(s story) error {
			return s.plane.Client.Create(s.t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "other"},
				Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: s.app.FedHPA(1, 2).Spec.ScaleTargetRef, MaxReplicas: 5},
			})
		}, want: api.FedHPAReasonSecondAutoscaler},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			if tc.prepare != nil {
				s.g.Expect(tc.prepare(s)).To(Succeed())
			}
			fed := s.app.FedHPA(2, 20)
			if tc.change != nil {
				tc.change(fed)
			}
			s.g.Expect(s.plane.Client.Create(t.Context(), fed)).To(Succeed())
			s.g.Eventually(s.ready, machine.Patience).Should(Equal("False " + tc.want))
			var d appsv1.Deployment
			s.g.Expect(s.plane.Client.Get(t.Context(), s.key(), &d)).To(Succeed())
			s.g.Expect(d.Labels).NotTo(HaveKey(mark.RetainReplicas))
		})
	}
}

// TestSpecRules: what one object shows by itself is refused by the API server, with words.
func TestSpecRules(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	for name, tc := range map[string]struct {
		change func(*api.FedHPA)
		want   string
	}{
		"min-above-max": {func(f *api.FedHPA) { f.Spec.MinReplicas = 30 }, "spec.minReplicas must not be above spec.maxReplicas"},
		"no-version":    {func(f *api.FedHPA) { f.Spec.ScaleTargetRef.APIVersion = "" }, "spec.scaleTargetRef.apiVersion is required"},
		"standby-with-min": {func(f *api.FedHPA) {
			f.Spec.Distribution = &api.Distribution{
				Clusters: []api.ClusterDistribution{{Name: "member1", Role: api.ClusterRoleStandby, MinReplicas: ptr.To[int32](1)}},
			}
		}, "a standby cluster has no minReplicas"},
		"queue-of-whom": {func(f *api.FedHPA) {
			f.Spec.Metrics = []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: "queue"},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse("10"))},
			}}}
		}, "spec.metricScope is required with an averageValue of an External or Object metric"},
		"own-min-above-own-max": {func(f *api.FedHPA) {
			f.Spec.Distribution = &api.Distribution{
				Clusters: []api.ClusterDistribution{{Name: "member1", MinReplicas: ptr.To[int32](5), MaxReplicas: ptr.To[int32](4)}},
			}
		}, "a cluster's minReplicas must not be above its maxReplicas"},
	} {
		t.Run(name, func(t *testing.T) {
			fed := s.app.FedHPA(2, 20)
			fed.Name = name
			tc.change(fed)
			NewWithT(t).Expect(s.plane.Client.Create(t.Context(), fed)).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}

// TestAnnotatedHPAIsAFedHPA: kubectl autoscale works, and its status shows the federation's counts.
func TestAnnotatedHPAIsAFedHPA(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "web", Annotations: map[string]string{api.FederateAnnotation: "true"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: s.app.FedHPA(1, 2).Spec.ScaleTargetRef, MinReplicas: ptr.To[int32](2), MaxReplicas: 12,
		},
	}
	s.g.Expect(s.plane.Client.Create(t.Context(), hpa)).To(Succeed())
	s.g.Eventually(func() (int32, error) {
		var fed api.FedHPA
		err := s.plane.Client.Get(t.Context(), s.key(), &fed)
		return fed.Spec.MaxReplicas, err
	}, machine.Patience).Should(BeEquivalentTo(12))
	s.g.Eventually(func() error { return s.plane.Deliver(t.Context(), s.app) }, machine.Patience).Should(Succeed())
	for _, c := range s.app.Clusters {
		s.g.Eventually(func() error {
			if err := s.plane.Deliver(t.Context(), s.app); err != nil {
				return err
			}
			return s.plane.Report(t.Context(), s.app, c.Name, c.Replicas)
		}, machine.Patience, "500ms").Should(Succeed())
	}
	s.g.Eventually(func() (int32, error) {
		err := s.plane.Client.Get(t.Context(), s.key(), hpa)
		return hpa.Status.CurrentReplicas, err
	}, machine.Patience).Should(BeEquivalentTo(5))
}
