package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// line is pods that are placed one after another.
type line interface {
	// more says whether another pod is to be placed.
	more() bool
	// place places the next one; nil where the scheduler found no place for it, and then goOn says whether there is any use in the rest.
	place(ctx context.Context) (p *placed, goOn bool, err error)
}

// pass is the pods that the scheduler is made to believe in for one question. Whoever begins one holds the turn, and undoes it in any case:
// also where a plugin panics.
type pass struct {
	o    *Oracle
	pods []*placed
}

// place places a line until it ends, the scheduler has refused, or time is up. It is the only loop in which pods are placed.
func (p *pass) place(ctx context.Context, l line, deadline time.Time) (timeUp bool, err error) {
	for l.more() {
		if ctx.Err() != nil || !deadline.IsZero() && p.o.clock.Now().After(deadline) {
			return true, nil
		}
		one, goOn, err := l.place(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return true, nil
			}
			return false, err
		}
		if one != nil {
			p.pods = append(p.pods, one)
		} else if !goOn {
			return false, nil
		}
	}
	return false, nil
}

// undo takes the pods back, last first.
func (p *pass) undo(ctx context.Context) error {
	var errs []error
	for _, pod := range slices.Backward(p.pods) {
		errs = append(errs, p.o.undo(ctx, pod))
	}
	return errors.Join(errs...)
}

// until is when a budget is spent; no time at all where it is not bounded.
func (o *Oracle) until(budget time.Duration) time.Time {
	if budget <= 0 {
		return time.Time{}
	}
	return o.clock.Now().Add(budget)
}

// copiesLine is copies of the question's pod, as many as it asks for at most.
type copiesLine struct {
	q       *inquiry
	volumes *volumes
	// placed counts them, and nodes by node.
	placed int64
	nodes  map[string]int64
	// refused is why there is no place for another.
	refused *refused
}

func (c *copiesLine) more() bool { return c.q.Most <= 0 || c.placed < c.q.Most }

func (c *copiesLine) place(ctx context.Context) (*placed, bool, error) {
	p, why, err := c.volumes.place(ctx, c.q, int(c.placed))
	if err != nil {
		return nil, false, fmt.Errorf("copy %d: %w", c.placed, err)
	}
	if why != nil {
		c.refused = why
		return nil, false, nil
	}
	c.placed++
	c.nodes[p.node]++
	return p, true, nil
}

// reservationsLine is the pods of reservations. One that finds no place takes none, and the next reservation has its turn.
type reservationsLine struct {
	o            *Oracle
	reservations []Reservation
	// at is the reservation that is being placed, and placed how many of its pods are.
	at, placed int
	// refused are the kinds of pods for which there is no place (kindOf).
	refused map[string]bool
}

func (r *reservationsLine) more() bool {
	for ; r.at < len(r.reservations); r.at, r.placed = r.at+1, 0 {
		if r.placed < r.reservations[r.at].Count && (r.placed > 0 || !r.refused[kindOf(r.reservations[r.at].Pod)]) {
			return true
		}
	}
	return false
}

func (r *reservationsLine) place(ctx context.Context) (*placed, bool, error) {
	reservation := r.reservations[r.at]
	v, _ := r.o.view(reservation.Pod)
	one := copyOf(reservation.Pod, r.placed)
	// The scheduler tells pods by their UID, and a promise is held by copies of a pod that may be pending itself.
	one.Name, one.UID = fmt.Sprintf("%s-ahead-%d", one.Name, r.at), types.UID(fmt.Sprintf("%s-ahead-%d", one.UID, r.at))
	p, why, err := r.o.place(ctx, v, one)
	if err != nil {
		return nil, false, fmt.Errorf("placing %s: %w", reservation.For, err)
	}
	if why != nil {
		if kind := kindOf(reservation.Pod); kind != "" {
			r.refused[kind] = true
		}
		r.at, r.placed = r.at+1, 0
		return nil, true, nil
	}
	r.placed++
	return p, true, nil
}

// left are those whose turn has not come.
func (r *reservationsLine) left() []Reservation {
	left := slices.Clone(r.reservations[r.at:])
	if len(left) > 0 {
		left[0].Count -= r.placed
	}
	return left
}

// setsLine is set after set of parts, each of one pod or more.
type setsLine struct {
	o     *Oracle
	parts []Part
	most  int64
	// whole are the sets of which every pod is placed; part and pod are the next one's.
	whole     int64
	part, pod int
	refused   *refused
}

func (s *setsLine) more() bool { return s.most <= 0 || s.whole < s.most }

func (s *setsLine) place(ctx context.Context) (*placed, bool, error) {
	part := s.parts[s.part]
	v, _ := s.o.view(part.Pod)
	one := copyOf(part.Pod, s.pod)
	one.Name, one.UID = fmt.Sprintf("%s-%d-%d", one.Name, s.part, s.whole), types.UID(fmt.Sprintf("%s-%d-%d", one.UID, s.part, s.whole))
	p, why, err := s.o.place(ctx, v, one)
	if err != nil {
		return nil, false, fmt.Errorf("set %d, part %d: %w", s.whole, s.part, err)
	}
	if why != nil {
		s.refused = why
		return nil, false, nil
	}
	if s.pod++; s.pod == part.Count {
		s.part, s.pod = s.part+1, 0
	}
	if s.part == len(s.parts) {
		s.part, s.whole = 0, s.whole+1
	}
	return p, true, nil
}
