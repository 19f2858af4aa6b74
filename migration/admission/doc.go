// Package admission says what may be done to the objects of a migration, before anything is stored.
//
// Decides from the request alone, and where that does not suffice from whitelists, Migrations and bindings that it reads in
// karmada-apiserver: who approves what and in whose name (approvals.go, approvers.go), which entries a whitelist may have (whitelist.go),
// and that nothing is deleted or opened that Karmada would answer by writing a stale manifest into a member (cutoff.go, dispatched.go,
// unjoin.go). Writes nothing.
package admission

// Paths of the admission handlers.
const (
	ApprovalPath  = "/mutate-migration"
	MigrationPath = "/validate-migration"
	WhitelistPath = "/validate-migrationwhitelist"
	CutOffPath    = "/validate-cut-off"
	UnjoinPath    = "/validate-unjoin"
	// ApproversPath and PublishersPath are asked about updates by those who are no administrators.
	ApproversPath  = "/validate-approvers"
	PublishersPath = "/validate-publishers"
	// DispatchedPath is asked about bindings and Works.
	DispatchedPath = "/validate-dispatched"
)
