package decide

import (
	"fmt"
	"strings"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
	"github.com/argosy-dev/argosy/internal/text"
)

// partWords says what one cluster got in a division made just now.
func (d *decision) partWords(c split.Cluster, r split.Range, in split.Input) string {
	if c.Frozen {
		return fmt.Sprintf("%s is unreachable, keeps its last %d..%d", c.Name, r.Min, r.Max)
	}
	return d.shareWords(c.Name, r, split.Range{Min: in.Min, Max: in.Max})
}

// noteRoom remembers the room a cluster's part was based on.
func (d *decision) noteRoom(name string, free *int32) {
	if d.clusterStatus(name) == nil {
		d.plan.Status.Clusters = append(d.plan.Status.Clusters, api.FedHPAClusterStatus{Name: name})
	}
	d.clusterStatus(name).FreeReplicas = free
}

// shareWords says what one cluster got of all there was, and why.
func (d *decision) shareWords(name string, r, all split.Range) string {
	why := []string{"nobody knows how many more fit, so it keeps the room it had"}
	m, wish := d.member(name), d.distribution(name)
	if free := d.free(name, m); m != nil && m.Free != nil && free != nil {
		why[0] = fmt.Sprintf("%d more fit (%s)", min(*free, *m.Free), m.FreeFrom)
	}
	weight := int32(1)
	if wish.Weight != nil {
		weight = *wish.Weight
	}
	why = append(why, fmt.Sprintf("weight %d", weight))
	switch {
	case wish.Role == api.ClusterRoleStandby:
		why = append(why, "a standby")
	case d.tier(name) > 0:
		why = append(why, fmt.Sprintf("overflow %d of its placement", d.tier(name)))
	}
	if wish.MinReplicas != nil || wish.MaxReplicas != nil {
		why = append(why, fmt.Sprintf("own bounds %s..%s", orDash(wish.MinReplicas), orDash(wish.MaxReplicas)))
	}
	if r.Max == 0 {
		why = append(why, "there are fewer maxReplicas than clusters: it goes to standby when idle")
	} else if r.Min == 0 {
		why = append(why, "there are fewer minReplicas than clusters: it may go to standby when idle")
	}
	return fmt.Sprintf("%s got %d..%d of %d..%d: %s", name, r.Min, r.Max, all.Min, all.Max, strings.Join(why, ", "))
}

// divisionWords is the event of a division.
func divisionWords(t *trigger, q question, made division) string {
	parts := make([]string, 0, len(q.names)+1)
	for _, name := range q.names {
		parts = append(parts, made.words[name])
	}
	if q.result.Reserve > 0 {
		parts = append(parts, fmt.Sprintf("%d of maxReplicas fit nowhere and stay in reserve", q.result.Reserve))
	}
	return text.Cut(t.message+": "+strings.Join(parts, "; "), 1000)
}

func unreachableWords(c *api.FedHPAClusterStatus) string {
	return fmt.Sprintf("%s is unreachable, keeps its last %d..%d", c.Name, c.MinReplicas, c.MaxReplicas)
}

func outsideWords(state api.FedHPAClusterState) string {
	if state == api.ClusterLeaving {
		return "left the scheduling result; its autoscaler is being removed"
	}
	return "empty; woken when the active clusters have no room left"
}

// fromWords names where limits come from.
func fromWords(b Bounds) string {
	if b.From == "" {
		return ""
	}
	return " (from " + b.From + ")"
}

func list(items []string) string { return strings.Join(items, ", ") }

func orDash(n *int32) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}
