// Package nemesis acts on a federation as the outside world does: processes die or stand still, connections are cut, slowed or half open,
// clusters are tainted, somebody edits and deletes what is not his.
//
// When what happens is a pure function of a seed (Schedule); what each fault does is in faults.go. A fault counts only once it is known
// to have happened: a process has another id, bytes were held back, a write was accepted.
package nemesis
