// Package approvals tests on a real API server who may approve operations of the VM kinds, by the registrations, policies and roles that
// are shipped.
package approvals
