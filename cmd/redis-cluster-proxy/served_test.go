package main

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// serveRooms runs the proxy, without its operator's pages, in front of c until the test ends, with args on its command
// line. It returns when the topology is known.
func serveRooms(t *testing.T, c *redistest.FakeCluster, args ...string) *rooms {
	t.Helper()
	opts, err := parse(append([]string{"-addr", "127.0.0.1:0", "-startup-nodes", c.Addrs()[0]}, args...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRooms(opts, 2)
	if err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	result := make(chan error, 1)
	go serveInto(result, signals, r.services())
	t.Cleanup(func() {
		signals <- syscall.SIGTERM
		if err := <-result; err != nil {
			t.Errorf("serveUntil = %v", err)
		}
	})
	select {
	case <-r.watcher.Ready():
	case <-time.After(patience):
		t.Fatal("the topology was not loaded")
	}
	return r
}

func serveInto(result chan<- error, signals <-chan os.Signal, services []service) {
	result <- serveUntil(signals, patience, services)
}

// eventually calls check until it returns nil, and fails the test with its last error when that takes too long.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// client is a program that knows only one Redis.
type client struct {
	t   *testing.T
	nc  net.Conn
	buf []byte
}

func connect(t *testing.T, r *rooms) *client {
	t.Helper()
	nc, err := net.Dial("tcp", r.listeners[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, nc: nc}
}

func (c *client) send(wire []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(wire); err != nil {
		c.t.Fatal(err)
	}
}

// receive returns the next reply.
func (c *client) receive() (resp.Value, error) {
	var part [4096]byte
	for {
		v, n, err := resp.ReadValue(c.buf)
		if err != nil {
			return v, err
		}
		if n > 0 {
			c.buf = c.buf[n:]
			return v, nil
		}
		n, err = c.nc.Read(part[:])
		if err != nil {
			return v, err
		}
		c.buf = append(c.buf, part[:n]...)
	}
}

// do sends a command and returns its reply.
func (c *client) do(args ...string) resp.Value {
	c.t.Helper()
	c.send(resp.AppendCommand(nil, args...))
	v, err := c.receive()
	if err != nil {
		c.t.Fatalf("%q: %v", args, err)
	}
	return v
}

// closed waits until the proxy has ended the connection and skips what it sent before.
func (c *client) closed() {
	c.t.Helper()
	var part [64 << 10]byte
	for {
		if _, err := c.nc.Read(part[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatal("the connection was not closed")
		} else if err != nil {
			return
		}
	}
}
