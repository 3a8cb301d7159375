//go:build !linux

package netio

import (
	"net"
	"syscall"
)

// fastPath is false where only the ordinary way is taken.
const fastPath = false

func readFD(uintptr, []byte) (int, syscall.Errno) { panic("netio: no fast path on this system") }

func writeFD(uintptr, net.Buffers) (int, syscall.Errno) {
	panic("netio: no fast path on this system")
}

func (c *Conn) watchHangup() bool { return false }

func (c *Conn) forgetHangup() {}
