// Package gate decides what kinds with gates and approvals share: who gave an approval, which of them are new, which may be taken back, and
// which of the old ones go. It takes values and now: admission (internal/gate/approval), controllers and argosyctl ask it alike.
package gate
