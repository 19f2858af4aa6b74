package decide

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// look is what one cluster's pods tell.
type look struct {
	cluster *Cluster
	// waiting for long enough, and since when the first of them.
	waiting int32
	since   time.Time
	why     string
	// gives is how many may leave; where it is fewer than wait, kept says why.
	gives int32
	kept  string
	// young is when the next pod will have waited for long enough; zero for none.
	young time.Time
	// refused pods, however long.
	refused int32
	// unmade pods: replicas that arrived there, and whose pods a quota or an admission refuses. No node is asked about them.
	unmade int32
}

// lack is how many replicas have no node there, for whichever reason.
func (l look) lack() int32 { return l.refused + l.unmade }

// nodes is how many pods have a node and keep it.
func (w *Workload) nodes() (n int32) {
	for _, p := range w.Pods {
		if p.Scheduled && !p.Terminating {
			n++
		}
	}
	return n
}

// lookAt a cluster.
func lookAt(w World, c *Cluster) look {
	out := look{cluster: c}
	if c.Workload == nil || c.Out != "" || c.Workload.Whole {
		return out
	}
	if c.Workload.Replicas == c.Assigned && c.Workload.Amid == "" {
		out.unmade = max(c.Assigned-count(c.Workload.Pods), 0)
	}
	var long []Pod
	for _, p := range c.Workload.Pods {
		if p.Refused.IsZero() || p.Terminating || p.Scheduled {
			continue
		}
		out.refused++
		if ripe := p.Refused.Add(w.Settings.Unschedulable); ripe.After(w.Now) {
			out.young = earlier(out.young, ripe)
			continue
		}
		long = append(long, p)
		if out.since.IsZero() || p.Refused.Before(out.since) {
			out.since, out.why = p.Refused, p.Why
		}
	}
	out.waiting = int32(len(long))
	if out.waiting == 0 {
		return out
	}
	out.gives, out.kept = gives(w, c, long)
	if held := answered(w, long); !held.IsZero() {
		out.young = earlier(out.young, held)
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// answered is when the last autoscaler's time for one of the pods is over; zero for none.
func answered(w World, pods []Pod) (until time.Time) {
	for _, p := range pods {
		if over := p.Answered.Add(w.Settings.Autoscaler); !p.Answered.IsZero() && over.After(w.Now) && over.After(until) {
			until = over
		}
	}
	return until
}

// gives is how many of the replicas that wait may leave, and why not all.
func gives(w World, c *Cluster, long []Pod) (n int32, kept string) {
	workload := c.Workload
	if workload.Replicas != c.Assigned {
		return 0, fmt.Sprintf("the %d replicas assigned have not arrived there: it has %d", c.Assigned, workload.Replicas)
	}
	if workload.Amid != "" {
		return 0, workload.Amid
	}
	for _, p := range long {
		if p.Volume != "" {
			return 0, fmt.Sprintf("pod %s waits for its volume (claim %s), which would stay behind", p.Name, p.Volume)
		}
	}
	if until := answered(w, long); !until.IsZero() {
		return 0, fmt.Sprintf("an autoscaler of nodes answers, and has until %s", until.UTC().Format(time.TimeOnly))
	}
	n = min(int32(len(long)), c.Assigned-workload.nodes())
	if workload.Ordinal {
		top, middle := fromTop(workload.Pods, long)
		if n = min(top+max(c.Assigned-count(workload.Pods), 0), c.Assigned-workload.nodes()); top == 0 {
			return 0, fmt.Sprintf("pod %s waits below others, and the highest goes first", middle)
		}
	}
	if n <= 0 {
		return 0, fmt.Sprintf("%d pods have a node, more than would be left", workload.nodes())
	}
	return n, ""
}

// count of the pods that stay.
func count(pods []Pod) (n int32) {
	for _, p := range pods {
		if !p.Terminating {
			n++
		}
	}
	return n
}

// fromTop is how many of the highest ordinals are among those that wait; or a pod that waits below another.
func fromTop(pods, long []Pod) (n int32, middle string) {
	ordered := slices.DeleteFunc(slices.Clone(pods), func(p Pod) bool { return p.Terminating })
	slices.SortFunc(ordered, func(a, b Pod) int { return cmp.Compare(b.Ordinal, a.Ordinal) })
	for _, p := range ordered {
		if !slices.ContainsFunc(long, func(l Pod) bool { return l.Name == p.Name }) {
			break
		}
		n++
	}
	return n, long[0].Name
}
