package proxy_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// talk sends lines in one go and returns all replies.
func talk(d *proxytest.Dialog, lines ...string) (replies []string) {
	d.Say(strings.Join(lines, "\r\n") + "\r\n")
	for range lines {
		replies = append(replies, d.Hear())
	}
	return replies
}

// wantLast fails unless the last of replies is want.
func wantLast(t *testing.T, replies []string, want string) {
	t.Helper()
	if got := replies[len(replies)-1]; got != want {
		t.Errorf("%q, want %q", replies, want)
	}
}

const execAbort = "-EXECABORT Transaction discarded because of previous errors.\r\n"

// TestTransactionsAreThoseOfRedis has what internal/differ has no words for. WAIT has another answer where there are replicas.
func TestTransactionsAreThoseOfRedis(t *testing.T) {
	tw := startTwins(t)
	for _, hello := range []string{"", commands("HELLO 3")} {
		for _, lines := range [][]string{
			{"MULTI", "SAVE", "EXEC"}, {"MULTI", "SHUTDOWN", "EXEC"}, {"MULTI", "SYNC", "EXEC"},
			{"MULTI", "BLPOP none 0", "BLMOVE none none LEFT LEFT 0", "XREAD BLOCK 0 STREAMS none $", "PUBLISH nobody x", "EXEC"},
			{"MULTI", "CLIENT INFO x", "PING", "EXEC"},
			{"CLIENT REPLY SKIP", "MULTI", "SET k v", "EXEC"}, {"MULTI", "SET k v", "RESET", "PING"}, {"MULTI", "QUIT", "PING"},
		} {
			tw.alike(t, hello+commands(lines...))
		}
	}
}

// TestSessionsChangeInMulti as in Redis, some with replies that no parser of whole replies takes.
func TestSessionsChangeInMulti(t *testing.T) {
	tw := startTwins(t)
	for _, lines := range [][]string{
		{"HSET {t}h a 1", "MULTI", "HGETALL {t}h", "HELLO 3", "HGETALL {t}h", "CLIENT GETNAME", "HELLO 2 SETNAME me", "HGETALL {t}h", "GET {t}none", "CLIENT GETNAME",
			"HELLO 3", "EXEC", "HGETALL {t}h"},
		{"MULTI", "HELLO 3", "CLIENT TRACKINGINFO", "HELLO 4", "HELLO x", "HELLO 2 nonsense", "HELLO 2 SETNAME n nonsense", "CLIENT GETNAME", "EXEC", "HGETALL none"},
		{"MULTI", "AUTH x", "AUTH default x", "AUTH nobody x", "AUTH a b c", "HELLO 3 AUTH nobody x", "HELLO 3 AUTH default x", "GET none", "EXEC", "GET none"},
		{"SET k v", "MULTI", "GET k", "CLIENT REPLY OFF", "GET k", "CLIENT ID", "CLIENT REPLY ON", "GET k", "CLIENT REPLY x", "CLIENT REPLY OFF", "STRLEN k", "EXEC",
			"GET k", "CLIENT REPLY ON", "GET k"},
		{"SET k v", "MULTI", "GET k", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "EXEC", "GET k", "STRLEN k"},
		{"SET k v", "CLIENT REPLY OFF", "MULTI", "GET k", "CLIENT REPLY ON", "GET k", "EXEC", "STRLEN k"},
		{"SET k v", "CLIENT REPLY SKIP", "MULTI", "GET k", "CLIENT REPLY SKIP", "EXEC", "GET k", "STRLEN k"},
		{"CLIENT REPLY OFF", "MULTI", "SUBSCRIBE a", "GET k", "EXEC", "RESET"},
		{"MULTI", "SUBSCRIBE a b", "GET k", "PING", "PING x", "UNSUBSCRIBE a", "PSUBSCRIBE p", "SSUBSCRIBE s", "SUNSUBSCRIBE", "UNSUBSCRIBE b", "PUNSUBSCRIBE",
			"PUNSUBSCRIBE", "PING", "EXEC", "PING", "GET k"},
		{"MULTI", "SUBSCRIBE a", "HELLO 3", "PING", "PSUBSCRIBE p", "HELLO 2", "PING", "EXEC", "GET k", "UNSUBSCRIBE", "PUNSUBSCRIBE", "GET k"},
		{"HELLO 3", "SUBSCRIBE a", "MULTI", "HELLO 2", "PING", "GET k", "EXEC", "GET k", "UNSUBSCRIBE", "GET k"},
		{"SET {t}k v", "WATCH {t}k", "HELLO 3", "AUTH default x", "MULTI", "HELLO 2", "GET {t}k", "SUBSCRIBE a", "EXEC", "PING"},
		{"SET {t}k v", "WATCH {t}k", "SET {t}k w", "MULTI", "HELLO 3", "SUBSCRIBE a", "CLIENT REPLY OFF", "EXEC", "PING"},
		{"SUBSCRIBE a", "EXEC"},
		{"SET {t}k v", "WATCH {t}k", "SET {t}k w", "EXEC x", "MULTI", "EXEC"},
	} {
		tw.alike(t, commands(lines...))
		tw.alike(t, commands(append([]string{"HELLO 3"}, lines...)...))
	}
}

func TestMultiRefusesWhatNeedsSeveralNodes(t *testing.T) {
	d := connect(t)
	for _, line := range []string{
		"DBSIZE", "KEYS *", "FLUSHALL", "MGET a b", "SCAN 0", "RANDOMKEY",
	} {
		replies := talk(d, "MULTI", "SET {refused}k v", line, "EXEC", "EXISTS {refused}k")
		if replies[0] != "+OK\r\n" || replies[1] != "+QUEUED\r\n" || replies[2][0] != '-' || replies[3] != execAbort || replies[4] != ":0\r\n" {
			t.Errorf("%s: %q", line, replies)
		}
	}
}

// TestUsersChangeInMulti as in Redis: what a user may do counts at EXEC once more.
func TestUsersChangeInMulti(t *testing.T) {
	tw := startTwins(t)
	tw.alike(t, commands("ACL SETUSER joe on >secret ~{t}* &* +@all -get -echo -client|getname", "SET {t}k v"))
	defer tw.alike(t, commands("ACL DELUSER joe"))
	for _, lines := range [][]string{
		{"MULTI", "CLIENT GETNAME", "GET {t}k", "AUTH joe secret", "GET {t}k", "ECHO x", "STRLEN {t}k", "CLIENT GETNAME", "CLIENT SETNAME y", "AUTH default x",
			"GET {t}k", "ECHO x", "CLIENT GETNAME", "EXEC", "GET {t}k"},
		{"MULTI", "AUTH joe secret", "ACL WHOAMI", "EXEC", "ACL WHOAMI", "STRLEN {t}k"},
		{"MULTI", "HELLO 3 AUTH joe wrong", "GET {t}none", "HELLO 3 AUTH joe secret SETNAME z", "LPOP {t}none", "GET {t}none", "EXEC", "LPOP {t}none"},
		{"WATCH {t}k", "AUTH joe secret", "MULTI", "STRLEN {t}k", "EXEC"},
		{"WATCH {t}k", "MULTI", "STRLEN {t}k", "AUTH joe secret", "GET {t}k", "EXEC", "ACL WHOAMI"},
		{"MULTI", "AUTH joe secret", "SUBSCRIBE a", "GET {t}k", "UNSUBSCRIBE", "EXEC"},
	} {
		tw.alike(t, commands(lines...))
	}
}

// TestSessionsChangeInMultiOverSlots: each unit is told what it has to be.
func TestSessionsChangeInMultiOverSlots(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Dispatcher.SplitTransactions = true
	d := proxytest.Connect(t, start(t, cfg).Addr)
	talk(d, "DEL one", "DEL two", "HSET one f v")
	replies := talk(d, "MULTI", "HGETALL one", "SET two 2", "HELLO 3", "GET three", "CLIENT REPLY OFF", "GET two", "CLIENT REPLY ON", "HGETALL one", "HELLO 2", "GET three", "HGETALL one")
	if got := replies[len(replies)-1]; got != "+QUEUED\r\n" {
		t.Fatalf("%q", replies)
	}
	d.Say(commands("EXEC", "QUIT"))
	rest, err := d.ReadRest()
	if err != nil {
		t.Fatal(err)
	}
	flat := regexp.MustCompile(`[%*]\d+\r\n\$6\r\nserver(?s:.*?)modules\r\n\*0\r\n`).ReplaceAllString(string(rest), "HELLO ")
	if want := "*11\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n+OK\r\nHELLO _\r\n+OK\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\nHELLO $-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n+OK\r\n"; flat != want {
		t.Errorf("EXEC says\n%q, want\n%q", flat, want)
	}
}

func TestTransactionOverSlots(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Dispatcher.SplitTransactions = true
	d := proxytest.Connect(t, start(t, cfg).Addr)
	d.Do("DEL", "one", "two", "three")
	replies := talk(d, "MULTI", "PING", "SET one 1", "ECHO x", "SET two 2", "CLIENT GETNAME", "INCR one", "GET two", "SET three 3", "LPUSH two x", "GET one", "EXEC")
	wantLast(t, replies, "*10\r\n+PONG\r\n+OK\r\n$1\r\nx\r\n+OK\r\n$-1\r\n:2\r\n$1\r\n2\r\n+OK\r\n"+
		"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n$1\r\n2\r\n")
	wantLast(t, talk(d, "MULTI", "MGET one two", "EXEC"), execAbort)
}

// TestFailedUnitIsNamed: one unit of several is refused by its node.
func TestFailedUnitIsNamed(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Dispatcher.SplitTransactions = true
	c, p := startBeforeFake(t, cfg)
	d := proxytest.Connect(t, p.Addr)
	talk(d, "MULTI", "EXEC") // now it is known that MULTI is allowed
	slot := redistest.Slot("bad")
	c.OwnerOf(slot).Intercept(func(r redistest.Request) (v redistest.Verdict) {
		if strings.EqualFold(r.Args[0], "exec") {
			v.Error = "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."
		}
		return v
	})
	other := "other"
	for i := 0; c.OwnerOf(redistest.Slot(other)) == c.OwnerOf(slot); i++ {
		other = fmt.Sprint("other", i)
	}
	got := talk(d, "MULTI", "SET bad v", "SET "+other+" v", "EXEC")
	wantLast(t, got, fmt.Sprintf("*2\r\n-EXECABORT commands in slot %d: Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n+OK\r\n", slot))
}

// TestTransactionIsOneUnit: nothing of other sessions is between its commands, and it is a transaction to the node.
func TestTransactionIsOneUnit(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	wantLast(t, talk(d, "SET {u}k 0", "MULTI", "SET {u}k 1", "INCR {u}k", "EXEC", "GET {u}k"), "$1\r\n2\r\n")
	writes := c.Writes("{u}k")
	if len(writes) != 3 || writes[0].Tx || !writes[1].Tx || !writes[2].Tx {
		t.Errorf("%+v", writes)
	}
}

func TestLongTransaction(t *testing.T) {
	const n = 5000
	d := connect(t)
	d.Do("DEL", "{long}n")
	d.Do("MULTI")
	d.Say(strings.Repeat("INCR {long}n\r\n", n) + "EXEC\r\n")
	for range n {
		if got := d.Hear(); got != "+QUEUED\r\n" {
			t.Fatalf("%q", got)
		}
	}
	if got := d.Hear(); !strings.HasPrefix(got, fmt.Sprintf("*%d\r\n:1\r\n:2\r\n", n)) || !strings.HasSuffix(got, fmt.Sprintf(":%d\r\n", n)) {
		t.Errorf("%.100q", got)
	}
}

// TestTransactionIsRestarted: a node that cannot queue a command, or says so at EXEC, has executed nothing.
func TestTransactionIsRestarted(t *testing.T) {
	for _, at := range []string{"incr", "exec"} {
		for _, fault := range []string{redistest.ErrorTryAgain, redistest.ErrorLoading, redistest.ErrorClusterDown, redistest.ErrorReadonly} {
			c, p := startBeforeFake(t, proxytest.Config{})
			d := proxytest.Connect(t, p.Addr)
			talk(d, "MULTI", "EXEC") // now it is known that MULTI is allowed
			left := 2
			c.OwnerOf(redistest.Slot("{r}")).Intercept(func(r redistest.Request) (v redistest.Verdict) {
				if strings.EqualFold(r.Args[0], at) && left > 0 {
					left--
					if v.Error = fault; at == "exec" && fault == redistest.ErrorReadonly {
						v.Error = "EXECABORT Transaction discarded because of: " + fault
					}
				}
				return v
			})
			if at == "incr" {
				c.OwnerOf(redistest.Slot("{r}")).Intercept(nil)
				c.OwnerOf(redistest.Slot("{r}")).FailNext(2, fault)
			}
			wantLast(t, talk(d, "MULTI", "INCR {r}n", "INCR {r}n", "EXEC"), "*2\r\n:1\r\n:2\r\n")
			if n := c.Executed("incr"); n != 2 {
				t.Errorf("%s at %s: executed %d times", fault, at, n)
			}
		}
	}
}

// TestTransactionIsNeverSentTwice: the connection is lost with EXEC under way.
func TestTransactionIsNeverSentTwice(t *testing.T) {
	for _, verdict := range []redistest.Verdict{{CutBefore: true}, {CutAfter: true}} {
		c, p := startBeforeFake(t, proxytest.Config{})
		d := proxytest.Connect(t, p.Addr)
		talk(d, "MULTI", "EXEC") // now it is known that MULTI is allowed
		c.OwnerOf(redistest.Slot("{o}")).Intercept(func(r redistest.Request) (v redistest.Verdict) {
			if strings.EqualFold(r.Args[0], "exec") {
				return verdict
			}
			return v
		})
		got := talk(d, "MULTI", "INCR {o}n", "EXEC")
		if !strings.HasPrefix(got[2], "-UNKNOWNRESULT connection to ") || c.Executed("incr") > 1 {
			t.Errorf("%+v: %q, executed %d times", verdict, got, c.Executed("incr"))
		}
	}
}

// TestRefusedMultiIsToldAtOnce: what came behind it in a unit would be executed without it.
func TestRefusedMultiIsToldAtOnce(t *testing.T) {
	for _, n := range cluster.Get(t).Nodes() {
		if err := n.Client().Do(t.Context(), "ACL", "SETUSER", "nomulti", "on", ">pw", "~*", "&*", "+@all", "-multi").Err(); err != nil {
			t.Fatal(err)
		}
	}
	d := connect(t)
	d.Do("DEL", "{nomulti}k")
	got := talk(d, "AUTH nomulti pw", "MULTI", "EXEC", "GET {nomulti}k")
	if got[0] != "+OK\r\n" || got[1] != "-NOPERM this user has no permissions to run the 'multi' command\r\n" ||
		got[2] != "-ERR EXEC without MULTI\r\n" || got[3] != "$-1\r\n" {
		t.Errorf("%q", got)
	}
}

// TestRefusedCommandIsToldAtExec: only the node knows that the user may not.
func TestRefusedCommandIsToldAtExec(t *testing.T) {
	for _, n := range cluster.Get(t).Nodes() {
		if err := n.Client().Do(t.Context(), "ACL", "SETUSER", "noincr", "on", ">pw", "~*", "&*", "+@all", "-incr").Err(); err != nil {
			t.Fatal(err)
		}
	}
	d := connect(t)
	d.Do("DEL", "{noincr}k")
	got := talk(d, "AUTH noincr pw", "MULTI", "SET {noincr}k v", "INCR {noincr}n", "EXEC", "GET {noincr}k")
	if got[4] != "-EXECABORT Transaction discarded because of: NOPERM this user has no permissions to run the 'incr' command\r\n" || got[5] != "$-1\r\n" {
		t.Errorf("%q", got)
	}
}

func TestClientInfoShowsMulti(t *testing.T) {
	d := connect(t)
	if v := d.Do("CLIENT", "INFO"); !strings.Contains(v.Str, " multi=-1 ") || !strings.Contains(v.Str, " flags=N ") {
		t.Error(v.Str)
	}
	if got := talk(d, "MULTI", "GET k", "CLIENT INFO", "EXEC")[3]; !strings.Contains(got, " multi=2 ") || !strings.Contains(got, " flags=x ") {
		t.Error(got)
	}
}

// TestPublishAloneInMulti goes where its channel is at home, with what the session itself answers too: elsewhere it
// would be overtaken by what the client publishes next.
func TestPublishAloneInMulti(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	room := openWaitingRoom(t, c, "publish")
	for _, channel := range []string{"foo", "bar", "hello", "news"} {
		home := c.OwnerOf(redistest.Slot(channel))
		for _, with := range [][]string{{"PING"}, {"CONFIG", "GET", "maxclients"}} {
			d := proxytest.Connect(t, p.Addr)
			d.Do("MULTI")
			d.Do(with...)
			d.Do("PUBLISH", channel, "x")
			if err := d.SendCommand("EXEC"); err != nil {
				t.Fatal(err)
			}
			if at := room.next(t).Node; at != home {
				t.Errorf("with %q a message to %q goes to %s, and its channel is at %s", with, channel, at.Addr, home.Addr)
			}
			room.goes <- answeredWith("no")
			if got, want := d.Hear(), "-EXECABORT Transaction discarded because of: ERR no\r\n"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}
