package proxy_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// trouble is what sends a blocked client away.
type trouble struct {
	name string
	do   func(c *redistest.FakeCluster, slot uint16, at, other *redistest.FakeNode) redistest.Verdict
	at   func(at, other *redistest.FakeNode) *redistest.FakeNode // where it goes next
}

func toOther(_, other *redistest.FakeNode) *redistest.FakeNode { return other }
func stays(at, _ *redistest.FakeNode) *redistest.FakeNode      { return at }

var troubles = []trouble{
	{"MOVED", func(c *redistest.FakeCluster, slot uint16, at, other *redistest.FakeNode) redistest.Verdict {
		c.MoveSlot(slot, other, nil)
		return redistest.Verdict{Error: fmt.Sprintf("MOVED %d %s", slot, other.Addr)}
	}, toOther},
	{"ASK", func(_ *redistest.FakeCluster, slot uint16, at, other *redistest.FakeNode) redistest.Verdict {
		return redistest.Verdict{Error: fmt.Sprintf("ASK %d %s", slot, other.Addr)}
	}, toOther},
	{"UNBLOCKED", func(c *redistest.FakeCluster, slot uint16, at, other *redistest.FakeNode) redistest.Verdict {
		c.MoveSlot(slot, other, nil)
		return redistest.Verdict{Error: "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"}
	}, nil},
	{"LOADING", func(*redistest.FakeCluster, uint16, *redistest.FakeNode, *redistest.FakeNode) redistest.Verdict {
		return redistest.Verdict{Error: redistest.ErrorLoading}
	}, stays},
	{"a lost connection", func(*redistest.FakeCluster, uint16, *redistest.FakeNode, *redistest.FakeNode) redistest.Verdict {
		return redistest.Verdict{CutBefore: true}
	}, stays},
}

// TestBlockedGoesOnElsewhere with what is left of its time.
func TestBlockedGoesOnElsewhere(t *testing.T) {
	for _, tr := range troubles {
		for _, cmd := range []struct {
			line   string
			at     int
			unit   time.Duration
			blocks time.Duration
		}{
			{"BLPOP k 60", 2, time.Second, time.Minute}, {"BLMOVE k k LEFT LEFT 60.5", 5, time.Second, 60500 * time.Millisecond},
			{"BLMPOP 60 1 k LEFT", 1, time.Second, time.Minute}, {"XREAD BLOCK 60000 STREAMS k 0", 2, time.Millisecond, time.Minute},
			{"BZPOPMIN k 0", 2, time.Second, 0},
		} {
			t.Run(tr.name+" "+cmd.line, func(t *testing.T) {
				c, p := startBeforeFake(t, proxytest.Config{})
				args := strings.Fields(cmd.line)
				room := openWaitingRoom(t, c, args[0])
				slot := redistest.Slot("k")
				at := c.OwnerOf(slot)
				other := c.Primaries()[0]
				if other == at {
					other = c.Primaries()[1]
				}
				d := proxytest.Connect(t, p.Addr)
				if err := d.SendCommand(args...); err != nil {
					t.Fatal(err)
				}
				first := room.next(t)
				if first.Node != at || strings.Join(first.Args, " ") != cmd.line {
					t.Errorf("%v at %s", first.Args, first.Node.Addr)
				}
				room.goes <- tr.do(c, slot, at, other)
				second := room.next(t)
				if tr.at != nil && second.Node != tr.at(at, other) {
					t.Errorf("it went to %s next", second.Node.Addr)
				}
				left, err := strconv.ParseFloat(second.Args[cmd.at], 64)
				rest := time.Duration(left * float64(cmd.unit))
				switch {
				case err != nil:
					t.Error(err)
				case cmd.blocks == 0 && left != 0:
					t.Errorf("it may block for %v, and for ever at first", rest)
				case cmd.blocks > 0 && (rest <= 0 || rest > cmd.blocks || rest < cmd.blocks-proxytest.Patience):
					t.Errorf("it may block for %v, and for %v at first", rest, cmd.blocks)
				}
				second.Args[cmd.at] = args[cmd.at]
				if got := strings.Join(second.Args, " "); got != cmd.line {
					t.Errorf("%s became %s", cmd.line, got)
				}
				room.goes <- answeredWith("done")
				if got := d.Hear(); got != "-ERR done\r\n" {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

// alwaysLoading makes the nodes answer LOADING to BLPOP and WAIT.
func alwaysLoading(c *redistest.FakeCluster) {
	for _, n := range c.Nodes() {
		n.Intercept(func(req redistest.Request) redistest.Verdict {
			if strings.EqualFold(req.Args[0], "blpop") || strings.EqualFold(req.Args[0], "wait") {
				return redistest.Verdict{Error: redistest.ErrorLoading}
			}
			return redistest.Verdict{}
		})
	}
}

// TestBlockedRunsOutOfTimeBetweenNodes: the answer is nil, as if a node had said so, or no replica.
func TestBlockedRunsOutOfTimeBetweenNodes(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	alwaysLoading(c)
	d := proxytest.Connect(t, p.Addr)
	for wait, want := range map[string]string{"BLPOP k 0.3": "*-1\r\n", "WAIT 1 300": ":0\r\n"} {
		begin := time.Now()
		if got := d.Ask(wait + "\r\n"); got != want {
			t.Errorf("%s: %q", wait, got)
		}
		if took := time.Since(begin); took < 300*time.Millisecond {
			t.Errorf("%s: after %v", wait, took)
		}
	}
}

// TestBlockedRunsOutOfAttempts: the answer is the last node's.
func TestBlockedRunsOutOfAttempts(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = 100 * time.Millisecond
	c, p := startBeforeFake(t, cfg)
	alwaysLoading(c)
	d := proxytest.Connect(t, p.Addr)
	if got := d.Ask("BLPOP k 0\r\n"); got != "-"+redistest.ErrorLoading+"\r\n" {
		t.Errorf("%q", got)
	}
}

// TestUnblockBetweenNodes ends a command that is at no node, and so does its client when it leaves.
func TestUnblockBetweenNodes(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = time.Hour
	c, p := startBeforeFake(t, cfg)
	owner := c.OwnerOf(redistest.Slot("k"))
	alwaysLoading(c)
	b := proxytest.Connect(t, p.Addr)
	for reason, want := range map[string]string{
		"TIMEOUT": "*-1\r\n", "ERROR": "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n", "leave": "",
	} {
		a := proxytest.Connect(t, p.Addr)
		id := strconv.FormatInt(a.Do("CLIENT", "ID").Int, 10)
		before := owner.Errors("LOADING")
		a.Say("BLPOP k 0\r\n")
		eventually(t, "some attempts", func() bool { return owner.Errors("LOADING") > before+3 })
		if want == "" {
			clients := p.Server.Clients()
			a.Close()
			eventually(t, "the session's end", func() bool { return p.Server.Clients() == clients-1 })
			continue
		}
		eventually(t, "CLIENT UNBLOCK", func() bool { return b.Do("CLIENT", "UNBLOCK", id, reason).Int == 1 })
		if got := a.Hear(); got != want {
			t.Errorf("%s: %q", reason, got)
		}
		if v := b.Do("CLIENT", "UNBLOCK", id, reason); v.Kind != ':' || v.Int != 0 {
			t.Errorf("a second time: %+v", v)
		}
	}
}

// TestDollarIsAskedFor right in front of the first call, for later ones; TestBlockedWhileTheSlotMigrates has such.
func TestDollarIsAskedFor(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	room := openWaitingRoom(t, c, "xread", "xrevrange")
	d := proxytest.Connect(t, p.Addr)
	d.Say("XREAD COUNT 2 BLOCK 0 STREAMS {k}1 {k}2 {k}3 $ 7-7 $\r\n")
	for _, want := range []string{"XREVRANGE {k}1 + - COUNT 1", "XREVRANGE {k}3 + - COUNT 1", "XREAD COUNT 2 BLOCK 0 STREAMS {k}1 {k}2 {k}3 $ 7-7 $"} {
		if got := strings.Join(room.next(t).Args, " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		room.goes <- answeredWith("no")
	}
	if got := d.Hear(); got != "-ERR no\r\n" {
		t.Errorf("%q", got)
	}
}

// TestLeaveCutsWhatCannotBeUnblocked: these nodes know no CLIENT UNBLOCK.
func TestLeaveCutsWhatCannotBeUnblocked(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	room := openWaitingRoom(t, c, "blpop")
	d := proxytest.Connect(t, p.Addr)
	d.Say("BLPOP k 0\r\n")
	at := room.next(t).Node
	d.Close()
	eventually(t, "the session's end", func() bool { return p.Server.Clients() == 0 })
	eventually(t, "the end of its connection", func() bool { return p.Pool.Node(at.Addr).Stats().Held == 0 })
}

// TestLeaveWithoutNumber: a node that does not tell the number of a connection is not asked to unblock it.
func TestLeaveWithoutNumber(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	room := openWaitingRoom(t, c, "hello", "blpop")
	d, other := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	id := strconv.FormatInt(d.Do("CLIENT", "ID").Int, 10)
	d.Say("BLPOP k 0\r\n")
	if first := room.next(t); first.Args[0] != "HELLO" {
		t.Errorf("%q", first.Args)
	}
	room.goes <- answeredWith("wrong number of arguments for 'hello' command")
	room.next(t)
	room.goes <- answeredWith("once")
	if got := d.Hear(); got != "-ERR once\r\n" {
		t.Errorf("%q", got)
	}
	d.Say("BLPOP k 0\r\n")
	at := room.next(t).Node
	if v := other.Do("CLIENT", "UNBLOCK", id); v.Kind != '-' {
		t.Errorf("CLIENT UNBLOCK: %+v", v)
	}
	d.Close()
	eventually(t, "the end of its connection", func() bool { return p.Pool.Node(at.Addr).Stats().Held == 0 })
}

// TestMaxLeases: past the limit there is a clear error, at that node alone, and room again when somebody has left.
func TestMaxLeases(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Backend.MaxLeases = 2
	p := start(t, cfg)
	d := proxytest.Connect(t, p.Addr)
	k := unused(t, d)
	held := []*proxytest.Dialog{proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)}
	held[0].Do("WATCH", k)
	held[1].Say("BLPOP " + k + " 0\r\n")
	awaitBlocked(t, d, 1)
	owner := cluster.Get(t).OwnerOf(redistest.Slot(k)).Addr
	want := "ERR max number of leased connections to node " + owner + " reached (-backend-max-leases)"
	for _, args := range [][]string{{"BLPOP", k, "0"}, {"WATCH", k}} {
		if v := d.Do(args...); v.Str != want {
			t.Errorf("%q: %+v", args, v)
		}
	}
	if v := d.Do("SET", k+"2", "v"); v.Str != "OK" {
		t.Errorf("SET: %+v", v)
	}
	held[0].Do("UNWATCH")
	if v := d.Do("BLPOP", k, "0.01"); !v.Null {
		t.Errorf("%+v", v)
	}
	if s := p.Pool.Node(owner).Stats(); s.Held != 1 || s.HeldRefused != 2 {
		t.Errorf("%d held, %d refused", s.Held, s.HeldRefused)
	}
}
