package conditions

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

func makeFed(name string, status metav1.ConditionStatus, reason string, since time.Time) *api.FedHPA {
	fed := &api.FedHPA{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	fed.Status.Conditions = []metav1.Condition{{Type: "BooksAgree", Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(since)}}
	return fed
}

// TestGauges: what lasts is exported while it lasts, and what is over, or cannot be looked at, is not.
func TestGauges(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stuck := makeFed("c", "False", "SchedulerBusy", now.Add(-time.Hour))
	refused := false
	reader := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		makeFed("a", "True", "BooksAgree", now.Add(-24*time.Hour)), makeFed("b", "False", "Syncing", now.Add(-time.Second)), stuck,
	).Build(),
		interceptor.Funcs{List: func(ctx context.Context, under client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if refused {
				return errors.New("no right")
			}
			return under.List(ctx, list, opts...)
		}})
	gauges, err := New(reader, clocktesting.NewFakeClock(now), prometheus.NewRegistry(), []Kind{{
		Name: "FedHPA", List: func() client.ObjectList { return &api.FedHPAList{} },
		Conditions: func(o runtime.Object) []metav1.Condition { return o.(*api.FedHPA).Status.Conditions },
	}})
	if err != nil {
		t.Fatal(err)
	}
	gauges.look(t.Context())
	if err := testutil.CollectAndCompare(gauges.shown.Now().objects, strings.NewReader(`
# HELP argosy_conditions_objects Objects by what a condition of theirs says.
# TYPE argosy_conditions_objects gauge
argosy_conditions_objects{condition="BooksAgree",kind="FedHPA",reason="BooksAgree",status="True"} 1
argosy_conditions_objects{condition="BooksAgree",kind="FedHPA",reason="SchedulerBusy",status="False"} 1
argosy_conditions_objects{condition="BooksAgree",kind="FedHPA",reason="Syncing",status="False"} 1
`)); err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(gauges.shown.Now().oldest.WithLabelValues("FedHPA", "BooksAgree", "False")); got != 3600 {
		t.Errorf("the oldest has said so for %v s", got)
	}
	if err := reader.Delete(t.Context(), stuck); err != nil {
		t.Fatal(err)
	}
	gauges.look(t.Context())
	if got := testutil.ToFloat64(gauges.shown.Now().oldest.WithLabelValues("FedHPA", "BooksAgree", "False")); got != 1 {
		t.Errorf("without it the oldest has said so for %v s", got)
	}
	refused = true
	gauges.look(t.Context())
	if got := testutil.CollectAndCount(gauges.shown.Now().objects); got != 0 {
		t.Errorf("%d numbers of what cannot be looked at", got)
	}
}
