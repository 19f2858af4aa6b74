// Package guests works on real machines: three that QEMU emulates, with a Linux of Debian's and busybox alone, and one of the lab's with
// this host's apt.
package guests
