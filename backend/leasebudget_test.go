package backend

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestLeaseBudget reads as much as is allowed and no byte more.
func TestLeaseBudget(t *testing.T) {
	big := "$20000\r\n" + strings.Repeat("x", 20000) + "\r\n"
	for _, c := range []struct {
		name  string
		limit int
		wires []string
		fails bool // the last one
	}{
		{"exact", 5, []string{"+OK\r\n"}, false},
		{"one less", 4, []string{"+OK\r\n"}, true},
		{"two replies", 10, []string{"+OK\r\n", "+OK\r\n"}, false},
		{"two replies, one less", 9, []string{"+OK\r\n", "+OK\r\n"}, true},
		{"big", len(big), []string{big}, false},
		{"big, one less", len(big) - 1, []string{big}, true},
		{"array", 14, []string{"*2\r\n+OK\r\n+OK\r\n"}, false},
		{"array, one less", 13, []string{"*2\r\n+OK\r\n+OK\r\n"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startEcho(t, nil)
			p := startPool(t, Config{IdleLeases: 1})
			l := p.lease(e.addr, Profile{})
			l.Keep(NewBudget(int64(c.limit)))
			for i, wire := range c.wires {
				reply, err := l.Do(t.Context(), []byte(wire))
				switch {
				case c.fails && i == len(c.wires)-1:
					if !errors.Is(err, ErrTooLong) {
						t.Errorf("reply of %d bytes, %v", len(reply), err)
					}
				case err != nil || string(reply) != wire:
					t.Errorf("reply of %d bytes, %v", len(reply), err)
				}
			}
			l.Release()
			if p.Node(e.addr).Failing() {
				t.Error("the node counts as failing")
			}
			free := p.lease(e.addr, Profile{}) // the bound was the holder's
			wantDo(t, free, big, big)
		})
	}
}

// TestLeaseSetsNoMemoryAsideForTooMuch gets the header of a reply that is never sent.
func TestLeaseSetsNoMemoryAsideForTooMuch(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(1), redistest.Reply("$1000000000\r\nx"), redistest.AwaitClose()))
	p := startPool(t, Config{})
	l := p.lease(node.Addr, Profile{})
	defer l.Release()
	l.Keep(NewBudget(1 << 20))
	if _, err := l.Do(t.Context(), resp.AppendCommand(nil, "GET", "k")); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	awaitScript(t, node)
}

// TestLeaseReplyIsForGood keeps replies while others come over the same connection.
func TestLeaseReplyIsForGood(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{IdleLeases: 1})
	var kept, want [][]byte
	for i := range 50 {
		wire := resp.AppendBulk(nil, bytes.Repeat([]byte{byte('a' + i%26)}, 1+i*1000))
		l := p.lease(e.addr, Profile{})
		reply, err := l.Do(t.Context(), wire)
		must(t, err)
		l.Release()
		kept, want = append(kept, reply), append(want, wire)
	}
	for i := range kept {
		if !bytes.Equal(kept[i], want[i]) {
			t.Fatalf("reply %d has changed", i)
		}
	}
}
