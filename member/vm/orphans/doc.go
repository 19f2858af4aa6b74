// Package orphans finds machines that no Server knows, says so, and never touches one: a machine that is deleted because a list was
// incomplete is an outage, and one that is left is a bill.
//
// It asks the drivers that can list machines for this member's own, then the API server for all Servers: what was there before the Servers
// were read, and bears the key of none, is nobody's. It is believed when it was so for Grace. It writes ConfigMap Name in the program's
// namespace, which argosyctl vm orphans shows, and a gauge. A system that nobody names any more is asked until it lists nothing of
// nobody's; one that cannot be asked is told as it was last seen, until a person deletes the report. What is known and not told, beyond
// the report's bound or not long enough yet, is kept in the same ConfigMap for the next process.
package orphans
