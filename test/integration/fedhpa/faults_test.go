package fedhpa

import (
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

func (s story) binding() *workv1alpha2.ResourceBinding {
	var b workv1alpha2.ResourceBinding
	s.g.Expect(s.plane.Client.Get(s.t.Context(), client.ObjectKey{Namespace: s.app.Namespace, Name: "web-deployment"}, &b)).To(Succeed())
	return &b
}

func (s story) message(kind string) string {
	var fed api.FedHPA
	s.g.Expect(s.plane.Client.Get(s.t.Context(), s.key(), &fed)).To(Succeed())
	if c := meta.FindStatusCondition(fed.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// scheduled writes a scheduling result as karmada-scheduler does.
func (s story) scheduled(clusters ...workv1alpha2.TargetCluster) {
	s.g.Eventually(func() error {
		b := s.binding()
		b.Spec.Clusters = clusters
		return s.plane.Client.Update(s.t.Context(), b)
	}, machine.Patience).Should(Succeed())
}

// TestClusterJoinsAndLeaves: the scheduler moves replicas to a cluster that was joined, while another member scales; then the cluster is
// unjoined, with all its Works. Nobody else loses a replica in the books, and the limits are divided over who is there.
func TestClusterJoinsAndLeaves(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.active()
	const joined = "member-joined"
	s.g.Expect(s.plane.Join(t.Context(), joined)).To(Succeed())
	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 6)).To(Succeed())
	s.follows("member1=6 member2=2 of 8, template 8")

	// A rebalance gives the new cluster two of member1's: those stay where they run until the new ones do, and nobody's autoscaler is cut.
	s.scheduled(workv1alpha2.TargetCluster{Name: "member1", Replicas: 4}, workv1alpha2.TargetCluster{Name: "member2", Replicas: 2},
		workv1alpha2.TargetCluster{Name: joined, Replicas: 2})
	s.app.Clusters = append(s.app.Clusters, workv1alpha2.TargetCluster{Name: joined, Replicas: 2})
	s.g.Eventually(func() error {
		if err := s.plane.Deliver(t.Context(), s.app); err != nil {
			return err
		}
		if err := s.plane.Schedule(t.Context(), s.app); err != nil {
			return err
		}
		// The others confirm that they make room, before the new one gets its part.
		for cluster, asks := range map[string]int32{"member1": 6, "member2": 2} {
			if err := s.plane.Report(t.Context(), s.app, cluster, asks); err != nil {
				return err
			}
		}
		return s.plane.Report(t.Context(), s.app, joined, 2)
	}, machine.Patience, "200ms").Should(Succeed(), "the new member gets its autoscaler")
	s.follows("member1=6 member2=2 member-joined=2 of 10, template 10")

	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 7)).To(Succeed())
	s.g.Expect(s.plane.Client.Delete(t.Context(), &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: joined}})).To(Succeed())
	s.scheduled(workv1alpha2.TargetCluster{Name: "member1", Replicas: 6}, workv1alpha2.TargetCluster{Name: "member2", Replicas: 2})
	s.app.Clusters = s.app.Clusters[:2]
	s.follows("member1=7 member2=2 of 9, template 9")
	var works workv1alpha1.WorkList
	ours := []client.ListOption{
		client.InNamespace(names.GenerateExecutionSpaceName(joined)), client.MatchingLabels{api.FedHPAManagedLabel: "true"},
	}
	s.g.Eventually(func() (int, error) {
		// The namespace of Works goes with the cluster, whatever is still sent to it by one who has not heard of that.
		if err := s.plane.Client.List(t.Context(), &works, ours...); err != nil {
			return 0, err
		}
		for i := range works.Items {
			works.Items[i].Finalizers = nil
			if err := s.plane.Client.Update(t.Context(), &works.Items[i]); err != nil {
				return 0, err
			}
			if err := client.IgnoreNotFound(s.plane.Client.Delete(t.Context(), &works.Items[i])); err != nil {
				return 0, err
			}
		}
		var fed api.FedHPA
		err := s.plane.Client.Get(t.Context(), s.key(), &fed)
		return len(fed.Status.Clusters), err
	}, machine.Patience).Should(Equal(2))
	s.g.Expect(s.plane.Client.List(t.Context(), &works, ours...)).To(Succeed())
	s.g.Expect(works.Items).To(BeEmpty(), "nothing is sent to a cluster that is gone")
}

// TestMinAboveCapacity: what fits nowhere is said, and nobody is made to run what does not fit, nor less than it runs.
func TestMinAboveCapacity(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.g.Expect(s.plane.Client.Create(t.Context(), s.app.FedHPA(500, 600))).To(Succeed())
	s.takenOver()
	s.g.Eventually(func() (string, error) { return s.condition(api.FedHPACapacitySufficient) }, machine.Patience).
		Should(Equal("False " + api.FedHPAReasonMinUnplaced))
	s.g.Expect(s.message(api.FedHPACapacitySufficient)).
		To(MatchRegexp(`\d+ of minReplicas 500 fit in no cluster: add room, add a cluster, or lower minReplicas`))
	s.follows("member1=3 member2=2 of 5, template 5")
	// 100 pods fit into each cluster beside what runs.
	for _, c := range s.app.Clusters {
		s.g.Eventually(func() (int32, error) {
			work, err := s.plane.AutoscalerWork(t.Context(), s.app, c.Name)
			if err != nil {
				return 0, err
			}
			limits, err := s.plane.Limits(work)
			return limits.Max, err
		}, machine.Patience).Should(BeNumerically("<=", 100+c.Replicas))
	}
}

// TestMemberRefuses: an autoscaler of the same name is in a member already, and is somebody else's.
func TestMemberRefuses(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.active()
	s.g.Eventually(func() error {
		work, err := s.plane.AutoscalerWork(t.Context(), s.app, "member2")
		if err != nil {
			return err
		}
		meta.SetStatusCondition(&work.Status.Conditions, metav1.Condition{
			Type: workv1alpha1.WorkApplied, Status: metav1.ConditionFalse, Reason: "AppliedFailed",
			Message: "resource(kind=HorizontalPodAutoscaler) already exist in cluster member2",
		})
		return s.plane.Client.Status().Update(t.Context(), work)
	}, machine.Patience).Should(Succeed())
	s.g.Eventually(func() (string, error) { return s.condition(api.FedHPAMembersScaling) }, machine.Patience).
		Should(Equal("False " + api.FedHPAReasonMemberRefuses))
	s.g.Expect(s.message(api.FedHPAMembersScaling)).
		To(Equal("member2: the autoscaler could not be applied: resource(kind=HorizontalPodAutoscaler) already exist in cluster member2"))
	s.follows("member1=3 member2=2 of 5, template 5")
}

// TestUnreachable: a member that cannot be asked keeps its count and its limits, whatever its autoscaler said last.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	const away = "member-away"
	s.g.Expect(s.plane.Join(t.Context(), away)).To(Succeed())
	s.app.Clusters = append(s.app.Clusters, workv1alpha2.TargetCluster{Name: away, Replicas: 4})
	s.g.Expect(s.plane.Client.Delete(t.Context(), s.binding())).To(Succeed())
	s.g.Expect(s.plane.Propagate(t.Context(), s.app)).To(Succeed())
	s.active()
	s.g.Expect(s.plane.SetReady(t.Context(), away, false)).To(Succeed())
	s.g.Eventually(func() (string, error) { return s.condition(api.FedHPAMembersScaling) }, machine.Patience).
		Should(Equal("Unknown " + api.FedHPAReasonMemberUnreachable))
	// Karmada clears nothing, but a stale report of nothing must not count either.
	s.g.Expect(s.plane.Report(t.Context(), s.app, away, 0)).To(Succeed())
	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 5)).To(Succeed())
	s.follows("member1=5 member2=2 member-away=4 of 11, template 11")
	s.g.Expect(s.plane.SetReady(t.Context(), away, true)).To(Succeed())
	s.g.Expect(s.plane.Report(t.Context(), s.app, away, 6)).To(Succeed())
	s.follows("member1=5 member2=2 member-away=6 of 13, template 13")
}
