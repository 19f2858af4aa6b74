// Package gate decides what kinds with gates and approvals share: who gave an approval, which of them are new, which may be taken back,
// which of the old ones go, and whether a freeze window is open. It takes values and now: admission (internal/gate/approval), controllers
// and argosyctl ask it alike.
package gate
