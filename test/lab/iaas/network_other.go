//go:build !linux

package iaas

import "errors"

var errLinux = errors.New("the lab's machines have addresses on Linux alone")

// Network is there on Linux.
func Network() error { return errLinux }

// Own is there on Linux.
func Own() error { return errLinux }

// Yard is there on Linux.
type Yard struct{}

// NewYard is there on Linux.
func NewYard(string) (*Yard, error) { return nil, errLinux }

// Host is there on Linux.
func (*Yard) Host() string { return "" }

// Close is there on Linux.
func (*Yard) Close() error { return nil }

func (*Yard) address(int) string { return "" }

func (*Yard) start(int, guestOptions) (guest, error) { return nil, errLinux }

// BeMachine is there on Linux.
func BeMachine() {}
