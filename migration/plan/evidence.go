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
	for i := range pods[:min(len(pods), room)] {
		evidence.Pods = append(evidence.Pods, v1alpha1.PodEvidence{Name: pods[i].Name, UID: pods[i].UID, Restarts: pods[i].Restarts})
	}
	return evidence
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
	return podsChanged(before, after, autoscaled)
}

func podsChanged(before, after *v1alpha1.Evidence, autoscaled bool) string {
	seen := map[string]v1alpha1.PodEvidence{}
	for _, pod := range after.Pods {
		seen[pod.UID] = pod
	}
	var restarted, gone []string
	for _, pod := range before.Pods {
		now, ok := seen[pod.UID]
		switch {
		case !ok:
			gone = append(gone, pod.Name)
		case now.Restarts > pod.Restarts:
			restarted = append(restarted, fmt.Sprintf("%s (%d to %d)", pod.Name, pod.Restarts, now.Restarts))
		}
	}
	if len(restarted) > 0 {
		return "containers restarted in " + list(restarted)
	}
	allowed := 0
	if autoscaled {
		allowed = max(0, int(before.Replicas-after.Replicas))
	}
	if int(after.PodCount) > len(after.Pods) || int(before.PodCount) > len(before.Pods) {
		// Beyond the listed ones only their number is known.
		if int(before.PodCount-after.PodCount) > allowed {
			return fmt.Sprintf("pods are gone: %d became %d", before.PodCount, after.PodCount)
		}
		return ""
	}
	if len(gone) > allowed {
		return "pods are gone: " + list(gone)
	}
	return ""
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
