// Package share divides one number that means the whole fleet (an integer partition, maxUnavailable, maxSurge) over
// the members, exactly.
//
// Karmada asks for a member's manifest without saying which member. So the answer has three parts. Revise divides the
// number over the clusters of the ResourceBinding by Webster's method and writes the whole division into an
// annotation of the manifest, the same text for every member:
//
//	interpreter.argosy.dev/partition-by-cluster: member1=3,member2=3,member3=3
//
// Into the field it writes the careful value: of all members with that many replicas, the one that changes least. And
// Retain, which knows its member, puts that member's value into the field on every update. As the annotation changes
// for all members when it changes for one, Karmada updates them all.
//
// A field that is no longer what Revise wrote was changed by an OverridePolicy, which has the last word in Karmada:
// Retain leaves it. What Revise wrote is kept in one more annotation, interpreter.argosy.dev/divided.
//
// A percentage that is held back is made the fleet's number once. Percentages of allowances mean nearly the same in every member and are
// never touched.
//
// Fleet puts these together with package retain as the rules of a kind that has replicas.
package share
