// Package libvirtdriver makes machines as domains of a libvirt: one for each key, whose UUID and name follow from it, so that asking twice
// makes one. Its disk is a volume over that of an image, in a storage pool of libvirt.
//
// What libvirt does not keep the driver writes into libvirt: an element in each domain's metadata says whose machine it is, how far it is,
// and the highest sequence that worked on it; a key that was removed stays as a domain of its own that never runs (a tombstone), so that a
// creation which comes too late makes none. libvirt cannot compare and write in one request: a process that is paused between looking at
// the sequence and the request after it is not refused (docs/decisions/0365).
package libvirtdriver
