// Package remotetest is a machine to work on in tests and in the lab: a real SSH server that runs the real sh of this host, with a folder
// that takes the place of the root of files. Its power can be cut, and it can boot again.
package remotetest
