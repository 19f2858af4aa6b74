package oracle

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/argosy-dev/argosy/estimator/fit"
)

// fewAhead is up to how many copies ahead are placed by the scheduler, which then shows where it would put them. More are subtracted by
// arithmetic: a federation promises thousands at once, and placing one takes a millisecond on a member of a thousand nodes.
const fewAhead = 64

// local says whether a reservation can be subtracted by arithmetic: its copies look at one node only, and no rule of the question's pod
// looks at them.
func (o *Oracle) local(i *inquiry, reservation Reservation) bool {
	v, _ := o.view(reservation.Pod)
	if v.orderedWhy != "" || v.custom || i.view.custom || extenderWhy(o.sched, reservation.Pod) != "" {
		return false
	}
	pod, err := newCountedPod(v.relevant(reservation.Pod))
	if err != nil {
		return false
	}
	rules := fit.Classify(pod.pod, pod.info, v.hardDefaults)
	if rules.Shape != fit.NodeLocal || len(rules.Affinity)+len(rules.AntiAffinity) > 0 {
		return false
	}
	return !i.sees(reservation.Pod)
}

// sees: a rule of the question's pod selects the other pod.
func (i *inquiry) sees(other *corev1.Pod) bool {
	matches := func(terms []fwk.AffinityTerm) bool {
		return slices.ContainsFunc(terms, func(term fwk.AffinityTerm) bool { return term.Matches(other, nil) })
	}
	if matches(i.rules.Affinity) || matches(i.rules.AntiAffinity) {
		return true
	}
	spread := i.rules.Spread
	return spread != nil && other.Namespace == i.pod.pod.Namespace && spread.Selector.Matches(labels.Set(other.Labels))
}

// divide says which reservations the scheduler has to place, and which are subtracted from what it then counts: those like the question's
// own pod, one for one, and of the others that are local all, where they are many.
func (o *Oracle) divide(i *inquiry) (place, subtract []Reservation) {
	if i.rules.Shape == fit.Ordered {
		return i.reservations, nil
	}
	var locals []Reservation
	count := 0
	for _, reservation := range i.reservations {
		switch {
		case !o.local(i, reservation):
			place = append(place, reservation)
		case i.rules.Shape == fit.NodeLocal && o.alike(i, reservation.Pod):
			subtract = append(subtract, reservation)
		default:
			locals = append(locals, reservation)
			count += reservation.Count
		}
	}
	if count <= fewAhead {
		return append(place, locals...), subtract
	}
	return place, append(subtract, locals...)
}

// alike: the plugins of one node tell the pod from the question's by nothing.
func (o *Oracle) alike(i *inquiry, other *corev1.Pod) bool {
	v, _ := o.view(other)
	pod, err := newCountedPod(v.relevant(other))
	if err != nil || v != i.view {
		return false
	}
	ours, err := v.localKey(i.pod)
	if err != nil {
		return false
	}
	theirs, err := v.localKey(pod)
	return err == nil && ours == theirs
}

// minus takes the reservations off what c has counted, wherever they go. The result is exact where it does not matter where they go. The
// caller sees to it that nobody writes c's picture meanwhile.
func (c *closedForm) minus(ctx context.Context, from *picture, total int64, ahead []Reservation) (int64, bool, error) {
	if len(ahead) == 0 {
		return total, true, nil
	}
	ahead, err := c.o.together(ahead)
	if err != nil {
		return 0, false, err
	}
	ours := fit.NewDemand(&c.pod.resource, c.v.ignored)
	var same int64
	var kinds []promised
	for _, reservation := range ahead {
		kind, err := c.promised(ctx, from, reservation)
		if err != nil {
			return 0, false, err
		}
		if kind.same && c.rules.Shape == fit.NodeLocal {
			same += kind.copies
			continue
		}
		kinds = append(kinds, kind)
	}
	loss := c.loss(&ours, kinds)
	switch c.rules.Shape {
	case fit.SpreadOnce:
		if loss > 0 && c.rules.Spread.CountsCopies {
			return fit.SpreadAfterLoss(c.domains, c.rules.Spread.Skew, c.rules.Spread.MinDomains, loss), false, nil
		}
	case fit.SeparateOnce:
		if loss > 0 {
			return fit.SeparateAfterLoss(c.places, c.outside, loss), false, nil
		}
	case fit.NodeLocal, fit.Ordered:
	}
	return max(0, total-loss-same), loss == 0, nil
}

// together are the reservations, those of pods that the plugins of one node tell apart by nothing as one: the pending pods of a workload
// that was just scaled up are one reservation each, and what many take of a node is less than what each might take of some node by itself.
func (o *Oracle) together(ahead []Reservation) ([]Reservation, error) {
	var out []Reservation
	at := map[string]int{}
	for _, reservation := range ahead {
		v, _ := o.view(reservation.Pod)
		pod, err := newCountedPod(v.relevant(reservation.Pod))
		if err != nil {
			return nil, err
		}
		key, err := v.localKey(pod)
		if err != nil {
			return nil, err
		}
		if i, known := at[key]; known {
			out[i].Count += reservation.Count
			continue
		}
		at[key] = len(out)
		out = append(out, reservation)
	}
	return out, nil
}

// promised is one kind of pod ahead: how many of it there are, and what each node takes of it.
type promised struct {
	demand fit.Demand
	pod    *countedPod
	rooms  []int64
	copies int64
	same   bool
}

func (c *closedForm) promised(ctx context.Context, from *picture, reservation Reservation) (promised, error) {
	v, _ := c.o.view(reservation.Pod)
	pod, err := newCountedPod(v.relevant(reservation.Pod))
	if err != nil {
		return promised{}, err
	}
	theirs := c.o.newClosedForm(v, pod, from)
	theirs.rules = fit.Rules{Shape: fit.NodeLocal}
	room, _, err := theirs.count(ctx)
	if err != nil {
		return promised{}, err
	}
	// What finds no place takes none.
	kind := promised{demand: fit.NewDemand(&pod.resource, v.ignored), pod: pod, copies: min(int64(reservation.Count), room)}
	ourKey, err := c.v.localKey(c.pod)
	if err != nil {
		return promised{}, err
	}
	theirKey, err := v.localKey(pod)
	if err != nil {
		return promised{}, err
	}
	kind.same = ourKey == theirKey
	for i := range c.nodes {
		kind.rooms = append(kind.rooms, theirs.room(i))
		kind.same = kind.same && theirs.room(i) == c.room(i)
	}
	return kind, nil
}

// loss bounds what all the kinds take: the one with the most copies to the letter, each copy of the others by itself.
func (c *closedForm) loss(ours *fit.Demand, kinds []promised) int64 {
	if len(kinds) == 0 {
		return 0
	}
	most := 0
	for i := range kinds {
		if kinds[i].copies > kinds[most].copies {
			most = i
		}
	}
	var shared []fit.Sharing
	places := int64(0)
	for i, node := range c.nodes {
		if c.room(i) == 0 {
			continue
		}
		places += c.room(i)
		if room := min(kinds[most].rooms[i], kinds[most].copies); room > 0 {
			shared = append(shared, fit.LostTo(ours, &kinds[most].demand, node, c.room(i), room, clash(c.pod, kinds[most].pod)))
		}
	}
	loss := fit.WorstLoss(shared, kinds[most].copies)
	for i := range kinds {
		if i == most {
			continue
		}
		within, widest := int64(0), int64(0)
		for node, room := range kinds[i].rooms {
			if room > 0 {
				within += c.room(node)
				widest = max(widest, c.room(node))
			}
		}
		each := fit.LossEach(ours, &kinds[i].demand)
		if clash(c.pod, kinds[i].pod) {
			each = widest
		}
		loss += min(within, kinds[i].copies*min(each, widest))
	}
	return min(loss, places)
}

// clash: the two pods want one host port.
func clash(a, b *countedPod) bool {
	taken := fwk.HostPortInfo{}
	for _, port := range a.ports {
		taken.Add(port.HostIP, string(port.Protocol), port.HostPort)
	}
	return slices.ContainsFunc(b.ports, func(port corev1.ContainerPort) bool {
		return taken.CheckConflict(port.HostIP, string(port.Protocol), port.HostPort)
	})
}
