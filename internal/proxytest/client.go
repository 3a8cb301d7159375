package proxytest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"redis-cluster-proxy/resp"
)

// Patience is how long a Client waits for a reply, or for room to send, unless it is told otherwise. It is for the slowest
// machine: no test waits for it unless something is wrong.
const Patience = 30 * time.Second

// Client is a connection to anything that speaks Redis. It sends what it is told to and reads one reply at a time. One
// goroutine may send while another one reads; otherwise it is not safe for concurrent use.
type Client struct {
	// Set at construction.
	nc net.Conn

	// Owned by the sender.
	sendPatience time.Duration

	// Owned by the reader.
	readPatience time.Duration
	buf          []byte // what was read
	from         int    // where in buf the next reply begins
	scanner      resp.ReplyScanner
}

// Dial connects to host:port, or to unix:/path. The caller closes the Client.
func Dial(addr string) (*Client, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	nc, err := net.DialTimeout(network, addr, Patience)
	if err != nil {
		return nil, err
	}
	return &Client{nc: nc, sendPatience: Patience, readPatience: Patience}, nil
}

// SetPatience sets how long to wait from now on.
func (c *Client) SetPatience(d time.Duration) { c.sendPatience, c.readPatience = d, d }

// NetConn returns the connection, for its addresses and options.
func (c *Client) NetConn() net.Conn { return c.nc }

// Close closes the connection.
func (c *Client) Close() error { return c.nc.Close() }

// CloseWrite says that no more will be sent (FIN). Replies can still be read.
func (c *Client) CloseWrite() error { return c.nc.(*net.TCPConn).CloseWrite() }

// Reset closes the connection at once, as the crash of a client would: the peer gets RST.
func (c *Client) Reset() error {
	if err := c.nc.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return c.nc.Close()
}

// sendAtOnce is how much is sent within the patience: a long pipeline, which a slow machine takes a minute for, has that much
// more of it.
const sendAtOnce = 64 << 10

// Send sends bytes as they are.
func (c *Client) Send(b []byte) error {
	for {
		some := b[:min(len(b), sendAtOnce)]
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.sendPatience)); err != nil {
			return err
		}
		if _, err := c.nc.Write(some); err != nil || len(some) == len(b) {
			return err
		}
		b = b[len(some):]
	}
}

// SendCommand sends one command.
func (c *Client) SendCommand(args ...string) error {
	return c.Send(resp.AppendCommand(nil, args...))
}

// ReadRaw returns the bytes of the next reply, valid until the next call. It returns io.EOF when the peer has closed behind
// a whole reply, and io.ErrUnexpectedEOF within one.
func (c *Client) ReadRaw() ([]byte, error) {
	for {
		n, err := c.scanner.Next(c.buf[c.from:])
		if err != nil {
			return nil, fmt.Errorf("%w in %q", err, clip(c.buf[c.from:]))
		}
		if n > 0 {
			reply := c.buf[c.from : c.from+n]
			c.from += n
			return reply, nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads once.
func (c *Client) fill() error {
	have := len(c.buf) - c.from
	if need := max(c.scanner.Need(), have+16<<10); cap(c.buf)-c.from < need {
		grown := make([]byte, have, max(need, 2*have))
		copy(grown, c.buf[c.from:])
		c.buf, c.from = grown, 0
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(c.readPatience)); err != nil {
		return err
	}
	n, err := c.nc.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	switch {
	case n > 0:
		return nil
	case errors.Is(err, io.EOF) && have > 0:
		return fmt.Errorf("%w after %q", io.ErrUnexpectedEOF, clip(c.buf[c.from:]))
	}
	return err
}

// clip is the beginning of b, for messages.
func clip(b []byte) []byte { return b[:min(len(b), 200)] }

// ReadSome returns what has arrived, whole replies or not, and at least one byte, valid until the next call. It is for long
// streams that are compared; a reply that it has begun is not ReadRaw's any more.
func (c *Client) ReadSome() ([]byte, error) {
	if c.from == len(c.buf) {
		c.buf, c.from = c.buf[:0], 0
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	some := c.buf[c.from:]
	c.from = len(c.buf)
	return some, nil
}

// ReadN returns the next n bytes, valid until the next call. It is for replies too long to be held.
func (c *Client) ReadN(n int) ([]byte, error) {
	for len(c.buf)-c.from < n {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	b := c.buf[c.from : c.from+n]
	c.from += n
	return b, nil
}

// Read returns the next reply.
func (c *Client) Read() (resp.Value, error) {
	raw, err := c.ReadRaw()
	if err != nil {
		return resp.Value{}, err
	}
	v, _, err := resp.ReadValue(raw)
	return v, err
}

// Forget gives back the memory of the replies that were read, for a test that counts memory. Nothing unread may be left.
func (c *Client) Forget() {
	if c.from == len(c.buf) {
		c.buf, c.from = nil, 0
	}
}

// Do sends one command and returns its reply. An error reply is no error of Do: its Kind is '-'.
func (c *Client) Do(args ...string) (resp.Value, error) {
	if err := c.SendCommand(args...); err != nil {
		return resp.Value{}, err
	}
	return c.Read()
}

// ReadRest returns everything until the peer closes.
func (c *Client) ReadRest() ([]byte, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(c.readPatience)); err != nil {
		return nil, err
	}
	rest, err := io.ReadAll(c.nc)
	rest = append(c.buf[c.from:len(c.buf):len(c.buf)], rest...)
	c.buf, c.from = nil, 0
	return rest, err
}
