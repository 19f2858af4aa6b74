package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// sideBySide is the table of both systems under the same load.
type sideBySide struct {
	mu   sync.Mutex
	rows map[string]string
}

func (s *sideBySide) add(what, seen string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[what] = seen
}

func (s *sideBySide) String() string {
	var out bytes.Buffer
	table := tabwriter.NewWriter(&out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "\nA Deployment with an autoscaler in each member, %s under load\n", fight)
	for _, what := range slices.Sorted(maps.Keys(s.rows)) {
		fmt.Fprintf(table, "%s\t%s\n", what, s.rows[what])
	}
	table.Flush()
	return out.String()
}

// stockKarmada: the same Deployment under the same load, with native autoscalers that somebody made in the members.
func stockKarmada(t *testing.T, table *sideBySide) {
	a := deployed(t, fedhpaTarget())
	for name, member := range a.planes.members {
		if name == "member3" {
			continue
		}
		a.g.Expect(member.Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: "web"},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
				MinReplicas:    ptr.To[int32](2), MaxReplicas: 10,
				Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{
						Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(50, resource.DecimalSI),
					},
				}}},
			},
		})).To(Succeed())
	}
	highest, one := a.highest("member1"), a.falls("member1")
	a.load("member2", 100)
	a.load("member1", busy)
	a.g.Eventually(highest.Load, slow, "200ms").Should(BeNumerically(">", 2), "the member's autoscaler raises the count")
	a.g.Consistently(func() int32 {
		a.touch()
		return highest.Load()
	}, fight.String(), "1s").Should(BeNumerically(">", 2))
	a.g.Eventually(func() int32 {
		a.touch()
		return one()
	}, slow, "1s").Should(BeNumerically(">=", 2), "does this test still see what it is about?")
	table.add("stock Karmada with members' HPAs",
		fmt.Sprintf("replicas taken back %d times, at most %d of the 8 the load asks for ran", one(), highest.Load()))
}
