// Package server answers karmada-scheduler.
//
// Decides: what to say when something is wrong. karmada-scheduler takes the least of all estimators' answers, gives all members of one
// question three seconds together, and throws the answers of all members away if one of them is an error. So no request is answered with an
// error or later than the deadline: a member of which nothing is known is answered with -1 ("do not count me"), and anything else that goes
// wrong with a number too small rather than too big. Reads: mirrors, templates, promises. Writes: nothing.
package server
