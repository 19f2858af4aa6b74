package oracle

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	pass := &pass{o: o}
	defer func() { err = errors.Join(err, pass.undo(ctx)) }()
	reservations, _ := o.reservations(Question{Pod: parts[0].Pod, Ahead: q.Ahead})
	left, err := pass.reserve(ctx, reservations, q.Budget/2)
	if err != nil || len(left) > 0 {
		answer.TimedOut = len(left) > 0
		return answer, err
	}
	sets := &setsLine{o: o, parts: parts, most: q.Most}
	answer.TimedOut, err = pass.place(ctx, sets, o.until(q.Budget))
	answer.Count = sets.whole
	if sets.refused != nil {
		answer.Limits = sets.refused.byPlugin
	}
	return answer, err
}
