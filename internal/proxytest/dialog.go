package proxytest

import (
	"errors"
	"io"
	"testing"

	"redis-cluster-proxy/resp"
)

// Dialog is a Client for the test's own goroutine: what goes wrong with the connection ends the test.
type Dialog struct {
	*Client

	tb testing.TB
}

// Connect connects for the length of the test.
func Connect(tb testing.TB, addr string) *Dialog {
	tb.Helper()
	c, err := Dial(addr)
	if err != nil {
		tb.Fatalf("proxytest: %v", err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return &Dialog{Client: c, tb: tb}
}

// Say sends bytes as they are.
func (d *Dialog) Say(input string) {
	d.tb.Helper()
	if err := d.Send([]byte(input)); err != nil {
		d.tb.Fatalf("sending %d bytes to %s: %v", len(input), d.nc.RemoteAddr(), err)
	}
}

// Hear returns the bytes of the next reply.
func (d *Dialog) Hear() string {
	d.tb.Helper()
	raw, err := d.ReadRaw()
	if err != nil {
		d.tb.Fatalf("reading a reply of %s: %v", d.nc.RemoteAddr(), err)
	}
	return string(raw)
}

// Ask sends bytes and returns the bytes of the next reply.
func (d *Dialog) Ask(input string) string {
	d.tb.Helper()
	d.Say(input)
	return d.Hear()
}

// Do sends one command and returns its reply, which may be an error reply.
func (d *Dialog) Do(args ...string) resp.Value {
	d.tb.Helper()
	v, err := d.Client.Do(args...)
	if err != nil {
		d.tb.Fatalf("%.200q to %s: %v", args, d.nc.RemoteAddr(), err)
	}
	return v
}

// Rest returns everything until the peer closes.
func (d *Dialog) Rest() string {
	d.tb.Helper()
	rest, err := d.ReadRest()
	if err != nil {
		d.tb.Fatalf("reading to the end from %s: %v, after %.200q", d.nc.RemoteAddr(), err, rest)
	}
	return string(rest)
}

// WantClosed ends the test unless the peer has closed, or does so, without another byte. RST counts as closed.
func (d *Dialog) WantClosed() {
	d.tb.Helper()
	raw, err := d.ReadRaw()
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		d.tb.Fatalf("%s said %.200q, want it to close", d.nc.RemoteAddr(), raw)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &timeout) && timeout.Timeout():
		d.tb.Fatalf("%s did not close: %v", d.nc.RemoteAddr(), err)
	}
}
