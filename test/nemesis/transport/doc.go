// Package transport lets a controller's own requests go wrong, where a real federation cannot be made to: at every single write in turn,
// with each of the ways in which a write can go wrong (Kind). It stands around a real API server; a test of a controller uses it with one
// line (EachWrite).
package transport
