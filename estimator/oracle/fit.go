package oracle

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/argosy-dev/argosy/estimator/fit"
)

// Fit answers how many copies of the question's pod the member would place now.
func (o *Oracle) Fit(ctx context.Context, q Question) (Answer, error) {
	v, known := o.view(q.Pod)
	if status := v.gated(ctx, q.Pod); status != nil {
		return Answer{Path: PathGated, Exact: true, Why: status.Message(), Limits: map[string]int{status.Plugin(): 0}, Foreign: !known}, nil
	}
	pod, err := newCopied(v.relevant(q.Pod))
	if err != nil {
		return Answer{Path: PathGated, Exact: true, Why: fmt.Sprintf("the pod does not parse: %v", err), Foreign: !known}, nil
	}
	claims, nominated := o.claims(q)
	answer, err := o.fit(ctx, v, pod, q, claims, nominated)
	answer.Foreign = !known
	if q.Most > 0 && answer.Count > q.Most {
		answer.Count = q.Most
	}
	return answer, err
}

func (o *Oracle) fit(ctx context.Context, v *view, pod *copied, q Question, claims []Claim, nominated map[string][]fwk.PodInfo) (Answer, error) {
	rules := o.rules(v, pod, q, nominated)
	if len(claims) == 0 && rules.Shape != fit.Ordered {
		if err := o.refreshIfFree(ctx); err != nil {
			return Answer{}, err
		}
		if answer, ok, err := o.closed(ctx, v, pod, rules, q, nominated); ok || err != nil {
			return answer, err
		}
		rules.Shape, rules.Why = fit.Ordered, "copies may land where the constraint does not count them"
	}
	if err := o.acquire(ctx); err != nil {
		return Answer{TimedOut: true, Path: PathPlaced, Why: err.Error()}, nil
	}
	defer o.release()
	return o.fitBehind(ctx, v, pod, rules, q, claims, nominated)
}

// fitBehind counts after the claims ahead have been placed. Where the scheduler puts those is partly chance, so it is done several times and the least is
// the answer, unless none of them found a place. The caller holds the turn.
func (o *Oracle) fitBehind(ctx context.Context, v *view, pod *copied, rules fit.Rules, q Question, claims []Claim, nominated map[string][]fwk.PodInfo) (Answer, error) {
	deadline := o.clock.Now().Add(q.Budget)
	var least Answer
	most := int64(0)
	for i := range runs {
		begun := o.clock.Now()
		answer, ahead, err := o.fitOnce(ctx, v, pod, rules, q, claims, nominated)
		if err != nil {
			return Answer{}, err
		}
		if i > 0 && answer.TimedOut {
			break
		}
		most = max(most, answer.Count+answer.Width)
		if i == 0 || answer.Count < least.Count {
			least = answer
		}
		spent := o.clock.Now().Sub(begun)
		if ahead == 0 || answer.TimedOut || answer.Path == PathPlaced || (q.Budget > 0 && o.clock.Now().Add(spent).After(deadline)) {
			break
		}
	}
	least.Width = most - least.Count
	return least, nil
}

// fitOnce places the claims, counts, and takes the claims back. It returns how many found a place.
func (o *Oracle) fitOnce(ctx context.Context, v *view, pod *copied, rules fit.Rules, q Question, claims []Claim, nominated map[string][]fwk.PodInfo) (answer Answer, found int, err error) {
	ahead, complete, err := o.placeClaims(ctx, claims, q.Budget/2)
	defer func() {
		if undone := o.undoAll(ctx, ahead); undone != nil && err == nil {
			err = undone
		}
		if refreshed := o.refresh(ctx); refreshed != nil && err == nil {
			err = refreshed
		}
	}()
	if err != nil {
		return Answer{}, 0, err
	}
	if !complete {
		return Answer{TimedOut: true, Path: PathPlaced, Why: "others' claims alone took all the time"}, len(ahead), nil
	}
	if rules.Shape != fit.Ordered {
		if err := o.refresh(ctx); err != nil {
			return Answer{}, 0, err
		}
		answer, ok, err := o.closed(ctx, v, pod, rules, q, nominated)
		if ok || err != nil {
			answer.Exact = answer.Exact && len(ahead) == 0
			return answer, len(ahead), err
		}
		rules.Why = "copies may land where the constraint does not count them"
	}
	answer, err = o.placeCopies(ctx, v, q, rules.Why)
	return answer, len(ahead), err
}

// closed counts by closed form and explains.
func (o *Oracle) closed(ctx context.Context, v *view, pod *copied, rules fit.Rules, q Question, nominated map[string][]fwk.PodInfo) (Answer, bool, error) {
	o.guard.RLock()
	defer o.guard.RUnlock()
	c := &closed{o: o, v: v, pod: pod, rules: rules, nominated: nominated}
	count, ok, err := c.count(ctx)
	if !ok || err != nil {
		return Answer{}, ok, err
	}
	answer := Answer{Count: count, Exact: true, Path: Path(rules.Shape), Computed: c.computed}
	if q.Explain {
		c.explain(ctx, &answer)
	}
	return answer, true, nil
}

// rules says how the pod's copies can be counted on this member.
func (o *Oracle) rules(v *view, pod *copied, q Question, nominated map[string][]fwk.PodInfo) fit.Rules {
	rules := fit.Rules{Shape: fit.Ordered}
	switch why := extenderWhy(o.sched, pod.pod); {
	case q.Judge:
		rules.Why = "asked for"
	case q.Each != nil:
		rules.Why = "copies differ"
	case v.orderedWhy != "":
		rules.Why = v.orderedWhy
	case why != "":
		rules.Why = why
	default:
		o.mergeNamespaces(pod.info.GetRequiredAffinityTerms())
		o.mergeNamespaces(pod.info.GetRequiredAntiAffinityTerms())
		rules = fit.Classify(pod.pod, pod.info, v.hardDefaults)
		tooMany := len(rules.Affinity) > manyTerms || len(rules.AntiAffinity) > manyTerms
		lookAcross := rules.Shape != fit.NodeLocal || len(rules.Affinity)+len(rules.AntiAffinity) > 0
		if rules.Shape != fit.Ordered && (tooMany || repels(nominated) || len(nominated) > 0 && lookAcross) {
			// A nominated pod counts on the node it is nominated to and nowhere else: no closed form knows that.
			rules.Shape, rules.Why = fit.Ordered, "nominated pods"
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
