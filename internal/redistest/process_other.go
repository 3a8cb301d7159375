//go:build unix && !linux

package redistest

import "syscall"

// dieWithParent does nothing where the kernel has no parent-death signal.
func dieWithParent(*syscall.SysProcAttr) {}

func (p *process) stop() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

func (p *process) cont() error { return p.cmd.Process.Signal(syscall.SIGCONT) }
