// Package gates asks the webhooks of gates, and tells those whom notifyRef names, for the controllers of Servers and of their sets. It
// works beside them: who waits at a gate goes on waiting, whatever becomes of a call, until a clear answer to that very operation is there.
package gates
