//go:build !linux

package iaas

// Cut is there on Linux.
func Cut(string) error { return Network() }

// Mend is there on Linux.
func Mend(string) error { return Network() }
