// Package dispatch decides what a Work's manifest is to be for the cluster the Work is for: the last word before a member.
//
// Karmada makes a manifest in three steps. It asks ReviseReplica, without saying for which cluster; it applies the overrides; and it
// writes the Work. Only at that write are all known together: the cluster (the Work's namespace), the overrides (annotations of the
// Work), and the manifest. Here the family's Dispatch rule puts in what ReviseReplica had to leave open.
//
// The order of what has a say: an override wins over a division, and a division over the template.
//
// A decision is deterministic, and asked again about its own result it changes nothing: Karmada compares what it rendered with what
// is stored and writes again at each sync, and karmada-apiserver drops a write that changes nothing.
//
// It reads a manifest and the annotations of its Work, and answers with edits.
package dispatch
