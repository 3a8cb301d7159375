package netio

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// glance is how a loop has the scheduler look at the runtime's own poller, where
// the admin pages wait, and the looks at the cluster. The scheduler does so by itself
// where a thread has nothing to run, else every 10 ms (findRunnable and sysmon in
// runtime/proc.go); Gosched only tries what can run already. So the loop parks for
// something that the runtime's poller finds at once, and with it all else.
type glance struct {
	// Set at construction.
	file   *os.File // an eventfd
	raw    syscall.RawConn
	parkFn func(fd uintptr) bool

	// Owned by pollLoop.
	last   time.Duration // since clockStart
	parked bool
}

// glanceGap is the time between two glances: one costs a few microseconds.
const glanceGap = time.Millisecond

var clockStart = time.Now()

func newGlance() (*glance, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	g := &glance{file: os.NewFile(uintptr(fd), "glance")}
	if g.raw, err = g.file.SyscallConn(); err == nil {
		err = g.file.SetDeadline(noDeadline) // an error: not pollable, and nobody would wake the loop
	}
	if err != nil {
		_ = g.file.Close()
		return nil, err
	}
	g.parkFn = g.park
	return g, nil
}

// take parks the calling goroutine for a moment if the last glance was long ago.
func (g *glance) take() {
	now := time.Since(clockStart)
	if now-g.last < glanceGap {
		return
	}
	g.last, g.parked = now, false
	_ = g.raw.Read(g.parkFn)
}

// park is called before and after the goroutine parks. Each write is an event, also
// if nothing was read since the one before.
func (g *glance) park(fd uintptr) bool {
	if g.parked {
		return true
	}
	g.parked = true
	return raise(fd) != 0
}

func (g *glance) close() { _ = g.file.Close() }
