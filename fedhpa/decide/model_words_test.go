package decide

import (
	"fmt"
	"maps"
	"slices"
)

// agree says what is not true in the books.
func (m *model) agree() string {
	real := Counts{}
	for name, member := range m.members {
		if member.exists {
			real[name] = member.replicas
		}
	}
	switch {
	case real.String() != m.binding.clusters.String():
		return fmt.Sprintf("members run %s, the binding says %s", real, m.binding.clusters)
	case m.template.Replicas != real.Sum() || m.binding.replicas != real.Sum():
		return fmt.Sprintf("members run %d, the template says %d, the binding %d", real.Sum(), m.template.Replicas, m.binding.replicas)
	}
	return ""
}

// dropped reports whether any cluster was given up while it was away, since all limits last were within max.
func (m *model) dropped() bool {
	for _, member := range m.members {
		if member.dropped {
			return true
		}
	}
	return false
}

// String shows the whole model, for a failure to be understood.
func (m *model) String() string {
	out := fmt.Sprintf("template %+v\nbinding %+v\n", m.template, m.binding)
	for _, name := range slices.Sorted(maps.Keys(m.members)) {
		x := m.members[name]
		out += fmt.Sprintf("%s ready=%v load=%d runs=%d work=%+v sent=%+v in force=%+v reported=%+v\n", name, x.ready, x.load, x.replicas,
			x.work, x.hpaWork, x.hpa, x.reported)
	}
	return out
}
