package oracle

import "github.com/argosy-dev/argosy/estimator/fit"

// reason is why the member's scheduler itself places the copies, one by one, and no closed form counts them.
type reason struct {
	// name is the word of the docs.
	name string
	// why is what the answer says; empty where the reason does not apply.
	why func(*Oracle, *inquiry, fit.Rules) string
}

// reasons, in the order of "How it is counted" in docs/concepts/estimator.md: the first that applies is why. Those of the pod itself
// (fit.Reasons) have their place among them.
var reasons = []reason{
	{"asked for", func(_ *Oracle, i *inquiry, _ fit.Rules) string { return when(i.Judge, "asked for") }},
	{"copies differ", func(_ *Oracle, i *inquiry, _ fit.Rules) string { return when(i.Each != nil, "copies differ") }},
	{"plugin", func(_ *Oracle, i *inquiry, _ fit.Rules) string { return i.view.orderedWhy }},
	{"extender", func(o *Oracle, i *inquiry, _ fit.Rules) string { return extenderWhy(o.sched, i.pod.pod) }},
	{"pod", func(_ *Oracle, _ *inquiry, rules fit.Rules) string { return rules.Why }},
	{"many terms", func(_ *Oracle, _ *inquiry, rules fit.Rules) string {
		return when(len(rules.Affinity) > manyTerms || len(rules.AntiAffinity) > manyTerms, "many terms")
	}},
	// A nominated pod counts on the node it is nominated to and nowhere else: no closed form knows that.
	{"nominated pods", func(_ *Oracle, i *inquiry, rules fit.Rules) string {
		lookAcross := rules.Shape != fit.NodeLocal || len(rules.Affinity)+len(rules.AntiAffinity) > 0
		return when(repels(i.nominated) || len(i.nominated) > 0 && lookAcross, "nominated pods")
	}},
}

func when(applies bool, why string) string {
	if applies {
		return why
	}
	return ""
}
