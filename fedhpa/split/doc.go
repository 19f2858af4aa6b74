// Package split divides one autoscaler's limits over member clusters.
//
// Decides: how many of minReplicas and maxReplicas each cluster's own autoscaler gets (Divide), and in which order
// new limits may be sent so that the federation's limits hold at every moment in between (Next).
// Reads and writes nothing: integers in, integers out. No floats, no clock, no randomness: the same
// input always gives the same answer, also in another process after a change of leader.
package split
