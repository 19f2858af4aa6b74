// Package facts turns what a machine driver said into the facts of a Server's status, and says which task is next and when. It takes values
// and now.
//
// What the driver does not surely know is Unknown, and moves nobody: only a machine that is said not to run, or that was surely not found
// over and over, is out of reach.
package facts
