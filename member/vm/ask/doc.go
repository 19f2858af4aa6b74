// Package ask puts questions to systems outside of the member in the background, and keeps what they said: a system that never answers
// holds up nobody who works on something else. What is kept is lost with the process, and asked again.
package ask
