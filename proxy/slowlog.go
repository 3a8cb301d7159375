package proxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// slowRequest is an entry of the slow log.
type slowRequest struct {
	id     int64
	at     time.Time     // when it was answered
	total  time.Duration // since its bytes arrived
	atNode time.Duration // how much of it the node had the request
	node   string        // of several, the slowest; "" if none had it, or the command ran alone
	parts  int           // 0 if the command ran alone; see session.alone
	args   [][]byte
	addr   string // the client's
	name   string
}

// slowLog remembers the last requests that took long. It is safe for concurrent
// use.
type slowLog struct {
	mu sync.Mutex
	// Guarded by mu.
	entries []slowRequest // the oldest first
	next    int64         // id
	limit   int
	begun   int64 // of the present second, by backend.Now
	room    int   // entries that may still come in it
}

// slowPerSecond is how many entries the log takes in a second. When everything
// is slow, writing it all down would make it slower; the entries are those that
// come first.
const slowPerSecond = 1000

// admit reports whether the log takes another entry now.
func (l *slowLog) admit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := backend.Now(); l.begun == 0 || now-l.begun > int64(time.Second) {
		l.begun, l.room = now, slowPerSecond
	}
	l.room--
	return l.room >= 0
}

// add takes an entry and gives it its id.
func (l *slowLog) add(r slowRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.id = l.next
	l.next++
	l.entries = append(l.entries, r)
	l.trimLocked()
	if glog.V(1) {
		go r.log() // a log that cannot be written must not hold up a lane
	}
}

func (l *slowLog) trimLocked() {
	if over := len(l.entries) - l.limit; over > 0 {
		clear(l.entries[:over])
		l.entries = l.entries[over:]
	}
}

// log writes the entry to the log.
func (r *slowRequest) log() {
	args := make([]string, len(r.args))
	for i, a := range r.args {
		args[i] = fmt.Sprintf("%q", a)
	}
	glog.Infof("slow request of client %s: %v, %v of it at node %q (parts: %d): %s", r.addr, r.total, r.atNode, r.node, r.parts, strings.Join(args, " "))
}

// resize makes limit the largest number of entries.
func (l *slowLog) resize(limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
	l.trimLocked()
}

// reset forgets all entries. The ids go on.
func (l *slowLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}

// len returns the number of entries.
func (l *slowLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// latest returns the last n entries, the newest first; all if n is negative.
func (l *slowLog) latest(n int) []slowRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n > len(l.entries) {
		n = len(l.entries)
	}
	list := slices.Clone(l.entries[len(l.entries)-n:])
	slices.Reverse(list)
	return list
}

// slowArgs is how many arguments an entry keeps, and slowArgBytes how much of
// each, as SLOWLOG_ENTRY_MAX_ARGC and _STRING of Redis.
const (
	slowArgs     = 32
	slowArgBytes = 128
)

// rememberedArgs copies arguments for the slow log, of which args are the first
// ones and count is the number, with Redis's texts for what is left out.
func rememberedArgs(row *command.Row, args [][]byte, count int) [][]byte {
	kept := make([][]byte, 0, min(len(args), slowArgs))
	for i, arg := range args[:min(len(args), slowArgs)] {
		switch {
		case i == slowArgs-1 && count > slowArgs:
			kept = append(kept, fmt.Appendf(nil, "... (%d more arguments)", count-slowArgs+1))
		case secret(row, args, i):
			kept = append(kept, []byte("(redacted)"))
		case len(arg) > slowArgBytes:
			kept = append(kept, fmt.Appendf(bytes.Clone(arg[:slowArgBytes]), "... (%d more bytes)", len(arg)-slowArgBytes))
		default:
			kept = append(kept, bytes.Clone(arg))
		}
	}
	return kept
}

// secretSettings are the servers' settings whose values nobody is to read.
var secretSettings = []string{"requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"}

// secret reports whether an argument may be, or hold, a password.
func secret(row *command.Row, args [][]byte, i int) bool {
	switch row.Name {
	case "auth":
		return i >= 1
	case "hello":
		return i > 2 && (is(args[i-1], "AUTH") || is(args[i-2], "AUTH"))
	case "acl|setuser":
		return i >= 2
	case "config|set":
		return i >= 3 && i%2 == 1 && slices.ContainsFunc(secretSettings, func(name string) bool { return is(args[i-1], name) })
	case "migrate":
		return i > 6 && (is(args[i-1], "AUTH") || is(args[i-1], "AUTH2") || is(args[i-2], "AUTH2"))
	}
	return false
}
