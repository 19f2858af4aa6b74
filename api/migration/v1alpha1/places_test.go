package v1alpha1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// However an object's clusters are written, they are the same ones.
func TestPlaces(t *testing.T) {
	for name, tc := range map[string]struct{ clusters, short []string }{
		"all":                 {[]string{"a", "b", "c", "d", "e"}, []string{"*"}},
		"all but one":         {[]string{"a", "b", "c", "e"}, []string{"*", "-d"}},
		"one":                 {[]string{"b"}, []string{"b"}},
		"none":                {nil, nil},
		"all and a further":   {[]string{"a", "b", "c", "d", "e", "z"}, []string{"*", "z"}},
		"few":                 {[]string{"a", "e"}, []string{"a", "e"}},
		"others than it has":  {[]string{"y", "z"}, []string{"y", "z"}},
		"as many either way":  {[]string{"a", "b", "c"}, []string{"a", "b", "c"}},
		"most, and a further": {[]string{"a", "b", "c", "d", "z"}, []string{"*", "-e", "z"}},
	} {
		t.Run(name, func(t *testing.T) {
			status := MigrationStatus{Resources: []ResourceStatus{{Clusters: tc.clusters}}}
			for _, cluster := range []string{"a", "b", "c", "d", "e"} {
				status.Clusters = append(status.Clusters, ClusterStatus{Name: cluster})
			}
			status.Abridge()
			if diff := cmp.Diff(tc.short, status.Resources[0].Clusters); diff != "" {
				t.Errorf("abridged (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.clusters, status.ClustersOf(&status.Resources[0])); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			status.Abridge()
			if diff := cmp.Diff(tc.short, status.Resources[0].Clusters); diff != "" {
				t.Errorf("abridged twice (-want +got):\n%s", diff)
			}
			status.WriteOut()
			if diff := cmp.Diff(tc.clusters, status.Resources[0].Clusters); diff != "" {
				t.Errorf("written out (-want +got):\n%s", diff)
			}
		})
	}
}
