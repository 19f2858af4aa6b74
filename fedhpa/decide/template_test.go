package decide

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// look lets a second pass in which Karmada does its part, and the controller looks once.
func (m *model) look() Plan {
	m.now = m.now.Add(time.Second)
	m.detect()
	m.read()
	m.write()
	m.deliver(false)
	for name := range m.members {
		m.execute(name)
		m.tick(name)
		m.report(name)
	}
	return m.reconcile(-1)
}

// TestTemplateFollowsRarely: while loads go on changing the scheduling result says at once what members run, and the template, each write
// of which reaches every member, is written at most once in fifteen seconds. It is true at last, and the standby is woken all the same.
func TestTemplateFollowsRarely(t *testing.T) {
	spec := limits(2, 30)
	spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{{Name: "m3", Role: api.ClusterRoleStandby}}}
	m := newModel(spec, Counts{"m1": 2, "m2": 2})
	m.members["m1"].free, m.members["m2"].free = 8, 8
	m.members["m3"] = &memberModel{ready: true, free: 50}
	mustSettle(t, m)
	m.scaled, m.booked = 0, 0
	const seconds = 120
	for i := range seconds {
		if i%3 == 0 {
			m.members["m1"].load, m.members["m2"].load = int32(3+i/12%5), int32(7-i/9%4)
		}
		if i > seconds/2 {
			m.members["m1"].load, m.members["m2"].load = int32(8+i%2), 9
		}
		m.look()
		if got := m.binding.clusters["m1"]; got != m.members["m1"].reported.desired {
			t.Fatalf("after %d s m1 asks for %d and the binding says %d", i, m.members["m1"].reported.desired, got)
		}
	}
	if most := seconds/int(templateGap/time.Second) + 2; m.scaled > most || m.scaled < 2 {
		t.Errorf("the template was written %d times in %d s, at most %d", m.scaled, seconds, most)
	}
	if m.booked < 2*m.scaled {
		t.Errorf("the binding was written %d times, the template %d", m.booked, m.scaled)
	}
	if !m.members["m3"].exists {
		t.Error("the standby was not woken while the template waited")
	}
	mustSettle(t, m)
}

// TestAToolThatPushesReplicasBack: it is met ever more rarely, a person is told, and when it stops the template is right again.
func TestAToolThatPushesReplicasBack(t *testing.T) {
	m := newModel(limits(2, 30), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	m.scaled = 0
	warned := 0
	for range 30 * 60 {
		if m.template.Replicas != 3 && m.now.Second()%10 == 0 {
			m.template.Replicas = 3
		}
		for _, e := range m.look().Events {
			if e.Reason == api.FedHPAReasonPushedBack && e.Warning {
				warned++
			}
		}
	}
	if m.scaled < 5 || m.scaled > 12 {
		t.Errorf("the template was written %d times in half an hour against a tool that pushes every ten seconds", m.scaled)
	}
	if warned < 3 || warned > m.scaled {
		t.Errorf("a person was told %d times", warned)
	}
	wantSaid(t, m.status, api.FedHPABooksAgree, "False TemplatePushedBack")
	if c := meta.FindStatusCondition(m.status.Conditions, api.FedHPABooksAgree); !strings.Contains(c.Message, "last to 3 where members "+
		"run 8") {
		t.Error(c.Message)
	}
	if len(m.faults) > 0 {
		t.Fatal(m.faults)
	}
	mustSettle(t, m)
	for range 11 * 60 {
		m.look()
	}
	m.scaled = 0
	m.template.Replicas = 3
	m.look()
	m.look()
	if m.scaled != 1 || m.status.TemplateScale.PushedBack != 1 {
		t.Errorf("a single push long afterwards: written %d times, %+v", m.scaled, m.status.TemplateScale)
	}
}
