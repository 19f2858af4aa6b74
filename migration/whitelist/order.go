package whitelist

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Order is whose turn it is, over all whitelists. It is kept from events, each object's in their order, as the handlers of one informer see
// them; a controller has one of its own, whole when its caches have synced. Whitelists of the same spec.order are one list, in the order of
// their names; any other is a list by itself. The zero value knows none.
type Order struct {
	mu     sync.Mutex
	lists  map[string]*list
	states map[client.ObjectKey]plan.State
	// listing are the names of the whitelists that list an application, sorted.
	listing map[client.ObjectKey][]string
}

// list is one whitelist.
type list struct {
	order   string
	weights []int32
	entries []entry
	turns   []plan.Turn
	sums    []v1alpha1.EnvironmentStatus
	// total of the whole order, those that a person rolled back included.
	total int
}

type entry struct {
	key         client.ObjectKey
	environment v1alpha1.Environment
}

// KeyOf an entry's Migration.
func KeyOf(e *v1alpha1.WhitelistEntry) client.ObjectKey {
	return client.ObjectKey{Namespace: e.Namespace, Name: policy.Name(e.Kind, e.Name)}
}

// Put a whitelist as it is now. It returns the applications whose turn is another since, and those that were put on or taken off.
func (o *Order) Put(whitelist *v1alpha1.MigrationWhitelist) (changed, off []client.ObjectKey) {
	next := &list{order: whitelist.Spec.Order, weights: whitelist.Spec.Strategy.BatchWeights}
	if whitelist.DeletionTimestamp.IsZero() {
		for i := range whitelist.Spec.Entries {
			e := &whitelist.Spec.Entries[i]
			next.entries = append(next.entries, entry{key: KeyOf(e), environment: e.Environment})
		}
	}
	return o.replace(whitelist.Name, next)
}

// Drop a whitelist that is gone.
func (o *Order) Drop(name string) (changed, off []client.ObjectKey) { return o.replace(name, nil) }

func (o *Order) replace(name string, next *list) (changed, off []client.ObjectKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lists == nil {
		o.lists, o.listing = map[string]*list{}, map[client.ObjectKey][]string{}
	}
	last := o.lists[name]
	before := map[client.ObjectKey]plan.Turn{}
	for _, one := range []*list{last, next} {
		if one != nil {
			o.turnsOf(o.together(name, one.order), before)
		}
	}
	delete(o.lists, name)
	now := map[client.ObjectKey]bool{}
	if next != nil {
		o.lists[name] = next
		for _, e := range next.entries {
			now[e.key] = true
		}
	}
	if last != nil {
		for _, e := range last.entries {
			if !now[e.key] {
				off = append(off, e.key)
			}
			o.listing[e.key] = slices.DeleteFunc(o.listing[e.key], func(other string) bool { return other == name })
			if len(o.listing[e.key]) == 0 {
				delete(o.listing, e.key)
			}
		}
	}
	for key := range now {
		names := append(o.listing[key], name)
		slices.Sort(names)
		o.listing[key] = names
	}
	after := map[client.ObjectKey]plan.Turn{}
	for _, one := range []*list{last, next} {
		if one != nil {
			group := o.together(name, one.order)
			o.divide(group)
			o.turnsOf(group, after)
		}
	}
	return differing(before, after), off
}

// See a Migration as it is now. It returns the applications whose turn is another since, and whether its own state is.
func (o *Order) See(migration *v1alpha1.Migration) (changed []client.ObjectKey, moved bool) {
	return o.state(client.ObjectKeyFromObject(migration), plan.StateOf(migration.Spec, migration.Status), true)
}

// Forget a Migration that is gone.
func (o *Order) Forget(key client.ObjectKey) (changed []client.ObjectKey, moved bool) {
	return o.state(key, plan.Waiting, false)
}

func (o *Order) state(key client.ObjectKey, state plan.State, exists bool) (changed []client.ObjectKey, moved bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.states == nil {
		o.states = map[client.ObjectKey]plan.State{}
	}
	last, had := o.states[key]
	o.states[key] = state
	if !exists {
		delete(o.states, key)
	}
	if last == state {
		return nil, had != exists // the state of one that is not there is the zero value
	}
	before, after := map[client.ObjectKey]plan.Turn{}, map[client.ObjectKey]plan.Turn{}
	for _, name := range o.listing[key] {
		group := o.together(name, o.lists[name].order)
		o.turnsOf(group, before)
		o.divide(group)
		o.turnsOf(group, after)
	}
	return differing(before, after), true
}

// Listing are the names of the whitelists that list an application, sorted.
func (o *Order) Listing(key client.ObjectKey) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.listing[key])
}

// Turn of an application on a whitelist. One that was not yet seen there may do nothing.
func (o *Order) Turn(whitelist string, key client.ObjectKey) plan.Turn {
	o.mu.Lock()
	defer o.mu.Unlock()
	if of := o.lists[whitelist]; of != nil {
		for i := range of.entries {
			if of.entries[i].key == key {
				return of.turns[i]
			}
		}
	}
	return plan.Turn{Reason: v1alpha1.ReasonBatchPending, Message: "the whitelist was edited this moment"}
}

// Environments are the sums of a whitelist's order, and how many applications it lists in all.
func (o *Order) Environments(whitelist string) ([]v1alpha1.EnvironmentStatus, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if of := o.lists[whitelist]; of != nil {
		return slices.Clone(of.sums), of.total
	}
	return nil, 0
}

// Known says whether an application has a Migration.
func (o *Order) Known(key client.ObjectKey) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.states[key]
	return known
}

// Len is the number of Migrations.
func (o *Order) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.states)
}

// count of applications by whitelist, environment and state.
type count struct {
	whitelist   string
	environment v1alpha1.Environment
	state       plan.State
}

// counts of every whitelist that lists any; states that none is in are there, with 0.
func (o *Order) counts() map[count]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[count]int{}
	for name, of := range o.lists {
		for _, e := range of.entries {
			for _, state := range []plan.State{plan.Waiting, plan.Moving, plan.Done, plan.Failed, plan.Off} {
				out[count{name, e.environment, state}] += 0
			}
			out[count{name, e.environment, o.states[e.key]}]++
		}
	}
	return out
}

// together are the lists that are in one order with a whitelist, by name.
func (o *Order) together(name, order string) []*list {
	if order == "" {
		if of := o.lists[name]; of != nil && of.order == "" {
			return []*list{of}
		}
		return nil
	}
	var out []*list
	for _, other := range slices.Sorted(maps.Keys(o.lists)) {
		if o.lists[other].order == order {
			out = append(out, o.lists[other])
		}
	}
	return out
}

// divide one order into batches, by the weights of its first list; admission keeps those of the others the same.
func (o *Order) divide(group []*list) {
	var listed []plan.Listed
	for _, of := range group {
		for _, e := range of.entries {
			listed = append(listed, plan.Listed{Environment: e.environment, State: o.states[e.key]})
		}
	}
	if len(group) == 0 {
		return
	}
	turns, sums := plan.Turns(listed, group[0].weights)
	for _, of := range group {
		of.turns, of.sums, of.total = turns[:len(of.entries):len(of.entries)], sums, len(listed)
		turns = turns[len(of.entries):]
	}
}

func (o *Order) turnsOf(group []*list, into map[client.ObjectKey]plan.Turn) {
	for _, of := range group {
		for i := range of.entries {
			into[of.entries[i].key] = of.turns[i]
		}
	}
}

// differing keys of two maps, sorted.
func differing(before, after map[client.ObjectKey]plan.Turn) []client.ObjectKey {
	var out []client.ObjectKey
	for key, turn := range after {
		if was, had := before[key]; !had || was != turn {
			out = append(out, key)
		}
	}
	for key := range before {
		if _, has := after[key]; !has {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, func(a, b client.ObjectKey) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}
