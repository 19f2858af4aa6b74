package plan

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// betweenLooks lies between two looks of three: what a probe or a scrape missed once it finds again by then.
const betweenLooks = 10 * time.Second

// health counts looks: one that finds an opened cluster not well is a doubt, and nothing goes on until two more are over; another missed
// one of these is a failure.
func (j *journey) health(status *v1alpha1.ClusterStatus, why string) outcome {
	doubt := status.Doubt
	switch {
	case doubt == nil && why == "":
		return proceed
	case doubt == nil:
		status.Doubt = &v1alpha1.HealthDoubt{Message: why, LookTime: metav1.NewTime(j.Now)}
		return j.doubts(status, betweenLooks)
	}
	if left := betweenLooks - j.Now.Sub(doubt.LookTime.Time); left > 0 {
		return j.doubts(status, left)
	}
	if why != "" {
		return j.fail(v1alpha1.ReasonUnhealthy, "in cluster %s %s, in two of three looks", status.Name, why)
	}
	if doubt.Well++; doubt.Well == 2 {
		status.Doubt = nil
		return proceed
	}
	doubt.LookTime = metav1.NewTime(j.Now)
	return j.doubts(status, betweenLooks)
}

func (j *journey) doubts(status *v1alpha1.ClusterStatus, again time.Duration) outcome {
	return j.wait(v1alpha1.ReasonUnhealthy, fmt.Sprintf("in cluster %s %s: it is looked at twice more before that counts", status.Name,
		status.Doubt.Message), again)
}
