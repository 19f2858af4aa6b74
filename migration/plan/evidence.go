package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// maxPods of one cluster are kept by name, and maxPodsInAll of all clusters: a Migration must stay well under the
// size etcd takes (1.5 MiB), or not even a rollback could be recorded.
const (
	maxPods      = 300
	maxPodsInAll = 3000
)

// evidenceOf is what evidence is taken of.
type evidenceOf struct {
	now      time.Time
	workload *unstructured.Unstructured
	pods     []Pod
	// clusters of the application share the room there is.
	clusters int
}

// take the evidence of a workload in one cluster.
func take(of evidenceOf) *v1alpha1.Evidence {
	now, workload, pods := of.now, of.workload, of.pods
	room := min(maxPods, maxPodsInAll/max(of.clusters, 1))
	replicas, _ := policy.Replicas(workload)
	evidence := &v1alpha1.Evidence{
		Time: metav1.NewTime(now), UID: string(workload.GetUID()), Generation: workload.GetGeneration(),
		Revision: revision(workload), TemplateHash: templateHash(workload), Replicas: replicas, PodCount: int32(len(pods)),
	}
	pods = slices.SortedFunc(slices.Values(pods), func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
	for i := range pods {
		if revision := pods[i].Revision; revision != "" && !slices.Contains(evidence.PodRevisions, revision) {
			evidence.PodRevisions = append(evidence.PodRevisions, revision)
		}
	}
	slices.Sort(evidence.PodRevisions)
	for i := range pods[:min(len(pods), room)] {
		evidence.Pods = append(evidence.Pods, v1alpha1.PodEvidence{Name: pods[i].Name, UID: pods[i].UID, Restarts: pods[i].Restarts})
	}
	return evidence
}

// evidence of the application's workload in a cluster, taken now.
func (j *journey) evidence(cluster string) *v1alpha1.Evidence {
	return take(evidenceOf{
		now: j.Now, workload: j.live(cluster, j.workload()), pods: j.Clusters[cluster].Pods, clusters: len(j.next.Clusters),
	})
}

// revision the workload's own controller counts.
func revision(workload *unstructured.Unstructured) string {
	if workload.GetKind() == "Deployment" {
		return workload.GetAnnotations()["deployment.kubernetes.io/revision"]
	}
	update, _, _ := unstructured.NestedString(workload.Object, "status", "updateRevision")
	return update
}

func templateHash(workload *unstructured.Unstructured) string {
	template, _, _ := unstructured.NestedFieldNoCopy(workload.Object, "spec", "template")
	raw, err := json.Marshal(template)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// changed says what differs between two pieces of evidence that a take-over must not change; empty when it
// proves that nothing restarted. Generation is left out: it rises on any annotation of a Deployment.
// Where an autoscaler owns the replicas, pods may come, and as many may go as the replicas fell.
//
// A pod that went is no accident while workload, template and revision stand: a node is drained or a descheduler evicts, and no write of
// Karmada's leaves another pod of the same revision. One that has no successor yet is the health gate's to count.
func changed(before, after *v1alpha1.Evidence, autoscaled bool) string {
	switch {
	case before.UID != after.UID:
		return fmt.Sprintf("the workload is another object: uid %s became %s", before.UID, after.UID)
	case before.TemplateHash != after.TemplateHash:
		return fmt.Sprintf("the pod template changed: %s became %s", before.TemplateHash, after.TemplateHash)
	case before.Revision != after.Revision:
		return fmt.Sprintf("the revision changed: %s became %s", before.Revision, after.Revision)
	case before.Replicas != after.Replicas && !autoscaled:
		return fmt.Sprintf("replicas changed: %d became %d", before.Replicas, after.Replicas)
	}
	if restarted := restartedPods(before, after); len(restarted) > 0 {
		return "containers restarted in " + list(restarted)
	}
	if len(before.PodRevisions) == 0 {
		return podsGone(before, after, autoscaled)
	}
	for _, revision := range after.PodRevisions {
		if !slices.Contains(before.PodRevisions, revision) {
			return fmt.Sprintf("there are pods of revision %s, and there were those of %s only", revision, list(slices.Clone(before.PodRevisions)))
		}
	}
	return ""
}

// restartedPods of those that are there still.
func restartedPods(before, after *v1alpha1.Evidence) []string {
	seen := map[string]v1alpha1.PodEvidence{}
	for _, pod := range after.Pods {
		seen[pod.UID] = pod
	}
	var restarted []string
	for _, pod := range before.Pods {
		if now, ok := seen[pod.UID]; ok && now.Restarts > pod.Restarts {
			restarted = append(restarted, fmt.Sprintf("%s (%d to %d)", pod.Name, pod.Restarts, now.Restarts))
		}
	}
	return restarted
}

// podsGone counts every pod that went where it is not known which revision those of before bore.
func podsGone(before, after *v1alpha1.Evidence, autoscaled bool) string {
	allowed := 0
	if autoscaled {
		allowed = max(0, int(before.Replicas-after.Replicas))
	}
	if !whole(before) || !whole(after) {
		// Beyond the listed ones only their number is known.
		if int(before.PodCount-after.PodCount) > allowed {
			return fmt.Sprintf("pods are gone: %d became %d", before.PodCount, after.PodCount)
		}
		return ""
	}
	if gone := missing(before, after); len(gone) > allowed {
		return "pods are gone: " + list(gone)
	}
	return ""
}

// whole evidence lists every pod.
func whole(evidence *v1alpha1.Evidence) bool { return int(evidence.PodCount) <= len(evidence.Pods) }

// missing are the pods of one evidence that another has not.
func missing(from, in *v1alpha1.Evidence) []string {
	var out []string
	for _, pod := range from.Pods {
		if !slices.ContainsFunc(in.Pods, func(other v1alpha1.PodEvidence) bool { return other.UID == pod.UID }) {
			out = append(out, pod.Name)
		}
	}
	return out
}

// unfollowed says which pods went without others in their place.
func unfollowed(before, now *v1alpha1.Evidence, autoscaled bool) string {
	allowed := 0
	if autoscaled {
		allowed = max(0, int(before.Replicas-now.Replicas))
	}
	if int(before.PodCount-now.PodCount) > allowed {
		return fmt.Sprintf("pods are gone: %d became %d (%s)", before.PodCount, now.PodCount, list(missing(before, now)))
	}
	return ""
}

// replaced are the pods that went and were followed by others.
func replaced(before, now *v1alpha1.Evidence) (gone, came []string) {
	if !whole(before) || !whole(now) {
		return nil, nil
	}
	gone, came = missing(before, now), missing(now, before)
	n := min(len(gone), len(came))
	return gone[:n], came[:n]
}

func list(names []string) string {
	slices.Sort(names)
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}

// unhealthy says why a health gate does not hold in a cluster; empty when it does.
func unhealthy(workload *unstructured.Unstructured, cluster Cluster, allowed func(int32) int32) string {
	replicas, divided := policy.Replicas(workload)
	if !divided {
		replicas = int32(len(cluster.Pods))
	}
	ready := int32(0)
	for _, pod := range cluster.Pods {
		if pod.Ready {
			ready++
		}
	}
	if missing := replicas - ready; missing > allowed(replicas) {
		return fmt.Sprintf("%d of %d pods are not ready, %d allowed", missing, replicas, allowed(replicas))
	}
	return cluster.Unwell
}

// rolling says why a workload is not at rest: a release under way, or left half finished.
func rolling(workload *unstructured.Unstructured) string {
	status := func(fields ...string) (int64, bool) {
		value, found, err := unstructured.NestedInt64(workload.Object, append([]string{"status"}, fields...)...)
		return value, found && err == nil
	}
	if observed, ok := status("observedGeneration"); !ok || observed < workload.GetGeneration() {
		return "its controller has not seen the latest spec yet"
	}
	if !policy.Divisible(workload.GetKind()) {
		updated, _ := status("updatedNumberScheduled")
		desired, _ := status("desiredNumberScheduled")
		if updated != desired {
			return fmt.Sprintf("%d of %d pods are of the latest revision", updated, desired)
		}
		return ""
	}
	wanted, _ := policy.Replicas(workload)
	have, _ := status("replicas")
	updated, _ := status("updatedReplicas")
	if have != int64(wanted) || updated != int64(wanted) {
		return fmt.Sprintf("%d replicas wanted, %d there, %d of the latest revision", wanted, have, updated)
	}
	current, _, _ := unstructured.NestedString(workload.Object, "status", "currentRevision")
	update, _, _ := unstructured.NestedString(workload.Object, "status", "updateRevision")
	if current != "" && update != "" && current != update && workload.GetKind() != "Deployment" {
		return fmt.Sprintf("revision %s is not yet followed by %s everywhere", current, update)
	}
	return ""
}

// images of a workload's containers, in order.
func images(workload *unstructured.Unstructured) string {
	var out []string
	for _, field := range []string{"initContainers", "containers"} {
		containers, _, _ := unstructured.NestedSlice(workload.Object, "spec", "template", "spec", field)
		for _, container := range containers {
			if asMap, ok := container.(map[string]any); ok {
				out = append(out, fmt.Sprintf("%v=%v", asMap["name"], asMap["image"]))
			}
		}
	}
	return strings.Join(out, ", ")
}
