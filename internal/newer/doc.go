// Package newer changes objects of Karmada that may be newer than the types built in here. What is decoded into a type and encoded
// again loses the fields that the type does not know, and a merge patch sends a list whole: so an object is read as it was sent, and
// only what typed code changed is carried into it. It writes by merge patches of the version that was read.
package newer
