package pool

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// defaultDrain is that of a load balancer that says none.
const defaultDrain = 30 * time.Second

// Progress of a task of load balancers.
type Progress struct {
	Done bool
	// Message says what it waits for, or what was done.
	Message string
	// Wake is when time alone ends it; zero: never.
	Wake time.Time
}

// Task says how far a task of load balancers is, by what is recorded of the pools; ok is false for other tasks.
func Task(kind v1alpha1.TaskType, server *v1alpha1.Server, now time.Time) (out Progress, ok bool) {
	switch kind {
	case v1alpha1.TaskRecordLoadBalancer:
		return every(server, func(record *v1alpha1.Attachment) bool { return record != nil }), true
	case v1alpha1.TaskAttachLoadBalancer:
		return every(server, func(record *v1alpha1.Attachment) bool { return record != nil && record.State == v1alpha1.Attached }), true
	case v1alpha1.TaskDrainLoadBalancer:
		return drained(server, now), true
	case v1alpha1.TaskDetachLoadBalancer:
		return Out(server), true
	}
	return Progress{}, false
}

// every load balancer of the spec is so.
func every(server *v1alpha1.Server, is func(*v1alpha1.Attachment) bool) Progress {
	var waits []string
	for _, lb := range server.Spec.LoadBalancers {
		if record := recordOf(server, Key{Driver: lb.Driver, Pool: lb.Pool}, lb.Name); !is(record) {
			waits = append(waits, say(lb.Name, lb.Pool, record))
		}
	}
	return waiting(waits)
}

// Out says whether the server is out of every pool.
func Out(server *v1alpha1.Server) Progress {
	var waits []string
	for i := range server.Status.LoadBalancers {
		if record := &server.Status.LoadBalancers[i]; record.State != v1alpha1.Detached {
			waits = append(waits, say(record.Name, record.Pool, record))
		}
	}
	return waiting(waits)
}

func drained(server *v1alpha1.Server, now time.Time) Progress {
	var waits []string
	var wake time.Time
	for i := range server.Status.LoadBalancers {
		record := &server.Status.LoadBalancers[i]
		switch record.State {
		case v1alpha1.Detached:
			continue
		case v1alpha1.Draining:
			until := drainedAt(record, drainOf(server, record), now)
			if !now.Before(until) {
				continue
			}
			if wake.IsZero() || until.After(wake) {
				wake = until
			}
		}
		waits = append(waits, say(record.Name, record.Pool, record))
	}
	out := waiting(waits)
	out.Wake = wake
	return out
}

func drainOf(server *v1alpha1.Server, record *v1alpha1.Attachment) time.Duration {
	i := slices.IndexFunc(server.Spec.LoadBalancers, func(lb v1alpha1.LoadBalancer) bool {
		return lb.Driver == record.Driver && lb.Pool == record.Pool && lb.Name == record.Name
	})
	switch {
	case i < 0:
		return leavesAfter
	case server.Spec.LoadBalancers[i].DrainSeconds == nil:
		return defaultDrain
	}
	return time.Duration(*server.Spec.LoadBalancers[i].DrainSeconds) * time.Second
}

func say(name, pool string, record *v1alpha1.Attachment) string {
	if record == nil {
		return fmt.Sprintf("%s (%s) is not recorded yet", name, pool)
	}
	return fmt.Sprintf("%s (%s) is %s", name, pool, cmp.Or(strings.TrimSpace(string(record.State)+" "+record.Message), "unknown"))
}

func waiting(waits []string) Progress {
	if len(waits) == 0 {
		return Progress{Done: true}
	}
	return Progress{Message: strings.Join(waits, "; ")}
}

// Free says that a Server which is being deleted need not wait for its pools any longer: it is out of all, or a person said to leave that.
func Free(server *v1alpha1.Server) bool {
	left := slices.ContainsFunc(server.Status.Tasks, func(t v1alpha1.Task) bool {
		return t.Type == v1alpha1.TaskDetachLoadBalancer && t.State == v1alpha1.TaskSkipped && t.Gate == ""
	})
	return left || Out(server).Done
}
