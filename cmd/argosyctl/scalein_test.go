package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

func TestScaleInOrder(t *testing.T) {
	options := scaleInOptions{pods: []string{"member1/shop-a", "shop-b"}, reason: "bad disks", timeout: 2 * time.Minute}
	order, err := options.order("shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []v1alpha1.PodReference{{Cluster: "member1", Name: "shop-a"}, {Name: "shop-b"}}
	if diff := cmp.Diff(want, order.Spec.Pods); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	if order.GenerateName != "shop-" || *order.Spec.TimeoutSeconds != 120 || order.Spec.Reason != "bad disks" {
		t.Errorf("order %+v", order)
	}
	for name, tc := range map[string]struct{ pods, wantErr string }{
		"none":     {"", "--pod"},
		"no name":  {"member1/", "POD or CLUSTER/POD"},
		"too deep": {"a/b/c", "POD or CLUSTER/POD"},
	} {
		t.Run(name, func(t *testing.T) {
			options := scaleInOptions{}
			if tc.pods != "" {
				options.pods = []string{tc.pods}
			}
			if _, err := options.order("shop"); err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("error %v, want one with %q", err, tc.wantErr)
			}
		})
	}
}
