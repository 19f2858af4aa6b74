// Package kruise is how Karmada reads further kinds of OpenKruise, where its bundled Lua fails: UnitedDeployment, BroadcastJob and
// AdvancedCronJob.
//
// It decides what must travel with them, since the Lua fails for a pod template that depends on nothing and then nothing of the binding
// is brought up to date; and of a UnitedDeployment one status, whose currentRevision the CRD demands and the Lua leaves out. All else
// stays the Lua's.
package kruise
