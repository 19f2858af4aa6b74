// Package family is the interface of a workload family's rules: what Karmada's resource interpreter asks, as plain
// functions on the objects Karmada hands over.
//
// A rule decides from values alone: no client, no clock, no log. It reads the object without changing it and says
// what it would change as a list of edits, all or nothing. Its errors name the field (package field). What a rule
// does not know survives: objects are never converted to Go types and back.
//
// A new family is one folder beside this one, with a function Family() that fills this structure, and one line in the
// list of package interpreter. Rules shared by families are packages of their own:
//
//	field        reading values out of an object, errors that name the field
//	edit         the edits of an answer, as JSON patch or in place
//	podtemplate  what a pod template asks of the scheduler, and the objects it depends on
//	share        one number for the whole fleet (partition, maxUnavailable) divided exactly over its members
//	retain       fields that belong to the member: replicas, rollout, names to delete
//	rollout      whether a member's rollout is well
//	depend       the objects a workload must have beside it, each once
//	aggregate    one status out of the members' statuses; conditions merged
package family
