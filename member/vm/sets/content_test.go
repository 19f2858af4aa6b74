package sets

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
)

// TestSettingsAreReadOnce a minute, however often a set of many Servers is looked at; and at once when a person changes the set.
func TestSettingsAreReadOnce(t *testing.T) {
	reads := 0
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "tool"}, Data: map[string]string{"level": "one"}}
	api := fake.NewClientBuilder().WithObjects(config).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			reads++
			return c.Get(ctx, key, o, options...)
		},
	}).Build()
	now := clocktesting.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	r := New(Options{Options: control.Options{Clock: now}}, control.Means{Live: api})
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u", Generation: 1}}
	set.Spec.Template.Spec.Packages = []v1alpha1.Package{{Name: "tool", ConfigMapRef: &v1alpha1.LocalReference{Name: "tool"}}}
	look := func() *work {
		t.Helper()
		var w *work
		for range 1_000 {
			w = &work{set: set, now: now.Now()}
			if err := r.readSettings(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		return w
	}
	first := look()
	if reads != 1 || first.settings == "" || !first.lookAt.Equal(now.Now().Add(settingsPeriod)) {
		t.Errorf("%d reads, %q, again at %s", reads, first.settings, first.lookAt)
	}
	config.Data["level"] = "two"
	if err := api.Update(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	set.Annotations = map[string]string{"look": "again"}
	if second := look(); reads != 2 || second.settings == first.settings {
		t.Errorf("%d reads after an edit, %q", reads, second.settings)
	}
	if err := api.Delete(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	now.Step(settingsPeriod)
	if gone := look(); reads != 3 || gone.reason != v1alpha1.ReasonSettingsMissing || !gone.lookAt.Equal(now.Now().Add(settingsMissing)) {
		t.Errorf("%d reads, %q, again at %s", reads, gone.reason, gone.lookAt)
	}
	r.forget("u")
	if len(r.contents) != 0 {
		t.Errorf("kept of a set that is gone: %v", r.contents)
	}
}
