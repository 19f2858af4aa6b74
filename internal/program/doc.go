// Package program is what every program of ours does first: how it reads its flags, logs, and which kinds it knows; and, for those with
// controllers, how they elect a leader, what they keep and how they begin.
//
// It decides nothing. It reads flags, files and a container's bounds, and writes the process-wide loggers of klog and controller-runtime.
package program
