package plan

import (
	"encoding/json"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// maxRecord is how many bytes a Migration's status may take as JSON. etcd takes 1.5 MiB of an object, of which its metadata, with the field
// managers of a hundred clusters, and its spec need some as well; and what follows must always fit beside what there is: a rollback, its
// history, conditions.
const maxRecord = 800 << 10

// fit makes a status small enough to be recorded, whatever the number of clusters and objects. What goes first can be read elsewhere:
// metadata that Karmada adds to everything, values that OverridePolicies hold. Then go details of what was refused anyway, the places of
// objects, and names of pods, whose number stays. What a plan's hash stands for was reckoned before, of all of it.
func fit(status *v1alpha1.MigrationStatus) {
	for _, shed := range sheds() {
		if sizeOf(status) <= maxRecord {
			return
		}
		shed(status)
	}
}

// sheds make a record smaller, in their order. The first only writes the same in fewer words.
func sheds() []func(*v1alpha1.MigrationStatus) {
	return []func(*v1alpha1.MigrationStatus){
		(*v1alpha1.MigrationStatus).Abridge,
		shedChanges(v1alpha1.ChangeBookkeeping, 0),
		shedChanges(v1alpha1.ChangeOverride, 5),
		shedChanges(v1alpha1.ChangeOverride, 0),
		shedChanges(v1alpha1.ChangeHarmful, 3),
		shedUnchanged,
		shedPods(10),
		shedPods(0),
		shedPlan,
		shedHistory,
		shedPlaces,
	}
}

func sizeOf(status *v1alpha1.MigrationStatus) int {
	raw, err := json.Marshal(status)
	if err != nil {
		return 0 // what cannot be encoded cannot be recorded, and the write says so
	}
	return len(raw)
}

// shedChanges keeps so many changes of a kind for each object and cluster, and counts the others.
func shedChanges(kind v1alpha1.ChangeKind, keep int) func(*v1alpha1.MigrationStatus) {
	return func(status *v1alpha1.MigrationStatus) {
		if status.Plan == nil {
			return
		}
		status.Plan = status.Plan.DeepCopy()
		for i := range status.Plan.Resources {
			resource, kept, seen := &status.Plan.Resources[i], []v1alpha1.FieldChange(nil), 0
			for _, change := range resource.Changes {
				if change.Kind == kind {
					if seen++; seen > keep {
						resource.Omitted++
						continue
					}
				}
				kept = append(kept, change)
			}
			resource.Changes = kept
		}
	}
}

// shedUnchanged leaves out the objects that a plan would not change.
func shedUnchanged(status *v1alpha1.MigrationStatus) {
	if status.Plan == nil {
		return
	}
	var kept []v1alpha1.ResourcePlan
	for _, resource := range status.Plan.Resources {
		if len(resource.Changes) > 0 || resource.Error != "" {
			kept = append(kept, resource)
			continue
		}
		status.Plan.OmittedResources++
	}
	status.Plan.Resources = kept
}

// shedPlan leaves hash, purpose, time and the number of harmful changes.
func shedPlan(status *v1alpha1.MigrationStatus) {
	if status.Plan != nil {
		status.Plan.OmittedResources += int32(len(status.Plan.Resources))
		status.Plan.Resources = nil
	}
}

// shedPods keeps so many pods by name in each piece of evidence.
func shedPods(keep int) func(*v1alpha1.MigrationStatus) {
	return func(status *v1alpha1.MigrationStatus) {
		for i := range status.Clusters {
			for _, evidence := range []**v1alpha1.Evidence{&status.Clusters[i].Before, &status.Clusters[i].After} {
				if *evidence != nil && len((*evidence).Pods) > keep {
					shorter := (*evidence).DeepCopy()
					shorter.Pods = shorter.Pods[:keep:keep]
					*evidence = shorter
				}
			}
		}
	}
}

// shedHistory keeps the newest entries.
func shedHistory(status *v1alpha1.MigrationStatus) {
	if extra := len(status.History) - 5; extra > 0 {
		status.History = status.History[extra:]
	}
}

// shedPlaces leaves out the notes of objects that stay static, of which there may be thousands.
func shedPlaces(status *v1alpha1.MigrationStatus) {
	var kept []v1alpha1.ResourceStatus
	for _, resource := range status.Resources {
		if resource.Policy != "" {
			kept = append(kept, resource)
			continue
		}
		status.OmittedResources++
	}
	status.Resources = kept
}
