package decide

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// notAhead brings stamps that lie ahead of the clock back to it: a leader whose clock was ahead wrote them, and what waits for so
// long after one of them would wait for as much longer as that clock was wrong.
func notAhead(s *api.FedHPAStatus, now time.Time) {
	stamps := []*metav1.Time{s.SuspendedSince, s.ReleasingSince, s.DriftSince, s.LastOverwriteTime}
	if s.LastDivision != nil {
		stamps = append(stamps, &s.LastDivision.Time)
	}
	if s.TemplateScale != nil {
		stamps = append(stamps, &s.TemplateScale.Time)
	}
	for i := range s.Clusters {
		c := &s.Clusters[i]
		stamps = append(stamps, c.PendingSince, c.LimitsDifferSince, c.WithdrawnSince, c.IdleSince)
	}
	for _, stamp := range stamps {
		if stamp != nil && stamp.After(now) {
			*stamp = metav1.NewTime(now)
		}
	}
}
