package oracle

import (
	"context"
	"fmt"
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
	copies  int64
	ended   bool // the scheduler refused the next copy; otherwise time was up
	refused *refused
	nodes   map[string]int64
}

// placeCopies lets the scheduler place copies one by one until it refuses, several times over, and answers the least. A run that the budget
// cuts short is a lower bound of that run; the first run gets all of the time if it needs it. The caller holds the turn.
func (o *Oracle) placeCopies(ctx context.Context, q *inquiry, why string) (Answer, error) {
	answer := Answer{Path: PathPlaced, Why: why}
	budget := q.Budget
	if left, ok := o.remaining(ctx); ok && (budget == 0 || left < budget) {
		budget = left
	}
	deadline := o.clock.Now().Add(budget)
	most := int64(0)
	for i := range runs {
		begun := o.clock.Now()
		r, err := o.runOnce(ctx, q, deadline, budget > 0)
		if err != nil {
			return Answer{}, err
		}
		if !r.ended && i > 0 {
			break // a run cut short says nothing about the least
		}
		if i == 0 || r.copies < answer.Count {
			answer.Count = r.copies
			answer.explainRun(r, q.Explain)
		}
		most = max(most, r.copies)
		answer.TimedOut = !r.ended
		took := o.clock.Now().Sub(begun)
		if !r.ended || (budget > 0 && o.clock.Now().Add(took).After(deadline)) {
			break
		}
	}
	answer.Width = most - answer.Count
	return answer, nil
}

func (o *Oracle) runOnce(ctx context.Context, q *inquiry, deadline time.Time, bounded bool) (r run, err error) {
	r.nodes = map[string]int64{}
	var pods []*placed
	volumes := o.newVolumes()
	defer func() {
		if undone := o.undoAll(ctx, pods); undone != nil && err == nil {
			err = undone
		}
		volumes.remove()
	}()
	for i := 0; ; i++ {
		if q.Most > 0 && r.copies >= q.Most {
			r.ended = true
			return r, nil
		}
		if ctx.Err() != nil || (bounded && o.clock.Now().After(deadline)) {
			return r, nil
		}
		p, why, err := volumes.place(ctx, q, i)
		if err != nil {
			if ctx.Err() != nil {
				return r, nil
			}
			return r, fmt.Errorf("copy %d: %w", i, err)
		}
		if why != nil {
			r.ended, r.refused = true, why
			return r, nil
		}
		pods = append(pods, p)
		r.copies++
		r.nodes[p.node]++
	}
}

func (a *Answer) explainRun(r run, explain bool) {
	if r.refused != nil && r.copies == 0 {
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
func stateFor(ctx context.Context, c *closed) fwk.CycleState {
	state := framework.NewCycleState()
	c.v.local.RunPreFilterPlugins(ctx, state, c.pod.pod)
	return state
}
