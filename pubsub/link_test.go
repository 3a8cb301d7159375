package pubsub

import (
	"fmt"
	"strings"
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// link is a connection to a node.
type link struct {
	c      *cluster
	addr   string
	holder backend.StreamHolder
	wake   chan struct{}
	some   chan struct{} // holds a token when something happens

	mu sync.Mutex
	// Guarded by mu.
	in   []func() // what happens, one after the other; however much: it must hold nobody up
	over bool

	// Guarded by cluster.mu.
	unread []byte
	subs   map[string]bool // "subscribe name"
	closed bool
	mute   bool // it says nothing any more
}

// serve does what happens until the connection ends.
func (l *link) serve() {
	for f := l.next(); f != nil; f = l.next() {
		f()
		if l.holder.Caught() {
			<-l.wake
		}
	}
	l.holder.Ended(backend.ErrClosed)
}

// next waits for what happens next; nil: nothing more will.
func (l *link) next() (f func()) {
	for {
		l.mu.Lock()
		over := l.over
		if len(l.in) > 0 {
			f, l.in = l.in[0], l.in[1:]
		}
		l.mu.Unlock()
		if f != nil || over {
			return f
		}
		<-l.some
	}
}

// happen has f called behind all else, or says with nil that it is over.
func (l *link) happen(f func()) {
	l.mu.Lock()
	if f == nil {
		l.over = true
	} else {
		l.in = append(l.in, f)
	}
	l.mu.Unlock()
	select {
	case l.some <- struct{}{}:
	default:
	}
}

func (l *link) Resume() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) Close() {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.closeLocked()
}

// Lose is Close: the tests do not tell them apart.
func (l *link) Lose(error) { l.Close() }

func (l *link) closeLocked() {
	if !l.closed {
		l.closed = true
		delete(l.c.links, l)
		l.happen(nil)
	}
}

func (l *link) Send(wire []byte) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.unread = append(l.unread, wire...)
}

// Flush has the node answer what was sent.
func (l *link) Flush() {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	for len(l.unread) > 0 && !l.closed {
		v, n, err := resp.ReadValue(l.unread)
		if err != nil || n == 0 {
			panic(fmt.Sprintf("sent %q: %v", l.unread, err))
		}
		l.unread = l.unread[n:]
		l.answer(v)
	}
}

func (l *link) answer(v resp.Value) {
	word := strings.ToLower(v.Elems[0].Str)
	if word == "hello" {
		l.c.fences++
		l.say([]byte("%1\r\n+proto\r\n:3\r\n"))
		return
	}
	name := v.Elems[1].Str
	l.c.asked = append(l.c.asked, l.addr+" "+word+" "+name)
	text := l.c.refuses[name]
	if owner := l.c.owners[name[0]]; word == "ssubscribe" && owner != l.addr {
		text = fmt.Sprintf("MOVED %d %s", name[0], owner)
	}
	if sub, un := strings.CutSuffix(word, "unsubscribe"); un {
		delete(l.subs, sub+"subscribe "+name)
	} else if text != "" {
		l.say(resp.AppendError(nil, text))
		return
	} else {
		l.subs[word+" "+name] = true
	}
	l.push(word, name)
}

func (l *link) push(word, name string) {
	b := resp.AppendPushHeader(nil, resp.RESP3, 3)
	b = resp.AppendBulkString(resp.AppendBulkString(b, word), name)
	l.say(resp.AppendInt(b, 1))
}

func (l *link) say(reply []byte) {
	if !l.closed && !l.mute {
		l.happen(func() { l.holder.Heard(reply) })
	}
}
