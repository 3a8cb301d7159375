package redistest

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// fakeConn is one client's connection to a fake node.
type fakeConn struct {
	// Set at construction.
	node *FakeNode
	conn net.Conn
	gone chan struct{} // closed by cut
	id   int           // set by admit, before serve

	// Owned by serve.
	out      replies
	name     string
	authed   bool
	readonly bool
	asking   bool
	quit     bool
	db       int
	queue    *transaction   // nil: not in MULTI
	watched  map[string]int // key -> its version at WATCH

	// Guarded by node.cluster.mu.
	isCut bool
}

func newFakeConn(n *FakeNode, conn net.Conn) *fakeConn {
	c := &fakeConn{node: n, conn: conn, gone: make(chan struct{})}
	c.reset()
	return c
}

// reset is the state of a fresh connection.
func (c *fakeConn) reset() {
	c.out.proto, c.name, c.authed = 2, "", c.node.cluster.cfg.Password == ""
	c.readonly, c.asking, c.queue, c.watched, c.db = false, false, nil, nil, 0
}

// cut closes the connection. The cluster's lock is held.
func (c *fakeConn) cut() {
	if !c.isCut {
		c.isCut = true
		close(c.gone)
		c.conn.Close()
		delete(c.node.conns, c)
	}
}

func (c *fakeConn) serve() {
	defer c.node.serving.Done()
	defer c.end()
	var buf []byte
	chunk := make([]byte, 16<<10)
	for !c.quit {
		n, err := c.conn.Read(chunk)
		if n == 0 && err != nil {
			return
		}
		buf = append(buf, chunk[:n]...)
		rest, ok := c.handleAll(buf)
		if !c.flush() || !ok {
			return
		}
		buf = append(buf[:0], rest...)
	}
}

func (c *fakeConn) end() {
	c.node.cluster.mu.Lock()
	defer c.node.cluster.mu.Unlock()
	c.cut()
}

// handleAll executes the complete commands in buf and returns what is left; false if the connection must end.
func (c *fakeConn) handleAll(buf []byte) (rest []byte, ok bool) {
	for !c.quit {
		args, n, err := cutCommand(buf)
		if err != nil {
			c.out.error("ERR Protocol error")
			c.quit = true
			return nil, true
		}
		if n == 0 {
			break
		}
		buf = buf[n:]
		if len(args) > 0 && !c.handle(args) {
			return nil, false
		}
	}
	return buf, true
}

// handle executes one command, or does instead what the node's faults say; false if the connection must end.
func (c *fakeConn) handle(args []string) bool {
	cluster := c.node.cluster
	cluster.mu.Lock()
	paused, intercept := c.node.faults.paused, c.node.faults.intercept
	cluster.mu.Unlock()
	if paused != nil {
		select {
		case <-paused:
		case <-c.gone:
			return false
		}
	}
	var v Verdict
	if intercept != nil {
		v = intercept(Request{c.node, c.id, args})
	}
	if v.CutBefore {
		return false
	}
	cluster.mu.Lock()
	defer cluster.mu.Unlock()
	if c.isCut {
		return false // what a closed connection had sent is not executed any more
	}
	before := len(c.out.buf)
	if v.Error != "" {
		c.abort(strings.ToLower(args[0]))
		c.fail(v.Error)
	} else {
		c.executeLocked(args)
	}
	if v.CutAfter {
		c.out.buf = c.out.buf[:before]
	}
	return !v.CutAfter
}

// fail answers an error.
func (c *fakeConn) fail(text string) {
	code, _, _ := strings.Cut(text, " ")
	c.node.errors[code]++
	c.out.error(text)
}

// executeLocked does what Redis does with a command between its arrival and its execution, in the order of processCommand.
func (c *fakeConn) executeLocked(args []string) {
	name := strings.ToLower(args[0])
	defer c.forgetAsking(name)
	cmd, err := c.node.cluster.lookup(name, args)
	if err == "" && !c.authed && !cmd.has("no_auth") {
		err = "NOAUTH Authentication required."
	}
	if err == "" {
		err = c.refusalLocked(cmd, args)
	}
	if err != "" {
		c.abort(name)
		c.fail(err)
		return
	}
	if c.queue != nil && !cmd.has("ends_multi") {
		c.queue.add(cmd, args)
		c.out.simple("QUEUED")
		return
	}
	c.callLocked(cmd, args, false)
}

// forgetAsking ends ASKING: it holds for the next command or, if that is MULTI, for the whole transaction.
func (c *fakeConn) forgetAsking(executed string) {
	if c.queue == nil && executed != "asking" {
		c.asking = false
	}
}

// refusalLocked returns the error with which the node answers a command that it does not execute: an error that it was told
// to give, a redirect, or that it cannot serve.
func (c *fakeConn) refusalLocked(cmd *fakeCommand, args []string) string {
	calls := []call{{cmd, args}}
	if cmd.name == "exec" && c.queue != nil {
		if c.queue.aborted {
			return "" // EXEC says so itself
		}
		calls = c.queue.calls
	}
	keys, readonly := keysOf(calls)
	n := c.node
	if len(keys) == 0 {
		if !readonly && cmd.has("write") && n.topologyLocked().primaryOf[n] != nil {
			return ErrorReadonly
		}
		return ""
	}
	if len(n.faults.fails) > 0 {
		text := n.faults.fails[0]
		n.faults.fails = n.faults.fails[1:]
		return text
	}
	if text := n.redirectLocked(keys, c.asking, c.readonly && readonly); text != "" {
		return text
	}
	return n.faults.refuse
}

// callLocked executes one command and records it.
func (c *fakeConn) callLocked(cmd *fakeCommand, args []string, tx bool) {
	keys := cmd.keys(args)
	c.node.executed[cmd.name]++
	if len(keys) > 0 {
		c.node.executed[""]++
	}
	if cmd.has("write") {
		c.node.cluster.log = append(c.node.cluster.log, Execution{c.node, c.id, args, keys, tx, c.db})
	}
	cmd.run(c, args)
}

// flush sends the replies, as far as the node's faults let it; false if the connection must end.
func (c *fakeConn) flush() bool {
	if len(c.out.buf) == 0 {
		return true
	}
	cluster := c.node.cluster
	cluster.mu.Lock()
	held, delay := c.node.faults.held, c.node.faults.delay
	cluster.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-c.gone:
			return false
		}
	}
	if delay > 0 && !c.wait(delay) {
		return false
	}
	send := c.out.buf
	c.out.buf = nil
	cluster.mu.Lock()
	last := false
	if f := &c.node.faults; f.cutAfter >= 0 {
		if last = len(send) > f.cutAfter; last {
			send, f.cutAfter = send[:f.cutAfter], -1
		} else {
			f.cutAfter -= len(send)
		}
	}
	cluster.mu.Unlock()
	_, err := c.conn.Write(send)
	return err == nil && !last
}

// wait lets d pass; false if the connection was cut meanwhile.
func (c *fakeConn) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.gone:
		return false
	}
}

// lookup finds a command and checks its arity.
func (c *FakeCluster) lookup(name string, args []string) (cmd *fakeCommand, err string) {
	cmd = c.table[name]
	if cmd == nil {
		var quoted strings.Builder
		for _, arg := range args[1:] {
			fmt.Fprintf(&quoted, "'%s' ", arg)
		}
		return nil, fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", args[0], &quoted)
	}
	if cmd.arity > 0 && len(args) != cmd.arity || len(args) < -cmd.arity {
		return nil, fmt.Sprintf("ERR wrong number of arguments for '%s' command", name)
	}
	return cmd, ""
}
