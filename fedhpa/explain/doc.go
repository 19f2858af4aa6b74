// Package explain says to a person who got how much of a FedHPA and why. It knows nothing of controllers, so that argosyctl links none
// (decision 0389).
//
// Decides: what is said. Reads and writes nothing.
package explain
