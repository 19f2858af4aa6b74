package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/utils/ptr"
)

func TestSuspension(t *testing.T) {
	for name, tc := range map[string]struct {
		open []string
		want *policyv1alpha1.Suspension
	}{
		"nothing open": {want: &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}},
		"some open": {
			open: []string{"b"}, want: &policyv1alpha1.Suspension{
				DispatchingOnClusters: &policyv1alpha1.SuspendClusters{ClusterNames: []string{"a", "c"}},
			},
		},
		"everything open": {open: []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			clusters := []string{"a", "b", "c"}
			got := Suspension(clusters, func(cluster string) bool { return slices.Contains(tc.open, cluster) })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("suspension (-want +got):\n%s", diff)
			}
			for _, cluster := range clusters {
				if Suspended(got, cluster) == slices.Contains(tc.open, cluster) {
					t.Errorf("%s: suspended is %v", cluster, Suspended(got, cluster))
				}
			}
		})
	}
}

func TestRivals(t *testing.T) {
	template := object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop, labels: {app: web}}}`)
	by := func(selector policyv1alpha1.ResourceSelector, priority int32,
		preemption policyv1alpha1.PreemptionBehavior) *policyv1alpha1.PropagationSpec {
		selector.APIVersion, selector.Kind = "apps/v1", "Deployment"
		return &policyv1alpha1.PropagationSpec{
			ResourceSelectors: []policyv1alpha1.ResourceSelector{selector}, Priority: &priority, Preemption: preemption,
		}
	}
	for name, tc := range map[string]struct {
		spec *policyv1alpha1.PropagationSpec
		want bool
	}{
		"another name":                    {spec: by(policyv1alpha1.ResourceSelector{Name: "api"}, 9, policyv1alpha1.PreemptAlways)},
		"another namespace":               {spec: by(policyv1alpha1.ResourceSelector{Namespace: "bank"}, 9, policyv1alpha1.PreemptAlways)},
		"the same name":                   {spec: by(policyv1alpha1.ResourceSelector{Name: "web"}, 0, policyv1alpha1.PreemptNever), want: true},
		"the whole kind gives way":        {spec: by(policyv1alpha1.ResourceSelector{}, 0, policyv1alpha1.PreemptNever)},
		"the whole kind, higher priority": {spec: by(policyv1alpha1.ResourceSelector{}, 1, policyv1alpha1.PreemptNever), want: true},
		"the whole kind, preempting":      {spec: by(policyv1alpha1.ResourceSelector{}, 0, policyv1alpha1.PreemptAlways), want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Rivals(tc.spec, template); got != tc.want {
				t.Errorf("rivals: %v, want %v", got, tc.want)
			}
		})
	}
}
