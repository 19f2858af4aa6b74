// Package migration brings existing applications under federation, and back, without anyone noticing.
//
// Decides nothing itself: migration/plan does, as a pure function of the world. Reads whitelists and
// Migrations, templates, policies, bindings and Works in karmada-apiserver, and the application's objects
// in the members (gather.go). Writes Migrations' status, then templates, policies, overrides and bindings'
// scheduling in karmada-apiserver (apply.go). Into a member it sends dry runs only (dryrun.go): what is
// written there, Karmada writes.
//
//	MigrationWhitelist --whitelist_controller--> Migration --controller--> gather -> plan.Next -> apply
package migration
