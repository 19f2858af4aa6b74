package controller

import (
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/plan"
)

// firstLook is how soon after a write of ours Karmada's doing is looked for: most often it has done it by then.
const firstLook = 250 * time.Millisecond

// pace spaces the looks at applications that wait for Karmada: soon after each step, and then after pauses that double up to the plan's
// own. Karmada's Works are not watched for it: those of a whole federation would have to be kept for the few applications that are on their
// way (docs/decisions/0105). What is remembered here is only how long was waited: after a restart it begins anew.
type pace struct {
	mu    sync.Mutex
	waits map[client.ObjectKey]wait
}

type wait struct {
	step  string
	pause time.Duration
}

// next is when the application is looked at again after a decision.
func (p *pace) next(key client.ObjectKey, decision plan.Decision) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if decision.Requeue != plan.Soon {
		delete(p.waits, key)
		return decision.Requeue
	}
	step := fmt.Sprint(decision.Step, decision.Status.Phase, len(decision.Actions))
	for i := range decision.Status.Clusters {
		step += string(decision.Status.Clusters[i].State)
	}
	before, pause := p.waits[key], firstLook
	if before.step == step {
		pause = min(2*before.pause, plan.Soon)
	}
	if p.waits == nil {
		p.waits = map[client.ObjectKey]wait{}
	}
	p.waits[key] = wait{step: step, pause: pause}
	return pause
}

// forget an application that is gone.
func (p *pace) forget(key client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waits, key)
}
