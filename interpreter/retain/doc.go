// Package retain keeps in a manifest what belongs to the member, where a template says so: replicas (an HPA of the
// member owns them), the rollout (a tool in the member owns it), and the names of what is to be removed there.
//
// It decides from the desired manifest and the member's object; its edits are to the manifest.
package retain
