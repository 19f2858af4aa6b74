// Package vm is the admission of what people decide about virtual machines: approvals in the control plane and in members (internal/gate),
// and overrides of Servers in members. Who decided is stamped and checked there, and who may approve changes nothing else. The controllers
// that act on VMReplicaSets and Servers are its sub-packages sets and servers.
package vm
