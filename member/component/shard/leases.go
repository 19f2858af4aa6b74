package shard

import "time"

// Lease is what a controller's Lease says; the zero Lease is none.
type Lease struct {
	// Stamp changes with each renewal, whoever reads it.
	Stamp string
	// Renewed is when its holder renewed it, by the holder's clock: nobody else compares it with another clock.
	Renewed time.Time
	// Length is how long it holds without a renewal.
	Length time.Duration
}

// LeastLength is the shortest that another's Lease is taken to be: one that was given back says one second.
const LeastLength = 2 * time.Second

// Fresh says that the own Lease holds, by the own clock, which also wrote it.
func (l Lease) Fresh(now time.Time) bool {
	return l.Stamp != "" && now.Sub(l.Renewed) < l.Length
}

// Observed is since when others' Leases are as they are, by the observer's own clock. The zero value has seen none.
type Observed map[string]sighting

type sighting struct {
	stamp  string
	length time.Duration
	since  time.Time
}

// See the Lease of a controller; length is what to believe of one that is not there. now must be of a clock that nobody sets.
func (o Observed) See(id string, lease Lease, length time.Duration, now time.Time) {
	if lease.Stamp != "" {
		length = lease.Length
	}
	before, known := o[id]
	if !known || before.stamp != lease.Stamp {
		o[id] = sighting{stamp: lease.Stamp, length: max(length, LeastLength), since: now}
	}
}

// Dead says that the Lease of a controller was seen unchanged for twice its length.
func (o Observed) Dead(id string, now time.Time) bool {
	return o.Left(id, now) <= 0
}

// Left is how long until it is dead, if nothing changes.
func (o Observed) Left(id string, now time.Time) time.Duration {
	seen, known := o[id]
	if !known {
		return time.Hour // it must be seen first
	}
	return seen.since.Add(2 * seen.length).Sub(now)
}
