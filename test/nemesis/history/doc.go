// Package history is everything that happened in a lab, in the one order in which it happened.
//
// All planes of a lab store their objects in one etcd, so one watch on it sees every write of everybody, none twice and none left out, in a
// total order. Beside the objects stand notes: what a user asked for, which process was stopped, which connection was cut. They are keys of
// the same etcd and so have their place in the same order. Who wrote an object is joined from the API servers' audit logs, if they write
// any: the resourceVersion in an answer is the revision of etcd.
//
// What was there before a change is not kept with it: a history begins with all that is there, so the record before says it (World).
package history
