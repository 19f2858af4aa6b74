package v1alpha1

import (
	"slices"
	"strings"
)

// everyCluster stands for the clusters of an application in the record of one of its objects, and butNot before a name for one of them
// that the object is not propagated to.
const (
	everyCluster = "*"
	butNot       = "-"
)

// ClustersOf a resource of this record, by name and sorted, however the record writes them.
func (s *MigrationStatus) ClustersOf(resource *ResourceStatus) []string {
	if !slices.Contains(resource.Clusters, everyCluster) {
		return resource.Clusters
	}
	var out []string
	for i := range s.Clusters {
		if name := s.Clusters[i].Name; !slices.Contains(resource.Clusters, butNot+name) {
			out = append(out, name)
		}
	}
	for _, name := range resource.Clusters {
		if name != everyCluster && !strings.HasPrefix(name, butNot) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// WriteOut the clusters of every resource by name.
func (s *MigrationStatus) WriteOut() {
	for i := range s.Resources {
		s.Resources[i].Clusters = s.ClustersOf(&s.Resources[i])
	}
}

// Abridge writes the clusters of a resource the shorter way: by name, or as all of the application's but some.
func (s *MigrationStatus) Abridge() {
	for i := range s.Resources {
		resource := &s.Resources[i]
		clusters := s.ClustersOf(resource)
		has := make(map[string]bool, len(clusters))
		for _, name := range clusters {
			has[name] = true
		}
		short := []string{everyCluster}
		for j := range s.Clusters {
			if name := s.Clusters[j].Name; has[name] {
				delete(has, name)
			} else {
				short = append(short, butNot+name)
			}
		}
		for name := range has {
			short = append(short, name) // a cluster of its own
		}
		slices.Sort(short)
		if len(short) < len(clusters) {
			resource.Clusters = short
		}
	}
}
