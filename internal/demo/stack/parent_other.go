//go:build unix && !linux

package stack

import "syscall"

// dieWithParent does nothing where the kernel has no parent-death signal: there, Close ends the children.
func dieWithParent(*syscall.SysProcAttr) {}
