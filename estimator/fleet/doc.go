// Package fleet keeps a mirror for every member of the federation.
//
// Decides: which members are mirrored, and from which credentials. Reads: Clusters and their secrets, ResourceBindings, in
// karmada-apiserver. Writes: nothing itself; package register keeps the members' Services.
//
// Members come and go with their Cluster objects. A member whose connection changes (endpoint, certificate, token) gets a new mirror; the
// old one answers until the new one is in sync.
package fleet
