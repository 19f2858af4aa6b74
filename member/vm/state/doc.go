// Package state decides what state a server is in, and which tasks that asks for: machine, environment, code, monitoring, health, grey
// online.
//
// It reads a Server's spec, the facts in its status and what people decided, with now, and gives back the status fields that follow from
// them. The rows of the table (rows.go) are tried from the top; the first that applies wins. Nothing is remembered but the operation under
// way: the state is derived anew each time, so that facts that did not change move nobody, and asking twice gives the same answer.
//
// docs/reference/vm-states.md is printed from it.
package state
