package scalein

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// Somebody scales the template in the very moment an adoption lowers it: whoever comes second sees what the first wrote. The
// adoption then compares anew, since members that own their replicas do not follow the template.
func TestAnAdoptionNeverWritesOverAScaling(t *testing.T) {
	for name, tc := range map[string]struct{ beforeTheLook, beforeTheWrite bool }{
		"between decision and look": {beforeTheLook: true},
		"between look and write":    {beforeTheWrite: true},
		"nobody does":               {},
	} {
		t.Run(name, func(t *testing.T) {
			template := &unstructured.Unstructured{}
			template.SetGroupVersionKind(cloneSetKind)
			template.SetNamespace("shop")
			template.SetName("web")
			scale := func(c client.Client, replicas int64) {
				t.Helper()
				if err := c.Get(t.Context(), client.ObjectKeyFromObject(template), template); err != nil {
					t.Fatal(err)
				}
				if err := unstructured.SetNestedField(template.Object, replicas, "spec", "replicas"); err != nil {
					t.Fatal(err)
				}
				if err := c.Update(t.Context(), template); err != nil {
					t.Fatal(err)
				}
			}
			plane := fake.NewClientBuilder().WithObjects(template).WithInterceptorFuncs(interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
					if tc.beforeTheWrite {
						scale(c, 20)
					}
					return c.Patch(ctx, object, patch, options...)
				},
			}).Build()
			scale(plane, 10)
			seen := gathered{facts: facts{template: templateFacts(template)}, templateObject: template.DeepCopy()}
			if tc.beforeTheLook {
				scale(plane, 20)
			}
			err := adopter{Reconciler: &Reconciler{reader: plane, writer: plane}}.write(t.Context(), seen, adoption{do: lowerTemplate, replicas: 8})
			scaled := tc.beforeTheLook || tc.beforeTheWrite
			if apierrors.IsConflict(err) != scaled || !scaled && err != nil {
				t.Fatalf("error %v, want a conflict: %v", err, scaled)
			}
			if err := plane.Get(t.Context(), client.ObjectKeyFromObject(template), template); err != nil {
				t.Fatal(err)
			}
			want := int32(8)
			if scaled {
				want = 20
			}
			if got := replicasOf(template); got != want {
				t.Errorf("%d replicas, want %d", got, want)
			}
		})
	}
}
