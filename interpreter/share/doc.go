// Package share divides one number that means the whole fleet (a partition, whole or in percent; a whole maxUnavailable
// or maxSurge) over the members, exactly.
//
// Karmada asks for a member's manifest without saying which member. So the answer has three parts. Revise divides the
// number over the clusters of the ResourceBinding by Webster's method and writes the whole division into an
// annotation of the manifest, the same text for every member:
//
//	interpreter.argosy.dev/partition-by-cluster: member1=3,member2=3,member3=3
//
// Into the field it writes the careful value: of all members with that many replicas, the one that changes least. And
// Dispatch, which is asked at the admission of the member's Work and so knows the member, puts that member's value into
// the field, on creation too. As the annotation changes for all members when it changes for one, Karmada updates them all.
//
// Karmada may write a manifest by the binding of before, with other replicas than those that were divided; these stand in a third
// annotation, interpreter.argosy.dev/replicas-by-cluster, and Dispatch holds back what the manifest has beyond its part, too, and
// no less of one that has fewer.
//
// A field that an OverridePolicy set, or that is no longer what Revise wrote, is left alone: the policy has the last word
// in Karmada. Retain divides nothing; it only takes the mark of its first template from an object that has had another.
// What Revise wrote is kept in one more annotation, interpreter.argosy.dev/divided.
//
// A percentage that is held back is made the fleet's number once. Percentages of allowances mean nearly the same in every member and are
// never touched.
//
// Fleet puts these together with package retain as the rules of a kind that has replicas.
package share
