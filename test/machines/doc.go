// Package machines has the stories with real parts that a system seldom has installed: HAProxy, libvirtd. make test-machines plays them,
// with Debian's packages unpacked into the user's cache (package debian). What is missing fails a test; none is left out.
package machines
