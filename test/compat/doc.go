// Package compat plays the demo, and the stories of migration and FedHPA, on every Karmada that Argosy serves: a federation of that
// version's programs, CRDs and manifests, and Argosy as it is built today.
//
// It runs under `make test-compat`, which names the versions; docs/upgrade.md has the table it prints.
package compat
