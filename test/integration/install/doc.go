// Package install tests argosyctl install and uninstall between two real API servers: a karmada-apiserver and the one
// of the host cluster.
package install
