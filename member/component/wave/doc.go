// Package wave decides when a change of the cluster's templates reaches which Component.
//
// All that decides the bytes of a Component beside itself is a Revision: the templates that match it, the cluster's values they
// name, and the version of package render. Its name is a hash of its content. A Component keeps the revision it was given, in
// status.templateRevision, and is rendered from a copy of it:
//
//	Choose   which revision one Component is rendered from now: the new one where it changes no byte, or nothing is there yet
//	Groups   which of the others wait together: those that changed templates tie to each other
//	Plan     who of a group is next, by the pace of the templates: canaries, then growing shares, each when the one before is well
//
// It reads values and now, and writes nothing: what was granted is in the Components, so a controller that is killed goes on.
package wave
