// Package debian fetches Debian's packages and unpacks them beside the system, into the user's cache: nothing is installed, and nobody
// needs to be root. What a program of them links and the system has not is unpacked with it.
package debian
