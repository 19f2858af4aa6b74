package probe

import "time"

// nowhere is the place in the queue of one that is being asked.
const nowhere = -1

// entry is a target with what is known of it.
type entry struct {
	Target
	watch Watch
	due   time.Time
	told  Opinion
	// at is its place in the queue.
	at int
}

// queue is a heap of entries by when they are due.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.at = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last], e.at = nil, nowhere
	*q = (*q)[:last]
	return e
}
