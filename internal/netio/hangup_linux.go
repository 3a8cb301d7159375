package netio

import (
	"os"
	"sync"
	"syscall"
)

// hangups is the one watcher of the process: an epoll instance that reports
// nothing but a peer's shutdown. It exists because the runtime's poller is
// edge-triggered and does not say what it saw: a FIN that arrives together with
// the last bytes makes one edge, and a reader that parks after a short read would
// wait for another for ever. It also notices a hang-up while Serve is paused.
var hangups watcher

type watcher struct {
	start sync.Once
	epoll int // set by start, -1 if there is none
	ready syscall.RawConn

	mu sync.Mutex
	// Guarded by mu.
	last  int32
	conns map[int32]*Conn
}

// watchHangup registers the socket; false if that cannot be done, in which case
// a short read must be followed by another.
func (c *Conn) watchHangup() bool {
	w := &hangups
	w.start.Do(w.open)
	if w.epoll < 0 {
		return false
	}
	w.mu.Lock()
	w.last++
	for w.conns[w.last] != nil { // wrapped around
		w.last++
	}
	c.watchID = w.last
	w.conns[c.watchID] = c
	w.mu.Unlock()

	ok := false
	_ = c.raw.Control(func(fd uintptr) {
		ev := syscall.EpollEvent{Events: syscall.EPOLLRDHUP | epollOneShot, Fd: c.watchID}
		ok = syscall.EpollCtl(w.epoll, syscall.EPOLL_CTL_ADD, int(fd), &ev) == nil
	})
	if !ok {
		c.forgetHangup()
	}
	return ok
}

// epollOneShot is EPOLLONESHOT, which package syscall spells as a signed
// constant on some architectures.
const epollOneShot = 1 << 30

// forgetHangup undoes watchHangup. Closing the socket takes it out of the epoll
// instance; an event that is already on its way finds no one.
func (c *Conn) forgetHangup() {
	hangups.mu.Lock()
	delete(hangups.conns, c.watchID)
	hangups.mu.Unlock()
}

func (w *watcher) open() {
	w.epoll = -1
	w.conns = make(map[int32]*Conn)
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return
	}
	// An epoll instance can itself be polled: the runtime parks watchLoop
	// without holding a thread.
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return
	}
	f := os.NewFile(uintptr(fd), "hangups")
	raw, err := f.SyscallConn()
	if err != nil || f.SetDeadline(aLongTimeAgo) != nil { // no deadlines: not pollable
		_ = f.Close()
		return
	}
	_ = f.SetDeadline(noDeadline)
	w.epoll, w.ready = fd, raw
	go w.watchLoop(f)
}

// watchLoop lives as long as the process. It keeps the file open by holding it.
func (w *watcher) watchLoop(f *os.File) {
	defer f.Close()
	_ = w.ready.Read(w.harvest)
}

// harvest handles what the epoll instance reports and parks again.
func (w *watcher) harvest(fd uintptr) bool {
	var events [128]syscall.EpollEvent
	for {
		n, err := syscall.EpollWait(int(fd), events[:], 0)
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 {
			return false
		}
		for _, ev := range events[:n] {
			w.mu.Lock()
			c := w.conns[ev.Fd]
			w.mu.Unlock()
			if c != nil {
				c.hangUp()
			}
		}
	}
}
