package proxy_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// TestSubscribersAreNotIdle: the limit for idle clients is for those that have no subscriptions.
func TestSubscribersAreNotIdle(t *testing.T) {
	p := start(t, proxytest.Config{})
	sub := proxytest.Connect(t, p.Addr)
	sub.Do("SUBSCRIBE", "patience")
	closeIdle(t, p)
	if v, err := pingOnce(p.Addr, "PUBLISH", "patience", "x"); err != nil || v.Int != 1 {
		t.Errorf("PUBLISH: %+v, %v", v, err)
	}
	if v, err := sub.Read(); err != nil || v.Elems[2].Str != "x" {
		t.Errorf("the subscriber hears %+v, %v", v, err)
	}
}

// pingOnce sends a command over a connection of its own.
func pingOnce(addr string, args ...string) (resp.Value, error) {
	c, err := proxytest.Dial(addr)
	if err != nil {
		return resp.Value{}, err
	}
	defer c.Close()
	return c.Do(args...)
}

// TestSubscriberThatSendsNoMore: one that shuts down its side gets its confirmation and is closed, messages or not, and so
// are all when the proxy ends.
func TestSubscriberThatSendsNoMore(t *testing.T) {
	p := start(t, proxytest.Config{})
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := pingOnce(p.Addr, "PUBLISH", "halves", strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}
	})
	for range 20 {
		c := proxytest.Connect(t, p.Addr)
		if err := c.SendCommand("SUBSCRIBE", "halves"); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if v, err := c.Read(); err != nil || len(v.Elems) != 3 || v.Elems[0].Str != "subscribe" {
			t.Fatalf("%+v, %v", v, err)
		}
		c.Rest()
	}
	close(stop)
	publishing.Wait()
	last := proxytest.Connect(t, p.Addr)
	last.Do("SUBSCRIBE", "halves")
	if err := p.Shutdown(proxytest.Context(t)); err != nil {
		t.Error(err)
	}
	last.WantClosed()
}

// TestSubscribingToMuch is pipelined: confirmations and replies come in the order of the commands.
func TestSubscribingToMuch(t *testing.T) {
	d := connect(t)
	d.Do("HELLO", "3")
	const rounds, names = 50, 20
	var wire []byte
	var want strings.Builder
	for r := range rounds {
		args := []string{"SUBSCRIBE"}
		for n := range names {
			args = append(args, fmt.Sprintf("much:%d:%d", r, n))
			fmt.Fprintf(&want, ">3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:%d\r\n", len(args[n+1]), args[n+1], n+1)
		}
		wire = resp.AppendCommand(wire, args...)
		wire = resp.AppendCommand(wire, "ECHO", fmt.Sprint(r))
		want.WriteString(string(resp.AppendBulkString(nil, fmt.Sprint(r))))
		args[0] = "UNSUBSCRIBE"
		wire = resp.AppendCommand(wire, args...)
		for n := range names {
			fmt.Fprintf(&want, ">3\r\n$11\r\nunsubscribe\r\n$%d\r\n%s\r\n:%d\r\n", len(args[n+1]), args[n+1], names-n-1)
		}
		wire = resp.AppendCommand(wire, "GET", "much:none")
		want.WriteString("_\r\n")
	}
	go d.Send(wire)
	got, err := d.ReadN(want.Len())
	if err != nil || string(got) != want.String() {
		t.Errorf("%v; the first difference is at %d of %d", err, firstDifferent(string(got), want.String()), want.Len())
	}
}

func firstDifferent(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// TestKilledSubscriberHearsNothing: a PUBLISH behind the CLIENT KILL counts it no more.
func TestKilledSubscriberHearsNothing(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	stays := proxytest.Connect(t, p.Addr)
	stays.Do("SUBSCRIBE", "killed")
	for range 100 {
		c := proxytest.Connect(t, p.Addr)
		c.Do("SUBSCRIBE", "killed")
		if v := d.Do("CLIENT", "KILL", "ADDR", c.NetConn().LocalAddr().String()); v.Int != 1 {
			t.Fatalf("CLIENT KILL: %+v", v)
		}
		if v := d.Do("PUBLISH", "killed", "x"); v.Int != 1 {
			t.Fatalf("PUBLISH: %+v", v)
		}
	}
}
