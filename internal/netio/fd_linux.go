package netio

import (
	"net"
	"syscall"
	"unsafe"
)

// fastPath says that sockets are read and written by the functions below.
const fastPath = true

// smallCall is the size, in bytes, up to which a system call is made without
// telling the scheduler. A non-blocking call of a few microseconds is cheaper
// that way; one that copies more must not hold its P (BenchmarkConnEcho).
const smallCall = 18 << 10

// readFD is a non-blocking read(2).
func readFD(fd uintptr, b []byte) (int, syscall.Errno) {
	var n uintptr
	var errno syscall.Errno
	if len(b) <= smallCall {
		n, _, errno = syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	} else {
		n, _, errno = syscall.Syscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	}
	return int(n), errno
}

// writeFD is a non-blocking write(2) or writev(2) of vec, which is not empty.
func writeFD(fd uintptr, vec net.Buffers) (int, syscall.Errno) {
	if len(vec) > 1 {
		return writevFD(fd, vec)
	}
	var n uintptr
	var errno syscall.Errno
	b := vec[0]
	if len(b) <= smallCall {
		n, _, errno = syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	} else {
		n, _, errno = syscall.Syscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	}
	return int(n), errno
}

// maxVec is how many stretches one system call takes here.
const maxVec = 64

// writevFD is kept apart from writeFD for its large frame.
//
//go:noinline
func writevFD(fd uintptr, vec net.Buffers) (int, syscall.Errno) {
	var iov [maxVec]syscall.Iovec
	count := min(len(vec), maxVec)
	for i, b := range vec[:count] {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(len(b))
	}
	n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&iov)), uintptr(count))
	return int(n), errno
}
