// Package domains is one story of real machines: libvirt's own QEMU driver makes them for the driver libvirt, and a set brings them online.
package domains
