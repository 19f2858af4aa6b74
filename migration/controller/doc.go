// Package controller moves each Migration one step at a time: gather, decide, record, apply.
//
// Decides nothing itself: migration/plan does, as a pure function of the world. Caches tell whether there is anything to do (whose turn it
// is: whitelist.Order); where there is, it reads past them the templates, policies, bindings and Works in karmada-apiserver, and the
// application's objects in the members (gather.go). Writes Migrations' status, then templates, policies, overrides and bindings' scheduling
// in karmada-apiserver (apply.go). Into a member it sends dry runs only (dryrun.go): what is written there, Karmada writes.
//
// Rollbacks have workers of their own (watches.go).
package controller
