// Package process starts the lab's child processes and watches them.
//
// A child runs in a process group of its own, so Ctrl-C at a terminal reaches the lab first and
// the lab stops its children in order. On Linux the kernel also kills each child when the lab
// dies, whatever killed it: nothing is left behind after a crash. A child that exits unasked is
// reported with the last lines of its log.
package process
