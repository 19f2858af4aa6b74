package decide

import (
	"maps"
	"slices"
)

// reconcile is the controller: gather, decide, apply, and perhaps die after some write.
func (m *model) reconcile(dieAfter int) Plan {
	if m.gone {
		return Plan{}
	}
	w := m.world()
	plan := Decide(w)
	version := m.binding.version
	for i, a := range plan.Actions {
		if i == dieAfter {
			return plan
		}
		if !m.apply(a, &version) {
			return plan
		}
	}
	if plan.Overwritten {
		m.overwrites++
	}
	m.status = plan.Status
	return plan
}

func (m *model) apply(a Action, version *int64) bool {
	switch a.Kind {
	case AddFinalizer:
		m.finalizer = true
	case RemoveFinalizer:
		m.gone = m.deleting
	case SetRetain:
		m.template.Retain, m.template.RetainOurs = true, true
		m.version++
	case ClearRetain:
		m.template.Retain, m.template.RetainOurs = false, false
		m.version++
	case WriteBinding:
		if *version != m.binding.version {
			return false // conflict
		}
		m.checkRegions(a.Counts)
		m.binding.clusters, m.binding.ledger, m.binding.replicas = maps.Clone(a.Counts), maps.Clone(a.Counts), a.Total
		m.binding.lettingGo = 0
		m.binding.generation++
		m.binding.version++
		m.booked++
		*version = m.binding.version
	case ClearLedger, NoteLettingGo, ReturnReplicas:
		if *version != m.binding.version {
			return false
		}
		m.letGo(a)
		*version = m.binding.version
	case ScaleTemplate:
		m.template.Replicas = a.Total
		m.version++
		m.scaled++
	case SendAutoscaler:
		r := a.Range
		if r.Min < 1 || r.Min > r.Max {
			m.fault("%s is sent %+v, which no HPA can hold", a.Cluster, r)
		}
		m.members[a.Cluster].hpaWork, m.members[a.Cluster].withheld = &r, false
	case WithholdAutoscaler:
		m.members[a.Cluster].withheld = true
	case AbandonAutoscaler:
		m.members[a.Cluster].abandoned = true
	case DeleteAutoscaler:
		m.members[a.Cluster].hpaGone = true
	}
	return true
}

// letGo is a step of a release in the binding.
func (m *model) letGo(a Action) {
	if a.Kind == NoteLettingGo {
		m.binding.lettingGo = m.version
	} else {
		m.binding.ledger, m.binding.lettingGo = nil, 0
	}
	if a.Kind == ReturnReplicas && m.binding.replicas != a.Total {
		m.binding.replicas = a.Total
		m.binding.generation++
	}
	m.binding.version++
}

func (m *model) world() World {
	for name, member := range m.members {
		if _, in := m.binding.clusters[name]; !in && !member.ready {
			member.dropped = true
		}
	}
	w := World{
		Now: m.now.Add(m.skew), UID: "uid", Name: "web", Generation: m.generation,
		Deleting: m.deleting, DeletedAt: m.deletedAt, Finalizer: m.finalizer,
		Spec: m.spec, Status: *m.status.DeepCopy(),
		Bounds: Bounds{Min: m.spec.MinReplicas, Max: m.spec.MaxReplicas},
		Template: &Template{
			Replicas:   m.template.Replicas,
			Retain:     m.template.Retain,
			RetainOurs: m.template.RetainOurs,
			CutOff:     m.template.CutOff,
		},
		Binding: &Binding{
			Settled: m.binding.generation == m.binding.observed, Claimed: true, Divided: true, Replicas: m.binding.replicas,
			Clusters: maps.Clone(m.binding.clusters), Ledger: maps.Clone(m.binding.ledger), Spread: []Spread{m.regions},
			RescheduledAt: m.binding.rescheduled, ScheduledAt: m.binding.scheduled,
			LettingGo: m.binding.lettingGo > 0, CaughtUp: m.binding.from > m.binding.lettingGo, Ahead: m.binding.from > m.version,
		},
	}
	for _, name := range slices.Sorted(maps.Keys(m.members)) {
		w.Members = append(w.Members, m.members[name].seen(name))
	}
	if w.LastCounts() {
		for i := range w.Members {
			if member := m.members[w.Members[i].Name]; w.Members[i].Workload != nil && member.ready && !m.pull {
				w.Members[i].Workload.Asked = new(member.replicas)
			}
		}
	}
	return w
}

func (m *memberModel) seen(name string) Member {
	free := max(m.free-m.replicas, 0)
	out := Member{
		Name:          name,
		Ready:         m.ready,
		Held:          m.held,
		Tier:          m.tier,
		Groups:        [][]string{{m.region}},
		Eligible:      true,
		Free:          &free,
		FreeAt:        m.replicas,
		FreeFrom:      "model",
		Unschedulable: m.waiting,
	}
	if m.work != nil {
		out.Workload = &Workload{
			Retained: m.work.retain, Applied: m.work.applied, Observed: true, Sent: new(m.work.replicas),
			Replicas: m.reported.replicas + m.reported.surge, Ready: m.reported.replicas + m.reported.surge,
		}
		updated := m.reported.replicas - m.reported.surge
		if m.reported.surge == 0 {
			updated = m.reported.replicas
		}
		out.Workload.Updated = &updated
	}
	if m.hpaWork != nil {
		out.HPA = &Autoscaler{
			Sent:        *m.hpaWork,
			SpecCurrent: true,
			Owned:       true,
			Applied:     m.reported.hpa != nil && !m.unanswered,
			InForce:     m.reported.hpa,
			Deleting:    m.hpaGone || m.abandoned,
			Judged:      true,
			Withheld:    m.withheld,
			Confirmed:   m.withheld,
		}
		if m.unanswered {
			out.HPA.Message = `Put "https://member/apis/autoscaling/v2": EOF`
		}
		if m.reported.ticked {
			out.HPA.Desired, out.HPA.Current = m.reported.desired, m.reported.current
			out.HPA.Fault, out.HPA.Ambiguous = m.reported.fault, m.reported.ambiguous
		}
	}
	return out
}
