package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// crowded is the record of an application in so many clusters, with so many objects in each, of which a plan and evidence are whole.
func crowded(clusters, objects, pods int) v1alpha1.MigrationStatus {
	noon := metav1.NewTime(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	status := v1alpha1.MigrationStatus{
		Phase: v1alpha1.PhaseAwaitingApproval, Plan: &v1alpha1.Plan{Hash: strings.Repeat("a", 64), Purpose: v1alpha1.PlanTakeOver, Time: noon},
	}
	var names []string
	for c := range clusters {
		name := fmt.Sprintf("production-europe-%03d", c)
		names = append(names, name)
		evidence := &v1alpha1.Evidence{UID: strings.Repeat("0", 36), TemplateHash: strings.Repeat("0", 16), PodCount: int32(pods)}
		for p := range pods {
			evidence.Pods = append(evidence.Pods, v1alpha1.PodEvidence{
				Name: fmt.Sprintf("web-7d9f8b6c5d-%05d", p), UID: fmt.Sprintf("%036d", c*pods+p),
			})
		}
		status.Clusters = append(status.Clusters, v1alpha1.ClusterStatus{
			Name: name, State: v1alpha1.ClusterOpen, Before: evidence, After: evidence,
		})
		for o := range objects {
			plan := v1alpha1.ResourcePlan{
				ResourceReference: Ref{APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprint("settings-", o)}, Cluster: name,
			}
			for f := range 15 {
				plan.Changes = append(plan.Changes, v1alpha1.FieldChange{
					Path: fmt.Sprint(`metadata.annotations["work.karmada.io/name-`, f, `"]`), Kind: v1alpha1.ChangeBookkeeping,
					Planned: strings.Repeat("x", 40),
				})
			}
			for f := range 10 {
				plan.Changes = append(plan.Changes, v1alpha1.FieldChange{
					Path: fmt.Sprint("data.key-", f), Kind: v1alpha1.ChangeOverride, Live: strings.Repeat("x", 200),
				})
			}
			status.Plan.Resources = append(status.Plan.Resources, plan)
		}
	}
	for o := range objects {
		status.Resources = append(status.Resources, v1alpha1.ResourceStatus{
			ResourceReference: Ref{APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprint("settings-", o)},
			Policy:            fmt.Sprint("configmap-settings-", o), Clusters: names,
		})
	}
	for range maxHistory {
		status.History = append(status.History, v1alpha1.HistoryEntry{Time: noon, Message: strings.Repeat("x", 1000)})
	}
	return status
}

// However many clusters and objects there are, the record fits into etcd, and what a person decides by and a rollback needs stays in it.
func TestARecordAlwaysFits(t *testing.T) {
	for name, tc := range map[string]struct{ clusters, objects, pods int }{
		"one of each":                {1, 1, 1},
		"100 clusters":               {100, 14, 30},
		"100 clusters, many objects": {100, 100, 30},
		"500 clusters":               {500, 14, 6},
		"500 clusters, many objects": {500, 100, 6},
		"many pods":                  {100, 3, 300},
	} {
		t.Run(name, func(t *testing.T) {
			whole := crowded(tc.clusters, tc.objects, tc.pods)
			status := *whole.DeepCopy()
			fit(&status)
			raw, err := json.Marshal(status)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d of %d KiB", len(raw)>>10, sizeOf(&whole)>>10)
			if len(raw) > maxRecord {
				t.Errorf("%d bytes, want %d at most", len(raw), maxRecord)
			}
			if status.Plan.Hash != whole.Plan.Hash || len(status.Clusters) != tc.clusters || len(status.Resources) != tc.objects {
				t.Errorf("lost its hash, clusters or objects: %d clusters, %d objects", len(status.Clusters), len(status.Resources))
			}
			for i := range status.Resources {
				if diff := cmp.Diff(whole.Resources[i].Clusters, status.ClustersOf(&status.Resources[i])); diff != "" {
					t.Fatalf("lost where %s is (-want +got):\n%s", status.Resources[i].Name, diff)
				}
			}
			for i := range status.Clusters {
				if status.Clusters[i].Before.PodCount != int32(tc.pods) {
					t.Fatalf("lost the number of pods of %s", status.Clusters[i].Name)
				}
			}
			again := *status.DeepCopy()
			fit(&again)
			if twice, err := json.Marshal(again); err != nil || string(twice) != string(raw) {
				t.Errorf("another record the second time (%v): every pass would write it", err)
			}
		})
	}
}

// What is shed first is what can be read elsewhere; what speaks against a plan stays longest.
func TestWhatIsShedFirst(t *testing.T) {
	status := crowded(20, 60, 3)
	status.Plan.Resources[7].Changes = append([]v1alpha1.FieldChange{{
		Path: "spec.replicas", Kind: v1alpha1.ChangeHarmful, Live: "3", Planned: "5",
	}}, status.Plan.Resources[7].Changes...)
	fit(&status)
	counted := map[v1alpha1.ChangeKind]int{}
	for _, resource := range status.Plan.Resources {
		for _, change := range resource.Changes {
			counted[change.Kind]++
		}
	}
	if counted[v1alpha1.ChangeBookkeeping] > 0 || counted[v1alpha1.ChangeHarmful] != 1 {
		t.Errorf("kept %v", counted)
	}
	small := crowded(2, 3, 3)
	fit(&small)
	if got := len(small.Plan.Resources[0].Changes); got != 25 || small.Plan.Resources[0].Omitted != 0 {
		t.Errorf("of a small plan %d changes are kept, want all 25", got)
	}
}

// Of an application with a hundred objects in five hundred clusters the next pass finds what the last one recorded, a rollback begins, is
// recorded, and knows every object and cluster that it has to close.
func TestARollbackOfTheLargestIsRecorded(t *testing.T) {
	whole := crowded(500, 100, 6)
	whole.Phase, whole.Management = v1alpha1.PhaseFederated, v1alpha1.ManagementFederated
	status := *whole.DeepCopy()
	fit(&status)
	world := World{Namespace: "shop", Owner: "deployment-web", Status: status, Now: time.Date(2026, 3, 2, 13, 0, 0, 0, time.UTC)}
	world.Spec.APIVersion, world.Spec.Kind, world.Spec.Name = "apps/v1", "Deployment", "web"
	world.Spec.Rollback = &v1alpha1.Rollback{Reason: "test"}
	next := Next(world).Status
	if size := sizeOf(&next); size > maxRecord {
		t.Errorf("%d bytes, want %d at most", size, maxRecord)
	}
	last := next.History[len(next.History)-1]
	if next.Phase != v1alpha1.PhaseCuttingOff || !strings.Contains(last.Message, "rolled back by hand (test)") {
		t.Errorf("phase %s, history ends with %q", next.Phase, last.Message)
	}
	for i := range next.Clusters {
		if next.Clusters[i].State != v1alpha1.ClusterSuspended {
			t.Fatalf("cluster %s is recorded as %s", next.Clusters[i].Name, next.Clusters[i].State)
		}
	}
	if len(next.Resources) != 100 || len(next.ClustersOf(&next.Resources[99])) != 500 {
		t.Errorf("%d objects, the last in %d clusters", len(next.Resources), len(next.ClustersOf(&next.Resources[99])))
	}
}

// What cannot be recorded even so is not begun: the message says what to do.
func TestWhatCannotBeRecordedIsNotBegun(t *testing.T) {
	j := begin(World{Entry: &v1alpha1.WhitelistEntry{}, Status: crowded(500, 10, 0)})
	if j.recordable() != proceed {
		t.Fatalf("ten objects in 500 clusters: %s", j.next.Conditions[0].Message)
	}
	for i := range 4000 {
		j.next.Resources = append(j.next.Resources, v1alpha1.ResourceStatus{
			ResourceReference: Ref{APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprint("further-", i)},
			Policy:            fmt.Sprint("configmap-further-", i),
		})
	}
	if j.recordable() != stop || j.next.Blocked != v1alpha1.ReasonTooLarge ||
		!strings.Contains(j.next.Conditions[0].Message, "500 clusters and 4010 objects") {
		t.Errorf("blocked by %q: %+v", j.next.Blocked, j.next.Conditions)
	}
}
