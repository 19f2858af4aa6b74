package oracle

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Part is one component of a set: Count pods like Pod.
type Part struct {
	Pod   *corev1.Pod
	Count int
}

// SetQuestion asks how many whole sets of parts fit.
type SetQuestion struct {
	Parts  []Part
	Ahead  []Reservation
	Most   int64
	Budget time.Duration
}

// FitSets places set after set until a part of one finds no place. A set that is not whole does not count. A set of a single part is a
// matter of division.
func (o *Oracle) FitSets(ctx context.Context, q SetQuestion) (answer Answer, err error) {
	var parts []Part
	for _, part := range q.Parts {
		if part.Count > 0 {
			parts = append(parts, part)
		}
	}
	if len(parts) == 1 {
		answer, err := o.Fit(ctx, Question{Pod: parts[0].Pod, Ahead: q.Ahead, Budget: q.Budget})
		answer.Count /= int64(parts[0].Count)
		return limit(answer, q.Most), err
	}
	if len(parts) == 0 {
		return Answer{Path: PathGated, Why: "a set without replicas"}, nil
	}
	for _, part := range parts {
		v, _ := o.view(part.Pod)
		if status := v.gated(ctx, part.Pod); status != nil {
			return Answer{Path: PathGated, Exact: true, Why: status.Message()}, nil
		}
	}
	if err := o.acquire(ctx); err != nil {
		return Answer{TimedOut: true, Path: PathPlaced, Why: err.Error()}, nil
	}
	defer o.release()
	forget, err := o.assumeForeseen(ctx)
	defer func() { err = errors.Join(err, forget()) }()
	if err != nil {
		return Answer{}, err
	}
	answer, err = o.placeSets(ctx, q, parts)
	return limit(answer, q.Most), err
}

func limit(answer Answer, most int64) Answer {
	if most > 0 {
		answer.Count = min(answer.Count, most)
	}
	return answer
}

// placeSets is one run. The caller holds the turn.
func (o *Oracle) placeSets(ctx context.Context, q SetQuestion, parts []Part) (answer Answer, err error) {
	answer = Answer{Path: PathPlaced, Why: "sets of several parts"}
	var pods []*placed
	defer func() {
		if undone := o.undoAll(ctx, pods); undone != nil && err == nil {
			err = undone
		}
	}()
	reservations, _ := o.reservations(Question{Pod: parts[0].Pod, Ahead: q.Ahead})
	ahead, left, err := o.placeReservations(ctx, reservations, q.Budget/2)
	pods = append(pods, ahead...)
	if err != nil || len(left) > 0 {
		answer.TimedOut = len(left) > 0
		return answer, err
	}
	deadline := o.clock.Now().Add(q.Budget)
	for set := 0; q.Most <= 0 || answer.Count < q.Most; set++ {
		placedNow, why, err := o.placeSet(ctx, parts, set, func() bool { return q.Budget > 0 && o.clock.Now().After(deadline) })
		pods = append(pods, placedNow...)
		switch {
		case errors.Is(err, errTimeUp):
			answer.TimedOut = true
			return answer, nil
		case err != nil:
			return answer, err
		case why != nil:
			answer.Limits = why.byPlugin
			return answer, nil
		}
		answer.Count++
	}
	return answer, nil
}

var errTimeUp = errors.New("time is up")

// placeSet places the pods of one set, and returns what it placed in any case.
func (o *Oracle) placeSet(ctx context.Context, parts []Part, set int, timeUp func() bool) ([]*placed, *refused, error) {
	var pods []*placed
	for number, part := range parts {
		v, _ := o.view(part.Pod)
		for i := range part.Count {
			if ctx.Err() != nil || timeUp() {
				return pods, nil, errTimeUp
			}
			one := copyOf(part.Pod, i)
			one.Name, one.UID = fmt.Sprintf("%s-%d-%d", one.Name, number, set), types.UID(fmt.Sprintf("%s-%d-%d", one.UID, number, set))
			p, why, err := o.place(ctx, v, one)
			if err != nil {
				return pods, nil, fmt.Errorf("set %d, part %d: %w", set, number, err)
			}
			if why != nil {
				return pods, why, nil
			}
			pods = append(pods, p)
		}
	}
	return pods, nil, nil
}
