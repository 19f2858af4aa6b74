package facts

import (
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// TestBeat: how often it is noted that an unchanged machine was heard of, and that it is in one write with what its driver says.
func TestBeat(t *testing.T) {
	const often = 400 * time.Second
	for name, tc := range map[string]struct {
		heard, asked time.Duration
		want         bool
	}{
		"both a while ago":                                  {often - time.Second, often - time.Second, false},
		"heard of long ago":                                 {often, often - time.Second, true},
		"heard of a while ago, and asked just now":          {often / 2, 0, true},
		"both long ago: the driver is about to say":         {often, often, false},
		"both long ago, and the driver says nothing at all": {2 * often, 2 * often, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := status("Done", "Running")
			s.LastHeartbeatTime, s.Machine.ObservedAt = &metav1.Time{Time: noon.Add(-tc.heard)}, &metav1.Time{Time: noon.Add(-tc.asked)}
			Hearing{Answer: Heard, Beat: often}.Write(s, 1, noon)
			if have := s.LastHeartbeatTime.Time.Equal(noon); have != tc.want {
				t.Errorf("noted: %v, want %v", have, tc.want)
			}
		})
	}
}

// TestHeardByWhat: a server that answers is said to pass its health check while it does, and no longer.
func TestHeardByWhat(t *testing.T) {
	s := status("Done", "Running")
	for _, answers := range []string{"its health check passes", "it answers at 10.0.0.1:22", "its health check passes"} {
		Hearing{Answer: Heard, Message: answers}.Write(s, 1, noon)
		if c := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReachable); c.Message != answers {
			t.Errorf("it says %q, and it is so that %q", c.Message, answers)
		}
	}
}

func reach(s *v1alpha1.ServerStatus) string {
	c := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReachable)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

// TestHearing: a driver's word that a machine runs makes nobody reachable; its silence hides nobody who answers.
func TestHearing(t *testing.T) {
	silent := Reading{Err: errors.New("no answer")}
	for name, tc := range map[string]struct {
		reading Reading
		answer  Answer
		want    string
	}{
		"runs and answers":                 {found("Running", "b1"), Heard, "True HeartbeatFresh"},
		"runs and was not heard yet":       {found("Running", "b1"), NotHeardYet, "Unknown NotProbedYet"},
		"runs and there is nothing to ask": {found("Running", "b1"), NothingAsked, "Unknown NothingToAsk"},
		"runs, its network is cut":         {found("Running", "b1"), Silent, "False HeartbeatLost"},
		"runs, everybody's network is cut": {found("Running", "b1"), Distrusted, "Unknown ProberBlind"},
		"the driver is silent, it answers": {silent, Heard, "True HeartbeatFresh"},
		"both are silent":                  {silent, Silent, "Unknown DriverUnanswered"},
		"the driver is silent, no access":  {silent, NothingAsked, "Unknown DriverUnanswered"},
		"stopped, somebody answers there":  {found("Stopped", "b1"), Heard, "False MachineStopped"},
		"not found, somebody answers":      {Reading{Err: machine.ErrGone}, Heard, "Unknown MachineNotFound"},
		"being made":                       {found("Creating", ""), Heard, "Unknown MachineBooting"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, was := range []metav1.ConditionStatus{"", metav1.ConditionTrue, metav1.ConditionFalse} {
				s := status("Done", "Running")
				if was != "" {
					reachable(s, 1, noon, was, map[metav1.ConditionStatus]string{
						metav1.ConditionTrue: v1alpha1.ReasonHeartbeatFresh, metav1.ConditionFalse: v1alpha1.ReasonHeartbeatLost,
					}[was], "")
				}
				hearing := Hearing{Answer: tc.answer, Message: "as it was heard"}
				tc.reading.Write(s, 1, Missing{}, noon)
				hearing.Write(s, 1, noon)
				if have := reach(s); have != tc.want {
					t.Errorf("from %q: %s, want %s", was, have, tc.want)
				}
				// Nothing new is no write; by what one answers is news (TestHeardByWhat).
				before := s.DeepCopy()
				if hearing.Answer != Heard {
					hearing.Message = "in other words"
				}
				hearing.Write(s, 1, noon.Add(time.Second))
				if !equality.Semantic.DeepEqual(before, s) {
					t.Errorf("from %q: the same was written again: %v, then %v", was, before.Conditions, s.Conditions)
				}
			}
		})
	}
	unmade := &v1alpha1.ServerStatus{}
	if (Hearing{Answer: Heard}).Write(unmade, 1, noon); len(unmade.Conditions) > 0 {
		t.Errorf("a machine that was never made is heard of: %v", unmade.Conditions)
	}
}
