// Package install installs Argosy by its chart into a real federation whose first member is the host cluster, as a
// platform team would: the chart is rendered, applied, and its pods' processes run on this machine with exactly the
// rendered arguments, files and identities. Only what a cluster's network would do is different: ports are free ones of
// this machine, and names of Services are localhost.
package install
