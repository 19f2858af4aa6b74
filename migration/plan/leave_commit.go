package plan

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// commit takes the evidence and records that deletion begins: from here publishing waits.
func (j *journey) commit() outcome {
	if j.purging() {
		return proceed
	}
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		cluster.Before, cluster.After = j.evidence(cluster.Name), nil
	}
	now := metav1.NewTime(j.Now)
	j.next.Management, j.next.RemovalStartTime = v1alpha1.ManagementChanging, &now
	j.history(v1alpha1.ReasonLeaving, "removing the control plane's objects: "+j.consent())
	return j.wait(v1alpha1.ReasonLeaving, "removing the control plane's objects", soon)
}
