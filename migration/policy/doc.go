// Package policy authors what the control plane needs to manage an application exactly as it runs today.
//
// Decides: the names of policies, which objects belong to a workload, the template of each, and the
// overrides that keep every difference between clusters. Reads and writes nothing: live objects in,
// templates, PropagationPolicies and OverridePolicies out.
//
//	live objects, by cluster -> Discover -> the application's set -> Author -> templates, policies, overrides
package policy
