package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	autoscaling "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
)

// TestScalers: every Work of an autoscaler that names the workload is found, whoever sent it, but not those of the application's own
// objects.
func TestScalers(t *testing.T) {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	ref := func(name string) autoscalingv2.CrossVersionObjectReference {
		return autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
	}
	hpa := func(name, of string) client.Object {
		return &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: named(name), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: ref(of)},
		}
	}
	work := func(name string, suspended bool) client.Object {
		return &workv1alpha1.Work{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: names.GenerateExecutionSpaceName("a"), Name: names.GenerateWorkName("HorizontalPodAutoscaler", name, "shop"),
			},
			Spec: workv1alpha1.WorkSpec{SuspendDispatching: ptr.To(suspended)},
		}
	}
	kinds := workScheme(t)
	for _, add := range []func() error{
		func() error { return autoscaling.AddToScheme(kinds) }, func() error { return autoscalingv2.AddToScheme(kinds) },
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	reader := fake.NewClientBuilder().WithScheme(kinds).WithObjects(
		&autoscaling.FedHPA{ObjectMeta: named("fed"), Spec: autoscaling.FedHPASpec{ScaleTargetRef: ref("web")}},
		&autoscaling.FedHPA{ObjectMeta: named("elsewhere"), Spec: autoscaling.FedHPASpec{ScaleTargetRef: ref("other")}},
		hpa("byhand", "web"), hpa("own", "web"), hpa("idle", "web"),
		work("fed", true), work("elsewhere", false), work("byhand", false), work("own", false),
	).Build()
	world := func() *plan.World {
		w := &plan.World{Namespace: "shop", Clusters: map[string]plan.Cluster{"a": {}, "b": {}}}
		w.Spec.APIVersion, w.Spec.Kind, w.Spec.Name = "apps/v1", "Deployment", "web"
		w.Status.Resources = []v1alpha1.ResourceStatus{{
			ResourceReference: plan.Ref{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "own"}, Policy: "web-hpa",
		}}
		return w
	}
	got := world()
	if err := (&Controller{Reader: reader}).scalers(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	want := []string{"HorizontalPodAutoscaler byhand", "the autoscaler of FedHPA fed"}
	if found := slices.Sorted(maps.Keys(got.Clusters["a"].Scalers)); !slices.Equal(found, want) || len(got.Clusters["b"].Scalers) != 0 {
		t.Errorf("a has %v, b %v", found, got.Clusters["b"].Scalers)
	}
	if !got.Clusters["a"].Scalers[want[1]].Suspended || got.Clusters["a"].Scalers[want[0]].Suspended {
		t.Errorf("%+v", got.Clusters["a"].Scalers)
	}

	// Whatever may not be listed stops no rollback.
	forbidden := interceptor.NewClient(reader,
		interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("forbidden")
		}})
	got = world()
	if err := (&Controller{Reader: forbidden}).scalers(t.Context(), got); err != nil ||
		!strings.Contains(got.Control.ScalersUnread, "forbidden") {
		t.Errorf("%v, %q", err, got.Control.ScalersUnread)
	}
}
