package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// apart are keys of four slots at three nodes.
var apart = []string{"foo", "bar", "world", "foo2"}

func TestApart(t *testing.T) {
	c := cluster.Get(t)
	owners := map[*redistest.Node]bool{}
	for _, key := range apart {
		owners[c.OwnerOf(redistest.Slot(key))] = true
	}
	if len(owners) != 3 {
		t.Errorf("%q are at %d nodes, want 3", apart, len(owners))
	}
}

// TestWatchOverSlots: with -cross-slot=all any watched key that changes, wherever it is, keeps a transaction over several slots
// from being executed at all.
func TestWatchOverSlots(t *testing.T) {
	p := start(t, proxytest.Config{Dispatcher: dispatcher.Config{SplitTransactions: true}})
	other := proxytest.Connect(t, p.Addr)
	all := strings.Join(apart, " ")
	for _, proto := range []string{"2", "3"} {
		d := proxytest.Connect(t, p.Addr)
		d.Do("HELLO", proto)
		for _, watched := range []string{"foo", "foo2", "bar world", "world foo bar", all} {
			for _, written := range append(strings.Fields(all), "foo bar", "bar world", all, "elsewhere", "") {
				t.Run(fmt.Sprintf("%s,%s,%s", proto, watched, written), func(t *testing.T) {
					overSlots(t, d, other, strings.Fields(watched), strings.Fields(written), nilOf[proto])
				})
			}
		}
	}
}

// overSlots executes a transaction that is guarded, once undisturbed and once for each watched key that another client changes.
func overSlots(t *testing.T, d, other *proxytest.Dialog, watched, written []string, aborted string) {
	t.Helper()
	lines := []string{"WATCH " + strings.Join(watched, " "), "MULTI", "PING"}
	done := fmt.Sprintf("*%d\r\n+PONG\r\n", 2+len(written))
	for _, key := range written {
		lines = append(lines, "SET "+key+" mine")
		done += "+OK\r\n"
	}
	lines = append(lines, "CLIENT GETNAME", "EXEC")
	done += map[string]string{nilOf["2"]: "$-1\r\n", nilOf["3"]: "_\r\n"}[aborted]
	wantLast(t, talk(d, lines...), done)
	for _, key := range written {
		if v := other.Do("GET", key); v.Str != "mine" {
			t.Errorf("%s is %+v", key, v)
		}
	}
	for _, changed := range watched {
		for _, key := range written {
			other.Do("SET", key, "old")
		}
		talk(d, lines[0])
		other.Do("SET", changed, "changed")
		wantLast(t, talk(d, lines[1:]...), aborted)
		for _, key := range written {
			if v := other.Do("GET", key); v.Str == "mine" {
				t.Errorf("%s has changed, and %s was written", changed, key)
			}
		}
	}
}

// TestWatchOverSlotsIsAsked: by default what is watched is at one node, and so is the transaction.
func TestWatchOverSlotsIsAsked(t *testing.T) {
	d := connect(t)
	const crossSlot = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
	wantLast(t, talk(d, "WATCH foo bar"), crossSlot)
	wantLast(t, talk(d, "WATCH foo", "WATCH bar"), crossSlot)
	wantLast(t, talk(d, "MULTI", "SET bar 1", "EXEC"), execAbort)
	wantLast(t, talk(d, "WATCH foo", "MULTI", "SET foo 1", "SET foo2 1", "EXEC"), execAbort)
}

// TestOneGuardOfSeveralIsLost: nothing is executed, at no node.
func TestOneGuardOfSeveralIsLost(t *testing.T) {
	for _, lost := range []string{"foo", "bar"} {
		c, p := startBeforeFake(t, proxytest.Config{Dispatcher: dispatcher.Config{SplitTransactions: true}})
		d := proxytest.Connect(t, p.Addr)
		wantLast(t, talk(d, "WATCH foo bar", "MULTI", "SET foo 1", "SET bar 1", "SET world 1"), "+QUEUED\r\n")
		owner := c.OwnerOf(redistest.Slot(lost))
		owner.CutConns()
		eventually(t, "the loss is noticed", func() bool { return p.Pool.Node(owner.Addr).Stats().Connected == 0 })
		wantLast(t, talk(d, "EXEC"), nilOf["2"])
		for _, key := range []string{"foo", "bar", "world"} {
			if writes := c.Writes(key); len(writes) != 0 {
				t.Errorf("%s was lost, and %s written: %+v", lost, key, writes)
			}
		}
		wantLast(t, talk(d, "WATCH foo bar", "MULTI", "SET bar 1", "SET world 1", "EXEC"), "*2\r\n+OK\r\n+OK\r\n")
	}
}

// TestUnguardedUnitFails: the guarded one was executed, so the reply says what was not.
func TestUnguardedUnitFails(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{Dispatcher: dispatcher.Config{SplitTransactions: true}})
	d := proxytest.Connect(t, p.Addr)
	talk(d, "MULTI", "EXEC") // now it is known that MULTI is allowed
	slot := redistest.Slot("bar")
	c.OwnerOf(slot).Intercept(func(r redistest.Request) (v redistest.Verdict) {
		if strings.EqualFold(r.Args[0], "exec") {
			v.Error = "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."
		}
		return v
	})
	got := talk(d, "WATCH foo", "MULTI", "SET bar 1", "SET foo 1", "EXEC")
	wantLast(t, got, fmt.Sprintf("*2\r\n-EXECABORT commands in slot %d: Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n+OK\r\n", slot))
}
