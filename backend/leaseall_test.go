package backend

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestLeaseDoAll asks several questions without waiting in between.
func TestLeaseDoAll(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{IdleLeases: 1})
	l := p.lease(e.addr, Profile{})
	var wires [][]byte
	for i := range 100 {
		wires = append(wires, resp.AppendBulkString(nil, strings.Repeat("x", i*i)))
	}
	replies, err := l.DoAll(t.Context(), wires)
	if err != nil || len(replies) != len(wires) {
		t.Fatalf("%d replies, %v", len(replies), err)
	}
	for i, reply := range replies {
		if !bytes.Equal(reply, wires[i]) {
			t.Errorf("reply %d is %.60q", i, reply)
		}
	}
	l.Release()
	awaitLeases(t, p.Node(e.addr), 1, 1)
}

// TestLeaseDoAllLost: a connection that ends after some replies fails all, and is not used again.
func TestLeaseDoAllLost(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.Expect("GET", "a"), redistest.Expect("GET", "b"),
		redistest.Reply("+a\r\n"), redistest.Close()))
	p := startPool(t, Config{IdleLeases: 1})
	l := p.lease(node.Addr, Profile{})
	replies, err := l.DoAll(t.Context(), [][]byte{resp.AppendCommand(nil, "GET", "a"), resp.AppendCommand(nil, "GET", "b")})
	lost := (*LostError)(nil)
	if !errors.As(err, &lost) || !lost.Sent || replies != nil {
		t.Errorf("%q, %v", replies, err)
	}
	if _, err := l.DoAll(t.Context(), [][]byte{resp.AppendCommand(nil, "GET", "a")}); !errors.As(err, &lost) {
		t.Errorf("a lost connection answers: %v", err)
	}
	l.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l = p.lease(node.Addr, Profile{})
	if _, err := l.DoAll(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	l.Release()
	awaitLeases(t, p.Node(node.Addr), 0, 0)
}
