package oracle

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/argosy-dev/argosy/estimator/fit"
)

// inquiry is a question with what has been found out about it.
type inquiry struct {
	Question
	view  *view
	pod   *countedPod
	rules fit.Rules
	// reservations are placed before the pod is counted.
	reservations []Reservation
	// nominated are the pods that hold room on a node they do not occupy yet.
	nominated map[string][]fwk.PodInfo
}

// Fit answers how many copies of the question's pod the member would place now.
func (o *Oracle) Fit(ctx context.Context, q Question) (Answer, error) {
	v, known := o.view(q.Pod)
	if status := v.gated(ctx, q.Pod); status != nil {
		return Answer{Path: PathGated, Exact: true, Why: status.Message(), Limits: map[string]int{status.Plugin(): 0}}, nil
	}
	pod, err := newCountedPod(v.relevant(q.Pod))
	if err != nil {
		return Answer{Path: PathGated, Exact: true, Why: fmt.Sprintf("the pod does not parse: %v", err)}, nil
	}
	i := &inquiry{Question: q, view: v, pod: pod}
	i.reservations, i.nominated = o.reservations(q)
	i.rules = o.rules(i)
	answer, ok, err := o.fitPlain(ctx, i)
	if err == nil && !ok {
		answer, err = o.fit(ctx, i)
	}
	if !known {
		answer.Doubt, answer.Exact = ForeignScheduler, false
	}
	return limit(answer, q.Most), err
}

func (o *Oracle) fit(ctx context.Context, i *inquiry) (answer Answer, err error) {
	place, subtract := o.divide(i)
	if len(place) == 0 && i.rules.Shape != fit.Ordered {
		if err := o.refreshIfFree(ctx); err != nil {
			return Answer{}, err
		}
		answer, ok, err := o.countShared(ctx, i, subtract)
		if err != nil || ok && answer.Known() {
			return answer, err
		}
		if !ok {
			i.rules.Shape, i.rules.Why = fit.Ordered, uncounted
		}
	}
	if err := o.acquire(ctx); err != nil {
		return Answer{TimedOut: true, Path: PathPlaced, Why: err.Error()}, nil
	}
	defer o.release()
	forget, err := o.assumeForeseen(ctx)
	defer func() { err = errors.Join(err, forget()) }()
	if err != nil {
		return Answer{}, err
	}
	if i.Each != nil {
		parts, confined, err := o.segments(i)
		if err != nil {
			return Answer{}, err
		}
		if confined {
			return o.fitConfined(ctx, i, parts)
		}
	}
	return o.fitBehind(ctx, i)
}

// uncounted is why a spread constraint's closed form declined.
const uncounted = "copies may land where the constraint does not count them"

// fitBehind counts after the reservations ahead have been placed. Where the scheduler puts those is partly chance, so it is done several
// times and the least is the answer, unless none of them found a place. The caller holds the turn.
func (o *Oracle) fitBehind(ctx context.Context, i *inquiry) (Answer, error) {
	deadline := o.clock.Now().Add(i.Budget)
	var least Answer
	most := int64(0)
	for round := range runs {
		begun := o.clock.Now()
		answer, ahead, err := o.fitOnce(ctx, i)
		if err != nil {
			return Answer{}, err
		}
		if round > 0 && answer.TimedOut {
			break
		}
		most = max(most, answer.Count+answer.Width)
		if round == 0 || answer.Count < least.Count {
			least = answer
		}
		spent := o.clock.Now().Sub(begun)
		if ahead == 0 || answer.TimedOut || answer.Path == PathPlaced || (i.Budget > 0 && o.clock.Now().Add(spent).After(deadline)) {
			break
		}
	}
	least.Width = most - least.Count
	return least, nil
}

// fitOnce places the reservations that the scheduler has to place, counts, subtracts the others, and takes the reservations back. It
// returns how many found a place. What could not be placed in time is subtracted too, if that can be.
func (o *Oracle) fitOnce(ctx context.Context, i *inquiry) (answer Answer, found int, err error) {
	place, subtract := o.divide(i)
	if i.rules.Shape != fit.Ordered && copiesIn(subtract) > fewAhead && len(place) == 0 {
		// Subtracting alone has not told: place what time allows, in their order, and subtract the rest.
		place, subtract = i.reservations, nil
	}
	pass := &pass{o: o}
	defer func() { err = errors.Join(err, pass.undo(ctx)) }()
	left, err := pass.reserve(ctx, place, i.Budget/2)
	if err != nil {
		return Answer{}, 0, err
	}
	ahead := pass.pods
	late := Answer{TimedOut: true, Path: PathPlaced, Why: "others' reservations alone took all the time"}
	why := i.rules.Why
	if i.rules.Shape != fit.Ordered {
		for _, reservation := range left {
			if !o.local(i, reservation) {
				return late, len(ahead), nil
			}
		}
		if err := o.takePicture(ctx, &o.behind); err != nil {
			return Answer{}, 0, err
		}
		answer, ok, err := o.countClosed(ctx, &o.behind, i, append(subtract, left...))
		if ok || err != nil {
			answer.Exact = answer.Exact && len(ahead) == 0
			return answer, len(ahead), err
		}
		why = uncounted
	}
	if len(left)+len(subtract) > 0 {
		return late, len(ahead), nil
	}
	answer, err = o.placeCopies(ctx, i, why)
	return answer, len(ahead), err
}

func copiesIn(reservations []Reservation) int {
	total := 0
	for _, reservation := range reservations {
		total += reservation.Count
	}
	return total
}

// countShared counts on the shared picture, many at a time.
func (o *Oracle) countShared(ctx context.Context, i *inquiry, ahead []Reservation) (Answer, bool, error) {
	o.guard.RLock()
	defer o.guard.RUnlock()
	return o.countClosed(ctx, &o.shared, i, ahead)
}

// countClosed counts by closed form what is left behind those ahead, and explains.
func (o *Oracle) countClosed(ctx context.Context, from *picture, i *inquiry, ahead []Reservation) (Answer, bool, error) {
	c := o.newClosedForm(i.view, i.pod, from)
	c.rules, c.nominated = i.rules, i.nominated
	total, ok, err := c.count(ctx)
	if !ok || err != nil {
		return Answer{}, ok, err
	}
	least, exact, err := c.minus(ctx, from, total, ahead)
	if err != nil {
		return Answer{}, false, err
	}
	answer := Answer{Count: least, Exact: exact, Path: Path(i.rules.Shape), Computed: c.computed}
	if !exact {
		answer.Width, answer.Why = total-least, "it depends on where promised and pending pods go"
		answer.TimedOut = least == 0
	}
	if i.Explain {
		c.explain(ctx, &answer)
	}
	return answer, true, nil
}

// rules says how the pod's copies can be counted on this member.
func (o *Oracle) rules(i *inquiry) fit.Rules {
	info := i.pod.info
	o.mergeNamespaces(info.GetRequiredAffinityTerms())
	o.mergeNamespaces(info.GetRequiredAntiAffinityTerms())
	rules := fit.Classify(i.pod.pod, info, i.view.hardDefaults)
	for _, reason := range reasons {
		if why := reason.why(o, i, rules); why != "" {
			rules.Shape, rules.Why = fit.Ordered, why
			break
		}
	}
	return rules
}

// repels: a nominated pod has anti-affinity of its own, which bars its node to others.
func repels(nominated map[string][]fwk.PodInfo) bool {
	for _, pods := range nominated {
		for _, pod := range pods {
			if len(pod.GetRequiredAntiAffinityTerms()) > 0 {
				return true
			}
		}
	}
	return false
}

// mergeNamespaces follows interpodaffinity.mergeAffinityTermNamespacesIfNotEmpty, which leaves the selector in place.
func (o *Oracle) mergeNamespaces(terms []fwk.AffinityTerm) {
	for i := range terms {
		if terms[i].NamespaceSelector.Empty() {
			continue
		}
		// The lister reads memory and does not fail.
		namespaces, _ := o.namespaces.List(terms[i].NamespaceSelector)
		for _, namespace := range namespaces {
			terms[i].Namespaces.Insert(namespace.Name)
		}
	}
}

// relevant drops the rules that the profile has no plugin for.
func (v *view) relevant(pod *corev1.Pod) *corev1.Pod {
	if v.hasSpread && v.hasAffinity {
		return pod
	}
	pod = pod.DeepCopy()
	if !v.hasSpread {
		pod.Spec.TopologySpreadConstraints = nil
	}
	if !v.hasAffinity && pod.Spec.Affinity != nil {
		pod.Spec.Affinity.PodAffinity, pod.Spec.Affinity.PodAntiAffinity = nil, nil
	}
	return pod
}

// priorityOf is the priority the scheduler sees.
func priorityOf(pod *corev1.Pod) int32 { return corev1helpers.PodPriority(pod) }
