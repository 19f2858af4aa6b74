package oracle

import (
	"context"
	"slices"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/argosy-dev/argosy/estimator/fit"
)

// explain says, for every node, how many of the counted copies it could hold and what refuses the next. Where a rule binds several nodes
// together, the copies are dealt out in the order of the nodes: one way of many. The caller holds guard for reading.
func (c *closedForm) explain(ctx context.Context, answer *Answer) {
	answer.Limits = map[string]int{}
	taken := map[string]bool{}
	shares := slices.Clone(c.shares)
	for i, node := range c.nodes {
		one := NodeFit{Node: node.Node().Name, Copies: c.room(i), Stopped: c.barred[i]}
		if one.Stopped == "" {
			one.Stopped = c.stopper(ctx, node, c.caps[i])
		}
		switch c.rules.Shape {
		case fit.SeparateOnce:
			value, labelled := node.Node().Labels[c.rules.SeparateKey]
			if labelled && one.Copies > 0 {
				one.Stopped, one.Copies = interPodAffinity, 1
				if taken[value] {
					one.Copies = 0
				}
				taken[value] = true
			}
		case fit.SpreadOnce:
			one = c.dealt(one, c.domain[i], shares)
		}
		answer.Nodes = append(answer.Nodes, one)
		answer.Limits[one.Stopped]++
	}
}

// dealt takes a node's copies from what its domain takes.
func (c *closedForm) dealt(one NodeFit, domain int, shares []int64) NodeFit {
	share := int64(0)
	if domain >= 0 {
		share = shares[domain]
	}
	if one.Copies > share {
		one.Copies, one.Stopped = share, names.PodTopologySpread
	}
	if domain >= 0 {
		shares[domain] -= one.Copies
	}
	return one
}

// stopper asks Filter for the copy after the last one.
func (c *closedForm) stopper(ctx context.Context, node fwk.NodeInfo, copies int64) string {
	full := stack{}
	return c.v.local.RunFilterPlugins(ctx, stateFor(ctx, c), c.pod.pod, full.load(node, c.pod, copies)).Plugin()
}
