package proxy

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// monitors are the clients in MONITOR. Sessions look once per batch whether there
// are any, and only then write down what they execute: each line once, however many
// watch. tellLoop hands out what has gathered, so that nobody waits for a monitor. The
// zero value is ready.
type monitors struct {
	// any says that somebody watches.
	any atomic.Bool
	// wake holds at most one token. Made before any is true for the first time.
	wake chan struct{}

	gathering sync.Mutex
	// Guarded by gathering.
	lines []byte // that the members have not been told
	spare []byte // memory for lines

	telling sync.Mutex // held to hand out lines; comes before gathering
	// Guarded by telling.
	members []*monitor
	looping bool
}

// monitor is a client in MONITOR. Its fields are guarded by monitors.telling.
type monitor struct {
	s     *session
	begun bool   // it has its OK
	early []byte // lines for it that came before
	deaf  bool   // CLIENT REPLY OFF
}

// maxSpareLines is the largest buffer that is kept for lines, in bytes.
const maxSpareLines = 256 << 10

// join adds a session, which gets lines from now on, but none before begin.
func (m *monitors) join(s *session) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.tellLocked()
	if m.wake == nil {
		m.wake = make(chan struct{}, 1)
	}
	m.any.Store(true)
	if s.ended.Load() { // it has left; see leave
		m.any.Store(len(m.members) > 0)
		return
	}
	m.members = append(m.members, &monitor{s: s})
	if !m.looping {
		m.looping = true
		s.srv.ending.Add(1)
		go m.tellLoop(s.srv)
	}
}

// begin says that a session's OK is on its way.
func (m *monitors) begin(s *session, deaf bool) {
	m.telling.Lock()
	defer m.telling.Unlock()
	if at := m.findLocked(s); at >= 0 {
		mon := m.members[at]
		mon.begun, mon.deaf = true, deaf
		if !deaf && len(mon.early) > 0 {
			s.pipe.Push(mon.early)
		}
		mon.early = nil
	}
}

// leave removes a session. It gets nothing from then on.
func (m *monitors) leave(s *session) {
	if !m.any.Load() {
		return
	}
	m.telling.Lock()
	defer m.telling.Unlock()
	at := m.findLocked(s)
	if at < 0 {
		return
	}
	m.tellLocked()
	m.members = slices.Delete(m.members, at, at+1)
	if len(m.members) == 0 {
		m.any.Store(false)
		m.rouse() // tellLoop ends
	}
}

// setDeaf drops the lines for a session, or no longer.
func (m *monitors) setDeaf(s *session, deaf bool) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.tellLocked()
	if at := m.findLocked(s); at >= 0 {
		m.members[at].deaf = deaf
	}
}

func (m *monitors) findLocked(s *session) int {
	return slices.IndexFunc(m.members, func(mon *monitor) bool { return mon.s == s })
}

// add gathers a line: that is its end, behind the time. It does not block.
func (m *monitors) add(rest []byte) {
	m.gathering.Lock()
	m.lines = append(appendTime(m.lines), rest...)
	m.gathering.Unlock()
	m.rouse()
}

// addBut tells all but one at once, and returns the line for that one.
func (m *monitors) addBut(s *session, rest []byte) (line []byte) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.tellLocked()
	line = append(appendTime(nil), rest...)
	m.sayLocked(line, s)
	return line
}

func appendTime(b []byte) []byte {
	now := time.Now().UnixMicro()
	b = strconv.AppendInt(append(b, '+'), now/1e6, 10)
	b = append(b, '.')
	fraction := strconv.AppendInt(make([]byte, 0, 8), 1e6+now%1e6, 10)
	return append(b, fraction[1:]...)
}

func (m *monitors) rouse() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// tellLoop hands out lines until nobody is left to hear them.
func (m *monitors) tellLoop(srv *Server) {
	defer srv.ending.Done()
	for m.tell() {
		<-m.wake
	}
}

// tell hands out what has gathered; false if there is nobody.
func (m *monitors) tell() bool {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.tellLocked()
	m.looping = len(m.members) > 0
	return m.looping
}

func (m *monitors) tellLocked() {
	m.gathering.Lock()
	lines := m.lines
	m.lines = m.spare[:0]
	m.spare = nil
	m.gathering.Unlock()
	if len(lines) > 0 {
		m.sayLocked(lines, nil)
	}
	if cap(lines) <= maxSpareLines {
		m.gathering.Lock()
		m.spare = lines[:0]
		m.gathering.Unlock()
	}
}

// sayLocked sends lines to all but one.
func (m *monitors) sayLocked(lines []byte, but *session) {
	for _, mon := range m.members {
		switch {
		case mon.s == but || mon.deaf:
		case !mon.begun:
			mon.early = append(mon.early, lines...)
		default:
			mon.s.pipe.Push(lines)
		}
	}
}
