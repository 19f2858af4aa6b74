// Package release lets changes of an application reach its clusters in stages.
//
// Three pieces stand in the way of a change. The admission of templates (Templates) writes the marks of a staged template from the
// status of its Release, whoever writes the template. The admission of Works (Holder, asked by argosy-dispatch) gives each cluster
// the revision the marks say: the whole object of that revision, from the Work that is there or from the history. And the policy
// argosy-release-works, in the API server itself, refuses a Work with a revision that is neither stable, nor open for its cluster,
// nor the one the Work has: nothing leaks while no program of ours runs.
//
// The controller gathers, lets package decide say which clusters are open, and writes in this order: the record of a revision, the
// status, the marks.
// A revision may be of several objects (spec.with), and of the override policies that select them (spec.overrides: Hold):
// docs/decisions/0372.
//
// It reads Releases, templates, bindings, Works, Clusters, override policies and Migrations; it writes ControllerRevisions, the status, and
// marks of templates.
package release
