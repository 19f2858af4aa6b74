// Package tutorials does what docs/tutorials tells its readers: types every command, in a federation of the lab, and compares
// what is printed with what the page shows.
package tutorials
