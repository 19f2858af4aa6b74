// Package install puts Argosy's part of a Karmada control plane in place, keeps it fresh, and takes it away.
//
// It decides which objects karmada-apiserver must hold - kinds, rights, accounts, registrations - from what package deploy
// carries, and which Secrets the programs' pods mount in the host cluster: kubeconfigs with short-lived tokens, and the
// webhook's certificate.
//
// It reads the objects it labelled before; it writes by server-side apply as field manager argosy-install, and removes only
// what bears its label, or the estimator's, and is no longer wanted. It never removes a kind or a user's object.
package install
