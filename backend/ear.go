package backend

import (
	"context"
	"slices"
	"strconv"
	"sync/atomic"

	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/resp"
)

// ear is the second connection of a private lane that speaks RESP2. The node sends
// to it what it could not send to the lane: the greeting has its id as REDIRECT.
// It speaks RESP3, and after the handshake nothing but a sign of life is asked for
// over it. A nil ear is that of a lane that needs none.
type ear struct {
	// Set at construction.
	runner *TaskRunner
	conn   *netio.Conn
	id     int64 // of the connection, at the node

	ended  atomic.Bool // read under the runner's lock by start, which links both
	lively atomic.Bool // something was heard since the last look; see pulse.go

	// Owned by listenLoop.
	scanner resp.ReplyScanner
	in      netio.Input
}

// listen makes the runner's ear, if it needs one.
func (r *TaskRunner) listen(ctx context.Context) (*ear, error) {
	if !r.needsEar() {
		return nil, nil
	}
	profile := Profile{User: r.profile.User, Password: r.profile.Password, Proto: resp.RESP3}
	nc, hello, err := r.node.dial(ctx, append(profile.handshake(), []string{"CLIENT", "ID"}))
	if err != nil {
		return nil, err
	}
	e := &ear{runner: r, id: hello.last.Int}
	e.lively.Store(true)
	e.conn = r.node.pool.cfg.Poller.NewConn(nc, e, r.index)
	r.node.pool.running.Add(1)
	go e.listenLoop()
	return e, nil
}

// redirected is a lane's greeting: with the ear's id, if there is an ear.
func (e *ear) redirected(greeting []string) []string {
	if e == nil {
		return greeting
	}
	return append(slices.Clone(greeting), "REDIRECT", strconv.FormatInt(e.id, 10))
}

// listenLoop hears the node until either connection ends.
func (e *ear) listenLoop() { e.conn.Drive(e.finish) }

// finish ends the lane's connection: what the node would say now nobody hears.
func (e *ear) finish(error) {
	defer e.runner.node.pool.running.Done()
	e.ended.Store(true)
	r := e.runner
	r.mu.Lock()
	if r.link != nil && r.link.ear == e {
		r.link.conn.Abort()
	}
	r.mu.Unlock()
	e.conn.Close()
	e.in.Release()
}

func (e *ear) abort() {
	if e != nil {
		e.conn.Abort()
	}
}

// gone reports whether the ear has ended.
func (e *ear) gone() bool { return e != nil && e.ended.Load() }

// ReadBuffer implements netio.Handler.
func (e *ear) ReadBuffer() []byte { return e.in.Room(e.scanner.Need()) }

// Arrived implements netio.Handler.
func (e *ear) Arrived(n int) netio.Action {
	e.in.Filled(n)
	if !e.lively.Load() { // rather than to write for each push
		e.lively.Store(true)
	}
	var touched []Flusher
	defer func() {
		for _, f := range touched {
			f.Flush()
		}
	}()
	for e.in.Len() > 0 {
		size, err := e.scanner.Next(e.in.Bytes())
		if err != nil {
			return netio.Stop // malformed
		}
		if size == 0 {
			break
		}
		if push := e.in.Bytes()[:size:size]; push[0] == '>' {
			if f := e.runner.private.pushed(push); f != nil {
				touched = append(touched, f)
			}
		}
		e.in.Consume(size)
	}
	return netio.Continue
}

// Settle implements netio.Handler; an ear writes nothing.
func (e *ear) Settle() {}

// Quiet implements netio.Handler.
func (e *ear) Quiet() { e.in.Rest() }

// Resumed implements netio.Handler; an ear never pauses.
func (e *ear) Resumed() netio.Action { return netio.Continue }
