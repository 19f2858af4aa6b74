//go:build !linux

package process

import "syscall"

// Only Linux can tie a child's life to its parent's; elsewhere a killed lab leaves its children,
// and `argosy-lab down` finds them by the process ids it wrote.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
