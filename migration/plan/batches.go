package plan

import (
	"fmt"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// Listed is one entry of a whitelist with the state its application is in.
type Listed struct {
	Environment v1alpha1.Environment
	State       State
}

// Turn says whether one application may advance.
type Turn struct {
	// Prepare is true when its environment is under way: nothing it does reaches a member.
	Prepare bool
	// Open is true when its batch is under way.
	Open bool
	// Batch for people, such as "2/3".
	Batch string
	// Reason and Message when it may not. They hold no count: each that counts down would be a write of the status of everybody who waits.
	Reason  string
	Message string
}

// environments in their order.
var environments = []v1alpha1.Environment{
	v1alpha1.EnvironmentTest, v1alpha1.EnvironmentPreRelease, v1alpha1.EnvironmentProduction,
}

// Turns of all entries of a whitelist, in their order, and a sum for each environment that has any.
// An environment begins when the one before is done, a batch when the one before in it is done. A failed
// application stops its batch and all after it; those of the batch that are under way go on.
func Turns(entries []Listed, weights []int32) ([]Turn, []v1alpha1.EnvironmentStatus) {
	order := &order{entries: entries, turns: make([]Turn, len(entries)), open: true}
	var sums []v1alpha1.EnvironmentStatus
	for _, environment := range environments {
		var members []int
		for i := range entries {
			if entries[i].Environment == environment && entries[i].State != Off {
				members = append(members, i)
			}
		}
		if len(members) > 0 {
			sums = append(sums, order.environment(environment, members, weights))
		}
	}
	return order.turns, sums
}

// order walks the batches of all environments; the first that is not done closes those after it.
type order struct {
	entries []Listed
	turns   []Turn
	open    bool
	why     Turn // why what follows is closed
}

func (o *order) environment(name v1alpha1.Environment, members []int, weights []int32) v1alpha1.EnvironmentStatus {
	batches := Divide(len(members), weights)
	sum := v1alpha1.EnvironmentStatus{
		Name: name, Applications: int32(len(members)), Batches: int32(len(batches)), Batch: int32(len(batches)) + 1,
	}
	prepare, earlier := o.open, o.why
	for number, size := range batches {
		batch := members[:size]
		members = members[size:]
		label := fmt.Sprintf("%d/%d", number+1, len(batches))
		done, failed := o.count(batch)
		sum.Federated += done
		sum.Failed += failed
		if o.open && failed > 0 {
			o.shut(v1alpha1.ReasonBatchStopped, fmt.Sprintf("an application of batch %s of %s failed: look at it with 'argosyctl migration "+
				"status', then try it again with 'argosyctl migration readopt' or leave it out with 'argosyctl migration rollback'", label, name))
		}
		for _, i := range batch {
			o.turns[i] = Turn{Prepare: prepare, Open: o.open, Batch: label}
			switch {
			case !prepare:
				o.turns[i].Reason, o.turns[i].Message = earlier.Reason, earlier.Message
			case !o.open:
				o.turns[i].Reason, o.turns[i].Message = o.why.Reason, o.why.Message
			}
		}
		if int(done) < size {
			sum.Batch = min(sum.Batch, int32(number+1))
			if o.open {
				o.shut(v1alpha1.ReasonBatchPending, fmt.Sprintf("batch %s of %s is not done", label, name))
			}
		}
	}
	return sum
}

func (o *order) shut(reason, message string) {
	o.open, o.why = false, Turn{Reason: reason, Message: message}
}

func (o *order) count(batch []int) (done, failed int32) {
	for _, i := range batch {
		switch o.entries[i].State {
		case Done:
			done++
		case Failed:
			failed++
		}
	}
	return done, failed
}

// Divide n applications into batches in proportion to weights: 20 by 1:2:7 gives 2, 4, 14. The first batch
// has at least one; batches that would be empty are left out.
func Divide(n int, weights []int32) []int {
	if len(weights) == 0 {
		weights = []int32{1, 2, 7}
	}
	var total int64
	for _, weight := range weights {
		total += int64(weight)
	}
	var sizes []int
	taken, reached := 0, int64(0)
	for _, weight := range weights {
		reached += int64(weight)
		upTo := int((int64(n)*reached + total - 1) / total)
		if upTo > taken {
			sizes = append(sizes, upTo-taken)
			taken = upTo
		}
	}
	return sizes
}
