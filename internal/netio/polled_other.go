//go:build !linux

package netio

import (
	"errors"
	"net"
)

// Poller exists on Linux only.
type Poller struct{}

// NewPoller fails here.
func NewPoller(int) (*Poller, error) { return nil, errors.New("poller: only on Linux") }

// Close does nothing.
func (p *Poller) Close() {}

// NewConn makes a Conn that is driven by a goroutine of its own.
func (p *Poller) NewConn(nc net.Conn, h Handler, _ uint32) *Conn { return NewConn(nc, h) }

// polled is what a Conn has that a Poller drives, which is never here.
type polled struct {
	loop *loop
	fd   int
}

type loop struct{}

type asks uint8

const (
	askResume asks = iota
	askStop
	askWrite
	askSettle
	askClose
)

func (*loop) ask(*Conn, asks) {}

func (c *Conn) start(func(error)) {}
