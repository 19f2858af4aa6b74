// Package vm is what acts on VMReplicaSets, VMDeployments and Servers. Today that is the admission of their approvals in the control
// plane: who approved is stamped and checked there (internal/gate), and who may approve changes nothing else.
package vm
