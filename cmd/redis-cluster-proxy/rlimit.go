//go:build unix

package main

import "syscall"

// descriptorLimit returns how many descriptors the process may have, 0 if that is not known. The Go runtime has raised it
// as far as it may be raised (package os).
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // it is signed on FreeBSD
}
