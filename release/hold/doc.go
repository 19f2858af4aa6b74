// Package hold decides what a cluster gets while a change of a staged application is held.
//
//	Revision   what a template is, its live fields left out: the name of a revision
//	Stamp      the marks of a template, from the status of its Release: who writes the template cannot open a cluster
//	Choose     the revision a Work is to have: the template's where it is open, else the one it has, else the stable one
//	Compose    the manifest: the whole object of that revision, and from the new one only the live fields and Karmada's and our own marks
//
// Live fields say how many run and how fast they change, never what runs: scaling goes on while a change is held. A held manifest keeps its
// release marks and its generation of the template, so that a held member sees no write, and status says of it what is true.
//
// It reads manifests and answers with manifests; asked again about its own result it changes nothing.
package hold
