package plan

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// soak watches for a while after the last cluster opened.
func (j *journey) soak() outcome {
	j.enter(v1alpha1.PhaseSoaking, v1alpha1.ReasonSoaking, fmt.Sprintf("all clusters took over; watching for %s", j.Strategy.Soak))
	if j.next.SoakStartTime == nil {
		now := metav1.NewTime(j.Now)
		j.next.SoakStartTime = &now
	}
	if lost := j.lost(); lost != "" {
		return j.fail(v1alpha1.ReasonPolicyLost, "%s", lost)
	}
	for _, name := range j.names() {
		if why := j.Clusters[name].Unreachable; why != "" {
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): the soak does not end until it does", name, why)
		}
		if !j.Clusters[name].Ready {
			return j.block(v1alpha1.ReasonClusterNotReady, "Karmada counts cluster %s as not Ready: the soak does not end until it is", name)
		}
	}
	if left := j.Strategy.Soak - j.Now.Sub(j.next.SoakStartTime.Time); left > 0 {
		until := j.next.SoakStartTime.Add(j.Strategy.Soak).UTC().Format("15:04:05 MST")
		return j.wait(v1alpha1.ReasonSoaking, fmt.Sprintf("watched for %s, until %s", j.Strategy.Soak, until), min(left, waiting))
	}
	return proceed
}
