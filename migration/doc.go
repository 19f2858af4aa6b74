// Package migration brings existing applications under federation, and back, without anyone noticing. It holds no code: these are its
// rooms.
//
//	admission   what may be done to the objects of a migration, before anything is stored (argosy-webhook)
//	whitelist   a Migration for each entry, whose turn it is, and how far each list is
//	controller  one Migration, one step at a time: gather -> plan.Next -> record -> apply
//	plan        PURE: what to do about an application, from all that is known about it
//	policy      PURE: templates, policies and overrides for the objects of an application
//	publish     who manages an application, and how CI/CD releases it, either way; a package to link
//	iskarmada   the same question over HTTP, for whoever cannot link Go
//
//	MigrationWhitelist --whitelist--> Migration --controller--> gather -> plan.Next -> apply
package migration
