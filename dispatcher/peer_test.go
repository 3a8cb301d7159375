package dispatcher

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/resp"
)

// peer is a node that does what a transcript says: it takes down the commands that come and answers when it is told to.
type peer struct {
	// Set at construction.
	name    string
	addr    string
	heard   func(p *peer, args []string) // a command has come
	serving sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	listener net.Listener // nil: does not listen
	conns    map[net.Conn]bool
	asked    []question // not answered yet
	always   string     // answers everything, if not empty
}

// question is a command that awaits its reply.
type question struct {
	nc     net.Conn
	asking bool // or CLIENT CACHING: what comes behind it is the command
}

func newPeer(t testing.TB, name string, heard func(*peer, []string)) *peer {
	p := &peer{name: name, heard: heard, conns: map[net.Conn]bool{}}
	p.listen(t, "127.0.0.1:0")
	p.addr = p.listener.Addr().String()
	t.Cleanup(func() {
		p.stop()
		p.serving.Wait()
	})
	return p
}

func (p *peer) listen(t testing.TB, addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = ln
	p.mu.Unlock()
	p.serving.Go(func() { p.accept(ln) })
}

// stop closes the port and all connections.
func (p *peer) stop() {
	p.mu.Lock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.cut()
}

// cut closes all connections.
func (p *peer) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for nc := range p.conns {
		nc.Close()
		delete(p.conns, nc)
	}
	p.asked = nil
}

func (p *peer) accept(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.listener != ln {
			p.mu.Unlock()
			nc.Close()
			return
		}
		p.conns[nc] = true
		p.mu.Unlock()
		p.serving.Go(func() { p.serve(nc) })
	}
}

func (p *peer) serve(nc net.Conn) {
	var parser resp.CommandParser
	var buf []byte
	part := make([]byte, 4<<10)
	for {
		n, err := nc.Read(part)
		if err != nil {
			p.forget(nc)
			return
		}
		buf = append(buf, part[:n]...)
		for {
			cmd, n, err := parser.Next(buf)
			if err != nil || n == 0 {
				break
			}
			var args []string
			for _, a := range cmd.Args {
				args = append(args, string(a))
			}
			p.hear(nc, args)
			buf = buf[n:]
		}
	}
}

// forget drops a connection that has ended, and what was asked over it.
func (p *peer) forget(nc net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	nc.Close()
	delete(p.conns, nc)
	p.asked = slices.DeleteFunc(p.asked, func(q question) bool { return q.nc == nc })
}

// forgotten reports whether nobody is connected.
func (p *peer) forgotten() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) == 0
}

// hear takes a command down. Those of a connection's handshake are answered at once.
func (p *peer) hear(nc net.Conn, args []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.conns[nc]: // cut
	case args[0] == "READONLY", line(args) == "CLIENT TRACKING ON":
		p.heard(p, args)
		nc.Write([]byte("+OK\r\n"))
	case args[0] == "HELLO":
		nc.Write([]byte("%0\r\n"))
	case args[0] == "PING": // whose reply only says that there is a connection
		nc.Write([]byte("+PONG\r\n"))
	case p.always != "":
		nc.Write([]byte(p.always))
	default:
		p.heard(p, args)
		p.asked = append(p.asked, question{nc, args[0] == "ASKING" || args[0] == "CLIENT"})
	}
}

// answer answers the oldest commands, a reply to each.
func (p *peer) answer(replies ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) < len(replies) {
		return fmt.Errorf("%s has %d replies for %d commands", p.name, len(replies), len(p.asked))
	}
	for len(replies) > 0 { // one write for neighbours on one connection
		nc, n := p.asked[0].nc, 1
		for n < len(replies) && p.asked[n].nc == nc {
			n++
		}
		p.asked = p.asked[n:]
		nc.Write([]byte(strings.Join(replies[:n], "")))
		replies = replies[n:]
	}
	return nil
}

// say sends bytes to whoever awaits the oldest reply, which they are no whole one of.
func (p *peer) say(raw string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) == 0 {
		return fmt.Errorf("%s was asked nothing", p.name)
	}
	_, err := p.asked[0].nc.Write([]byte(raw))
	return err
}

// push sends bytes over all connections.
func (p *peer) push(raw string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for nc := range p.conns {
		nc.Write([]byte(raw))
	}
}

// answerAlways makes the node answer everything with reply, also what it was asked before; "" ends that.
func (p *peer) answerAlways(reply string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.always = reply
	if reply != "" {
		for _, q := range p.asked {
			q.nc.Write([]byte(reply))
		}
		p.asked = nil
	}
}

// open returns how many replies the node owes, and how many of those are to ASKING.
func (p *peer) open() (all, asking int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.asked {
		if q.asking {
			asking++
		}
	}
	return len(p.asked), asking
}

// down reports whether nobody can connect.
func (p *peer) down() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listener == nil
}
