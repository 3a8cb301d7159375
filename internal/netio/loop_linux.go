package netio

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loop is one goroutine of a Poller with the Conns that it drives.
type loop struct {
	// Set at construction.
	epoll  int
	wakeFD int // an eventfd
	glance *glance
	procs  int32 // threads that may run Go code

	// Owned by pollLoop.
	events [256]syscall.EpollEvent
	ready  []*Conn // of events
	work   []ask   // taken from asked
	paused bool    // a Conn has paused in this round

	mu sync.Mutex
	// Guarded by mu.
	conns  []*Conn // by key; the first has none
	free   []int32 // keys that are not in use
	asked  []*Conn // those with asks
	asleep bool    // pollLoop waits, or is about to, and must be woken
	ending bool
}

// asks is what a Conn wants of its loop, as a set.
type asks uint8

const (
	askResume asks = 1 << iota
	askStop        // look whether it was aborted or is to stop reading
	askWrite       // the socket was full
	askSettle
	askStart
	askRead // there is more to read
	askClose
)

// ask is one Conn's asks.
type ask struct {
	conn *Conn
	what asks
}

func newLoop() (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l := &loop{epoll: epoll, wakeFD: wake, procs: int32(runtime.GOMAXPROCS(0)), conns: make([]*Conn, 1)}
	if l.glance, err = newGlance(); err != nil {
		_ = unix.Close(epoll)
		_ = unix.Close(wake)
		return nil, err
	}
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, wake, &ev); err != nil {
		l.release()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return l, nil
}

// release closes the loop's own descriptors.
func (l *loop) release() {
	_ = unix.Close(l.epoll)
	_ = unix.Close(l.wakeFD)
	l.glance.close()
}

// add gives c a key, by which events name it, and has the kernel report what
// becomes of its socket. All of it is reported once, when it becomes so (EPOLLET,
// epoll(7)), so that nothing needs to be said again of a pause or a full socket.
func (l *loop) add(c *Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.key = int32(len(l.conns))
	if n := len(l.free); n > 0 {
		c.key = l.free[n-1]
		l.free = l.free[:n-1]
		l.conns[c.key] = c
	} else {
		l.conns = append(l.conns, c)
	}
	const edge = 1 << 31 // EPOLLET, which package syscall spells as a signed constant
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edge, Fd: c.key}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
		l.removeLocked(c)
		return err
	}
	return nil
}

// remove forgets c. An event that was already taken finds a Conn that is closed.
func (l *loop) remove(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(c)
}

func (l *loop) removeLocked(c *Conn) {
	l.conns[c.key] = nil
	l.free = append(l.free, c.key)
}

// ask has the loop look at c before it waits again. It never blocks.
func (l *loop) ask(c *Conn, what asks) {
	l.mu.Lock()
	if c.asked == 0 {
		l.asked = append(l.asked, c)
	}
	c.asked |= what
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.wake()
	}
}

func (l *loop) wake() { _ = raise(uintptr(l.wakeFD)) }

// raise makes an eventfd readable, once more. It does not block.
func raise(fd uintptr) syscall.Errno {
	one := uint64(1)
	_, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&one)), 8)
	return errno
}

func (l *loop) close() {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	l.wake()
}

// maxPasses is how often a round does what was asked for before it looks at the
// sockets again: what is asked for while it does makes another pass.
const maxPasses = 4

// pollLoop serves rounds: it waits, handles what has arrived on all ready sockets
// and does what it was asked for.
func (l *loop) pollLoop() {
	for {
		some, ending := true, false
		for pass := 0; some && pass < maxPasses; pass++ {
			if some, ending = l.takeAsks(); some {
				l.answerAsks()
			}
		}
		if ending && !some {
			l.release()
			return
		}
		alone := looping.Load() >= l.procs // other goroutines have no thread but the loops'
		if alone || l.paused {
			// Those would run when the loop is preempted, every 10 ms; and what a Conn
			// has paused for would wait for another thread to wake up and take it away.
			runtime.Gosched()
			l.paused = false
		}
		if alone {
			l.glance.take()
		}
		l.handle(l.wait(!some))
	}
}

// takeAsks moves what was asked into work. If there is nothing, the next ask
// wakes the loop up.
func (l *loop) takeAsks() (some, ending bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.work = l.work[:0]
	for i, c := range l.asked {
		l.work = append(l.work, ask{c, c.asked})
		c.asked = 0
		l.asked[i] = nil
	}
	l.asked = l.asked[:0]
	l.asleep = len(l.work) == 0
	return !l.asleep, l.ending
}

// answerAsks does what was asked. What settles comes last, since all else may
// make more to write; and then sends what it made.
func (l *loop) answerAsks() {
	for i := range l.work {
		if a := &l.work[i]; a.what != askSettle {
			a.conn.answer(a.what)
		}
	}
	for i := range l.work {
		if a := &l.work[i]; a.what&askSettle != 0 {
			a.conn.handler.Settle()
		}
		l.work[i] = ask{}
	}
}

// wait returns how many events there are, with block only when there is one. The
// scheduler is told of a call that may take long.
func (l *loop) wait(block bool) int {
	for {
		var n uintptr
		var errno syscall.Errno
		epoll, events, size := uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events)), uintptr(len(l.events))
		if block {
			n, _, errno = syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, epoll, events, size, ^uintptr(0), 0, 0)
		} else {
			n, _, errno = syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, epoll, events, size, 0, 0, 0)
		}
		switch errno {
		case 0:
			return int(n)
		case syscall.EINTR:
			continue
		}
		panic("netio: epoll_pwait: " + errno.Error()) // our own arguments are wrong
	}
}

// handle hands n events to their Conns.
func (l *loop) handle(n int) {
	l.ready = l.ready[:0]
	l.mu.Lock()
	l.asleep = false
	for _, ev := range l.events[:n] {
		l.ready = append(l.ready, l.conns[ev.Fd])
	}
	l.mu.Unlock()
	for i, c := range l.ready {
		l.ready[i] = nil
		if ev := &l.events[i]; c != nil {
			c.handleEvent(ev.Events)
		} else if ev.Fd == 0 {
			var count [8]byte
			_, _ = readFD(uintptr(l.wakeFD), count[:])
		}
	}
}
