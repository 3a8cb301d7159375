package proxy

import (
	"net"
	"strings"
	"syscall"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// badge is what other sessions can see of a session, besides what its Pipeline
// knows: what its client told, and what it is at. CLIENT LIST, CLIENT KILL and INFO
// read it.
type badge struct {
	name    string
	libName string
	libVer  string
	noEvict bool

	capaRedirect bool // by CLIENT CAPA

	held    *command.Row // the command that CLIENT PAUSE holds back; nil: none
	blocked bool         // in a command that waits for something to happen; set by badgeNow
	watches bool         // by MONITOR

	channels, patterns, shardChannels int // that it is subscribed to

	tracking      bool
	trackingBcast bool
	redirect      int64 // the client that is told of invalidations; 0: this one
	redirectGone  bool
}

// subscribed reports whether the client gets messages.
func (b *badge) subscribed() bool { return b.channels+b.patterns+b.shardChannels > 0 }

// capa are the letters of what CLIENT CAPA told.
func (b *badge) capa() string {
	if b.capaRedirect {
		return "r"
	}
	return ""
}

// waits reports whether the client waits, as Redis sees it.
func (b *badge) waits() bool { return b.held != nil || b.blocked }

// kind is the type of client, as CLIENT LIST and the output limits have it. A
// monitor is a normal client.
func (b *badge) kind() string {
	if b.subscribed() {
		return "pubsub"
	}
	return "normal"
}

// show changes the session's badge. Only readLoop does, which therefore reads
// it without the lock, or what runs beside the session while that waits.
func (s *session) show(change func(*badge)) {
	s.badgeMu.Lock()
	defer s.badgeMu.Unlock()
	change(&s.badge)
}

// badgeNow returns the badge, to anybody.
func (s *session) badgeNow() badge {
	s.badgeMu.Lock()
	defer s.badgeMu.Unlock()
	b := s.badge
	b.blocked = s.blocked.Load().waits()
	return b
}

// portrait is a session at one moment.
type portrait struct {
	id          uint64
	addr, laddr string
	unix        bool
	fd          int
	age, idle   time.Duration
	badge       badge
	queued      int32 // commands since MULTI; -1: not in MULTI
	queuedBytes int64 // of them
	watched     int32 // keys
	argBytes    int   // of the command at hand
	activity    dispatcher.Activity
	user        string
	cmd         string
	unwritten   int64 // bytes of replies that the client has not taken
	written     int64 // bytes that it has
}

// portray takes a portrait, from any goroutine.
func (s *session) portray() portrait {
	p := s.outline()
	s.pipe.Inspect(func(a dispatcher.Activity) {
		p.activity = a
		p.unwritten = s.committed
	})
	p.badge = s.badgeNow()
	p.queued, p.queuedBytes, p.watched = s.queued.Load(), s.queuedBytes.Load(), s.watched.Load()
	p.written = s.conn.Written()
	p.unwritten = max(p.unwritten-p.written, 0)
	p.idle = p.age
	if at := p.activity.Arrived; at != 0 {
		p.idle = time.Duration(backend.Now() - at)
	}
	p.user = userName(p.activity.Profile)
	p.cmd = "NULL"
	switch {
	case p.badge.held != nil:
		p.cmd = p.badge.held.Name
	case p.activity.Last != nil:
		p.cmd = p.activity.Last.Name
	}
	p.fd = descriptor(s.conn.NetConn())
	return p
}

// moment is what only a session's reader knows of the command at hand.
type moment struct {
	row      *command.Row
	intake   dispatcher.Intake
	argBytes int
}

// now returns the moment at which the session handles a command, to its reader.
func (s *session) now(row *command.Row, cmd *resp.Command) moment {
	m := moment{row: row, intake: dispatcher.Intake{Arrived: backend.Now(), Bytes: s.taken, Unread: s.in.Len()}}
	for _, arg := range cmd.Args {
		m.argBytes += len(arg)
	}
	return m
}

// portrayAt is portray of the session that handles a command at the moment.
func (s *session) portrayAt(m moment) portrait {
	p := s.portray()
	p.idle, p.cmd, p.activity.Intake, p.argBytes = 0, m.row.Name, m.intake, m.argBytes
	return p
}

// outline is the part of a portrait that never changes, and the age.
func (s *session) outline() portrait {
	nc := s.conn.NetConn()
	p := portrait{id: s.id, age: time.Since(s.born)}
	p.addr, p.laddr = nc.RemoteAddr().String(), nc.LocalAddr().String()
	if nc.LocalAddr().Network() == "unix" { // Redis tells the socket's path on both sides
		p.unix = true
		p.laddr += ":0"
		p.addr = p.laddr
	}
	return p
}

// userName returns the user that the session acts as.
func (s *session) userName() (name string) {
	s.pipe.Inspect(func(a dispatcher.Activity) { name = userName(a.Profile) })
	return name
}

// flags are the letters of CLIENT LIST, in Redis's order.
func (p *portrait) flags() string {
	var b strings.Builder
	for _, f := range []struct {
		letter byte
		set    bool
	}{
		{'O', p.badge.watches},
		{'P', p.badge.subscribed()},
		{'x', p.queued >= 0},
		{'b', p.badge.waits()},
		{'t', p.badge.tracking},
		{'R', p.badge.redirectGone},
		{'B', p.badge.trackingBcast},
		{'U', p.unix},
		{'e', p.badge.noEvict},
		{'T', p.activity.Profile.NoTouch},
	} {
		if f.set {
			b.WriteByte(f.letter)
		}
	}
	if b.Len() == 0 {
		return "N"
	}
	return b.String()
}

func userName(p backend.Profile) string {
	if p.User == "" {
		return "default"
	}
	return p.User
}

// descriptor returns the number of a connection's socket, -1 if it has none any
// more.
func descriptor(nc net.Conn) int {
	fd := -1
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(n uintptr) { fd = int(n) }) // closed meanwhile: -1
		}
	}
	return fd
}
