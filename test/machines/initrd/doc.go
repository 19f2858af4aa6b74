// Package initrd makes what an emulated machine starts: busybox, an SSH server, and what takes its keys from the firmware.
package initrd
