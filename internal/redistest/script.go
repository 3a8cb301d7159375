package redistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Script is what a scripted node does.
type Script struct {
	// Conns are the conversations, one per connection, in the order in which connections begin one: when they are accepted
	// or, with an Aside, at their first command that is not answered aside. Further connections are closed at once. When
	// its steps are done, a connection stays open, but a further command on it is an error.
	Conns [][]Step

	// Aside answers commands that are no part of any conversation, e.g. handshakes and questions about the topology. It
	// returns the raw reply and whether the command is one of those. It must be safe for concurrent use. nil: none are.
	Aside func(args []string) (reply string, ok bool)
}

// Conversation is a script of one connection whose handshake is answered aside.
func Conversation(steps ...Step) Script {
	return Script{Conns: [][]Step{steps}, Aside: Handshake}
}

// Handshake is an Aside that answers what a proxy sends before the first command proper: AUTH, SELECT, READONLY, READWRITE
// and CLIENT SETNAME or SETINFO with +OK, HELLO with an empty map.
func Handshake(args []string) (reply string, ok bool) {
	switch strings.ToLower(args[0]) {
	case "hello":
		if len(args) > 1 && args[1] == "3" {
			return "%0\r\n", true
		}
		return "*0\r\n", true
	case "auth", "select", "readonly", "readwrite":
		return "+OK\r\n", true
	case "client":
		set := len(args) > 1 && strings.HasPrefix(strings.ToLower(args[1]), "set")
		return "+OK\r\n", set
	}
	return "", false
}

// ScriptNode is a node that follows a Script. Its methods are safe for concurrent use.
type ScriptNode struct {
	// Addr is where it listens. Set at construction.
	Addr string

	// Set at construction.
	script   Script
	listener net.Listener
	done     chan struct{} // closed by Close
	ended    chan struct{} // closed when all conversations are over
	wait     sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	begun  int // conversations
	over   int
	errs   []error
	conns  map[net.Conn]bool
	closed bool
}

// LaunchScript starts a scripted node on a free port of 127.0.0.1. The caller closes it.
func LaunchScript(s Script) (*ScriptNode, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &ScriptNode{
		Addr: l.Addr().String(), script: s, listener: l,
		done: make(chan struct{}), ended: make(chan struct{}), conns: map[net.Conn]bool{},
	}
	if len(s.Conns) == 0 {
		close(n.ended)
	}
	n.wait.Add(1)
	go n.acceptLoop()
	return n, nil
}

// Wait waits until all conversations are over and returns what went wrong in them.
func (n *ScriptNode) Wait(ctx context.Context) error {
	select {
	case <-n.ended:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), n.err())
	}
	return n.err()
}

func (n *ScriptNode) err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return errors.Join(n.errs...)
}

// Close closes all connections, waits for what they run and returns what went wrong, also that a conversation was not
// begun or not finished. It may be called twice.
func (n *ScriptNode) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	if left := len(n.script.Conns) - n.begun; left > 0 {
		n.errs = append(n.errs, fmt.Errorf("%d of %d conversations were never begun", left, len(n.script.Conns)))
	}
	n.listener.Close()
	close(n.done)
	for conn := range n.conns {
		conn.Close()
	}
	n.mu.Unlock()
	n.wait.Wait()
	return n.err()
}

func (n *ScriptNode) acceptLoop() {
	defer n.wait.Done()
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		if n.closed {
			n.mu.Unlock()
			conn.Close()
			return
		}
		n.conns[conn] = true
		n.wait.Add(1)
		n.mu.Unlock()
		c := &scriptConn{node: n, conn: conn}
		if n.script.Aside == nil { // here, or two that come together could begin in the wrong order
			c.claim()
		}
		go c.serve()
	}
}

// claim gives c the next conversation, if there is one left.
func (c *scriptConn) claim() {
	n := c.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.begun == len(n.script.Conns) || n.closed {
		return
	}
	c.steps = n.script.Conns[n.begun]
	n.begun++
	c.number = n.begun
}

// finish takes down how a conversation ended.
func (n *ScriptNode) finish(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.errs = append(n.errs, err)
	}
	if n.over++; n.over == len(n.script.Conns) {
		close(n.ended)
	}
}

// complain takes down what went wrong after a conversation.
func (n *ScriptNode) complain(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.errs = append(n.errs, err)
}

// scriptConn is one connection of a scripted node. Owned by serve, once that is running.
type scriptConn struct {
	node   *ScriptNode
	conn   net.Conn
	steps  []Step
	number int // of the conversation; 0: it has none
	buf    []byte
}

func (c *scriptConn) serve() {
	defer c.node.wait.Done()
	defer c.forget()
	if c.node.script.Aside != nil {
		if _, err := c.peekCommand(time.Time{}); err != nil {
			return // it came for answers aside only
		}
		c.claim()
	}
	if c.number == 0 {
		return
	}
	for i, step := range c.steps {
		err := step.run(c)
		if errors.Is(err, errClosedByScript) {
			c.forget()
			c.node.finish(nil)
			return
		}
		if err != nil {
			c.forget()
			c.node.finish(fmt.Errorf("connection %d, step %d (%s): %w", c.number, i+1, step.name, err))
			return
		}
	}
	c.node.finish(nil)
	if args, err := c.peekCommand(time.Time{}); err == nil {
		c.node.complain(fmt.Errorf("connection %d: after the last step came %q", c.number, args))
	}
}

func (c *scriptConn) forget() {
	c.conn.Close()
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	delete(c.node.conns, c.conn)
}

// readCommand takes the next command that is not answered aside.
func (c *scriptConn) readCommand() ([]string, error) {
	args, err := c.peekCommand(time.Now().Add(stepTimeout))
	if err != nil {
		return nil, err
	}
	_, n, err := cutCommand(c.buf)
	c.buf = c.buf[n:]
	return args, err
}

// peekCommand waits for the next command, answers it aside if it is one of those, and else leaves it in the buffer.
func (c *scriptConn) peekCommand(deadline time.Time) ([]string, error) {
	for {
		args, n, err := cutCommand(c.buf)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if err := c.fill(deadline); err != nil {
				return nil, err
			}
			continue
		}
		if len(args) > 0 {
			reply, aside := "", false
			if c.node.script.Aside != nil {
				reply, aside = c.node.script.Aside(args)
			}
			if !aside {
				return args, nil
			}
			if _, err := io.WriteString(c.conn, reply); err != nil {
				return nil, err
			}
		}
		c.buf = c.buf[n:]
	}
}

// readBytes takes the next n bytes, whatever they are.
func (c *scriptConn) readBytes(n int) (string, error) {
	for len(c.buf) < n {
		if err := c.fill(time.Now().Add(stepTimeout)); err != nil {
			return "", err
		}
	}
	got := string(c.buf[:n])
	c.buf = c.buf[n:]
	return got, nil
}

func (c *scriptConn) fill(deadline time.Time) error {
	if err := c.conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	chunk := make([]byte, 16<<10)
	n, err := c.conn.Read(chunk)
	c.buf = append(c.buf, chunk[:n]...)
	if n > 0 {
		return nil
	}
	return err
}
