package oracle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// runs is how often the scheduler is asked where its answer depends on the order: it breaks ties at random, so one run tells little about
// the worst.
const runs = 5

// run is one pass of the scheduler.
type run struct {
	*copiesLine
	// ended: the scheduler refused the next copy, or no more are asked for; otherwise time was up.
	ended bool
}

// placeCopies lets the scheduler place copies one by one until it refuses, several times over, and answers the least. A run that the budget
// cuts short is a lower bound of that run; the first run gets all of the time if it needs it. The caller holds the turn.
func (o *Oracle) placeCopies(ctx context.Context, q *inquiry, why string) (Answer, error) {
	answer := Answer{Path: PathPlaced, Why: why}
	budget := q.Budget
	if left, ok := o.remaining(ctx); ok && (budget == 0 || left < budget) {
		budget = left
	}
	deadline := o.until(budget)
	most := int64(0)
	for i := range runs {
		begun := o.clock.Now()
		r, err := o.runOnce(ctx, q, deadline)
		if err != nil {
			return Answer{}, err
		}
		if !r.ended && i > 0 {
			break // a run cut short says nothing about the least
		}
		if i == 0 || r.placed < answer.Count {
			answer.Count = r.placed
			answer.explainRun(r, q.Explain)
		}
		most = max(most, r.placed)
		answer.TimedOut = !r.ended
		took := o.clock.Now().Sub(begun)
		if !r.ended || !deadline.IsZero() && o.clock.Now().Add(took).After(deadline) {
			break
		}
	}
	answer.Width = most - answer.Count
	return answer, nil
}

func (o *Oracle) runOnce(ctx context.Context, q *inquiry, deadline time.Time) (r run, err error) {
	r.copiesLine = &copiesLine{q: q, volumes: o.newVolumes(), nodes: map[string]int64{}}
	defer r.volumes.remove()
	pass := &pass{o: o}
	defer func() { err = errors.Join(err, pass.undo(ctx)) }()
	timeUp, err := pass.place(ctx, r.copiesLine, deadline)
	r.ended = !timeUp
	return r, err
}

func (a *Answer) explainRun(r run, explain bool) {
	if r.refused != nil && r.placed == 0 {
		a.Why = r.refused.message
	}
	if !explain {
		return
	}
	a.Nodes, a.Limits = nil, map[string]int{}
	if r.refused != nil {
		a.Limits = r.refused.byPlugin
		for node, plugin := range r.refused.byNode {
			a.Nodes = append(a.Nodes, NodeFit{Node: node, Copies: r.nodes[node], Stopped: plugin})
			delete(r.nodes, node)
		}
	}
	for node, copies := range r.nodes {
		a.Nodes = append(a.Nodes, NodeFit{Node: node, Copies: copies})
	}
	slices.SortFunc(a.Nodes, func(x, y NodeFit) int { return strings.Compare(x.Node, y.Node) })
}

// stateFor runs PreFilter of the cut-down framework for an explanation.
func stateFor(ctx context.Context, c *closedForm) fwk.CycleState {
	state := framework.NewCycleState()
	c.v.local.RunPreFilterPlugins(ctx, state, c.pod.pod)
	return state
}
