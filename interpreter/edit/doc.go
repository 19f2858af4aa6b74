// Package edit is how a rule says what it changes: a list of path and value. The same list becomes the JSON patch
// (RFC 6902) Karmada expects from a webhook, without comparing whole documents, and changes an object in place for
// offline use.
//
// It decides which edits change nothing, and drops them: an empty list is "nothing to do". It is all or nothing: an
// edit that cannot be made fails the whole list, so Karmada never gets a part of an answer.
package edit
