package netio

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// transport makes a connected pair; the client's end is closed with the test.
type transport struct {
	name string
	pair func(testing.TB) (server, client net.Conn)
	fast bool // read and written inside RawConn
}

// transports are all kinds of stream that a Conn may be made of.
var transports = []transport{
	{"tcp", tcpPair, fastPath},
	{"unix", unixPair, fastPath},
	{"wrapped", wrappedPair, false},
	{"pipe", pipePair, false},
	{"tls", tlsPair, false},
	{"polled tcp", onPoller(tcpPair), fastPath},
	{"polled unix", onPoller(unixPair), fastPath},
}

// sockets are those with a CloseWrite that loses nothing.
var sockets = slices.Concat(transports[:3], transports[5:])

// forPoller is a net.Conn that newConn gives to a Poller.
type forPoller struct{ net.Conn }

// onPoller makes the server's end of a pair one that a Poller drives.
func onPoller(pair func(testing.TB) (server, client net.Conn)) func(testing.TB) (server, client net.Conn) {
	return func(tb testing.TB) (server, client net.Conn) {
		server, client = pair(tb)
		return forPoller{server}, client
	}
}

// testPoller is shared by all tests; TestMain closes it.
var testPoller = sync.OnceValues(func() (*Poller, error) { return NewPoller(2) })

var lastAffinity atomic.Uint32

// newConn makes the Conn that the transport of nc is meant for.
func newConn(tb testing.TB, nc net.Conn, h Handler) *Conn {
	tb.Helper()
	if p, ok := nc.(forPoller); ok && fastPath {
		poller, err := testPoller()
		must(tb, err)
		c := poller.NewConn(p.Conn, h, lastAffinity.Add(1))
		if c.loop == nil {
			tb.Fatal("the Poller does not drive a socket")
		}
		return c
	}
	return NewConn(nc, h)
}

// fast reports whether c reads and writes without package net.
func fast(c *Conn) bool { return c.raw != nil || c.loop != nil }

// each runs f once per transport.
func each(t *testing.T, list []transport, f func(t *testing.T, tr transport)) {
	for _, tr := range list {
		t.Run(tr.name, func(t *testing.T) { f(t, tr) })
	}
}

func tcpPair(tb testing.TB) (server, client net.Conn) { return dialled(tb, "tcp", "127.0.0.1:0") }

func unixPair(tb testing.TB) (server, client net.Conn) {
	return dialled(tb, "unix", filepath.Join(tb.TempDir(), "s"))
}

func dialled(tb testing.TB, network, addr string) (server, client net.Conn) {
	tb.Helper()
	l, err := net.Listen(network, addr)
	must(tb, err)
	defer l.Close()
	client, err = net.Dial(network, l.Addr().String())
	must(tb, err)
	server, err = l.Accept()
	must(tb, err)
	tb.Cleanup(func() { client.Close() })
	return server, client
}

// wrapper is a net.Conn that is no socket to a Conn.
type wrapper struct{ net.Conn }

func wrappedPair(tb testing.TB) (server, client net.Conn) {
	server, client = tcpPair(tb)
	return wrapper{server}, client
}

func pipePair(tb testing.TB) (server, client net.Conn) {
	server, client = net.Pipe()
	tb.Cleanup(func() { client.Close() })
	return server, client
}

func tlsPair(tb testing.TB) (server, client net.Conn) {
	server, client = tcpPair(tb)
	cfg := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	tlsClient := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	tb.Cleanup(func() { tlsClient.Close() })
	return tls.Server(server, cfg), tlsClient
}

// certificate is one that signed itself.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// narrow makes the socket buffers small, so that little fills them.
func narrow(tb testing.TB, conns ...net.Conn) {
	tb.Helper()
	for _, nc := range conns {
		switch v := nc.(type) {
		case wrapper:
			narrow(tb, v.Conn)
		case forPoller:
			narrow(tb, v.Conn)
		case *tls.Conn:
			narrow(tb, v.NetConn())
		case interface {
			SetReadBuffer(int) error
			SetWriteBuffer(int) error
		}:
			must(tb, v.SetReadBuffer(128<<10))
			must(tb, v.SetWriteBuffer(128<<10))
		}
	}
}

// closeWrite shuts down the sending side of a socket.
func closeWrite(tb testing.TB, nc net.Conn) {
	tb.Helper()
	must(tb, nc.(interface{ CloseWrite() error }).CloseWrite())
}

// patience bounds every wait of these tests; none is expected to take long.
const patience = time.Minute

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// eventually polls until cond holds.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	tick := time.NewTicker(50 * time.Microsecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// receive waits for a value of ch, or for its end.
func receive[T any](tb testing.TB, what string, ch <-chan T) (v T) {
	tb.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		tb.Fatalf("waited in vain for %s", what)
	}
	return v
}
