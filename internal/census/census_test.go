package census

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestCountsByConditionAndStatus: each object counts once for each condition, and one that nobody has looked at is Unknown.
func TestCountsByConditionAndStatus(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	cron := func(name string, statuses ...metav1.ConditionStatus) *v1alpha1.CronHPA {
		c := &v1alpha1.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		for i, status := range statuses {
			c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{Type: []string{"Ready", "SpecValid"}[i], Status: status})
		}
		return c
	}
	collector := Collector[*v1alpha1.CronHPAList]{
		Desc:   prometheus.NewDesc("crons", "CronHPAs.", []string{"condition", "status"}, nil),
		Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(cron("a", "True", "True"), cron("b", "False", "True"), cron("c")).Build(),
		Types:  []string{"Ready", "SpecValid"},
		New:    func() *v1alpha1.CronHPAList { return &v1alpha1.CronHPAList{} },
		Conditions: func(list *v1alpha1.CronHPAList) [][]metav1.Condition {
			var out [][]metav1.Condition
			for i := range list.Items {
				out = append(out, list.Items[i].Status.Conditions)
			}
			return out
		},
	}
	want := `
# HELP crons CronHPAs.
# TYPE crons gauge
crons{condition="Ready",status="False"} 1
crons{condition="Ready",status="True"} 1
crons{condition="Ready",status="Unknown"} 1
crons{condition="SpecValid",status="False"} 0
crons{condition="SpecValid",status="True"} 2
crons{condition="SpecValid",status="Unknown"} 1
`
	if err := testutil.CollectAndCompare(collector, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
