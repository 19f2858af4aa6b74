// Package program is what every program of ours does first: how it logs, and which kinds it knows.
//
// It decides nothing, reads nothing and writes nothing but the process-wide loggers of klog and controller-runtime.
package program
