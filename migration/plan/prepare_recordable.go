package plan

import "github.com/argosy-dev/argosy/api/migration/v1alpha1"

// recordable refuses an application of which not even clusters and objects fit into a record: once it is open, a rollback must be
// recorded too.
func (j *journey) recordable() outcome {
	if j.Entry == nil {
		return proceed // whoever leaves is on record
	}
	least := *j.next.DeepCopy()
	for _, shed := range sheds() {
		shed(&least)
	}
	if size := sizeOf(&least) + len(least.Clusters)*evidenceOfACluster; size > maxRecord {
		return j.block(v1alpha1.ReasonTooLarge, "the record of %d clusters and %d objects takes %d KiB, and %d are there for one: name fewer "+
			"clusters in the whitelist's entry, or make it several applications", len(j.next.Clusters), len(j.next.Resources), size>>10,
			maxRecord>>10)
	}
	return proceed
}

// evidenceOfACluster is room for the evidence that comes when a cluster is opened, without names of pods, and for what is said of it.
const evidenceOfACluster = 1 << 10
