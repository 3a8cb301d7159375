package differ

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// sayings are what a random session says: mostly what changes the session, and what shows how it has changed. No channel but
// "a" is subscribed to, since the order of several in UNSUBSCRIBE is anybody's, and nothing is published there, since
// message and reply may come in any order; PUBSUB counts inside EXEC what there is behind it.
var sayings = strings.FieldsFunc(`MULTI|MULTI|MULTI|MULTI|EXEC|EXEC|EXEC|EXEC|DISCARD|WATCH {t}k|UNWATCH|RESET|MULTI x|EXEC x
HELLO|HELLO 2|HELLO 3|HELLO 3 SETNAME x|HELLO 4|HELLO 2 x|HELLO 3 AUTH default x|HELLO 3 AUTH nobody x|AUTH default x|AUTH nobody x|AUTH x|AUTH
CLIENT REPLY ON|CLIENT REPLY ON|CLIENT REPLY ON|CLIENT REPLY OFF|CLIENT REPLY SKIP|CLIENT REPLY SKIP|CLIENT REPLY x|CLIENT REPLY
SUBSCRIBE a|SUBSCRIBE a a|PSUBSCRIBE a*|SSUBSCRIBE a|UNSUBSCRIBE a|UNSUBSCRIBE|UNSUBSCRIBE x y|PUNSUBSCRIBE|PUNSUBSCRIBE a*|SUNSUBSCRIBE|SUBSCRIBE
PUBLISH nobody x|PING|PING x|PING a b|ECHO x|SELECT 0|SELECT x|SELECT 99
GET {t}k|GET {t}k|SET {t}k v|SET {t}k 1|INCR {t}k|DEL {t}k|HSET {t}h a 1|HGETALL {t}h|ZADD {t}z 1.5 m|ZSCORE {t}z m|LPUSH {t}k x|GET {t}none
GET|NOSUCH|NOSUCH x|CLIENT NOSUCH|CLIENT|SET {t}k v nonsense|EVAL return{1,ARGV[1]} 0 x|EVAL return{redis.call('GET',KEYS[1])} 1 {t}k|BLPOP {t}none 0.001
CLIENT TRACKING ON|CLIENT TRACKING OFF|CLIENT TRACKING ON OPTIN|CLIENT TRACKING ON OPTOUT|CLIENT TRACKING ON BCAST|CLIENT TRACKING ON NOLOOP
CLIENT CACHING YES|CLIENT CACHING NO|CLIENT TRACKINGINFO|CLIENT GETREDIR|CLIENT NO-EVICT ON|CLIENT NO-EVICT x|CLIENT SETNAME y|CLIENT SETNAME|CLIENT GETNAME
CLIENT PAUSE 1|CLIENT PAUSE 1 WRITE|CLIENT UNPAUSE|CLIENT UNBLOCK 99999999|CONFIG GET maxmemory-samples|WAIT 0 1|SCRIPT LOAD x|READONLY|CLUSTER INFO`, func(r rune) bool { return r == '|' || r == '\n' })

// unsteady is what differs between two servers without a difference: what is pushed when a key changes, whose moment is not
// settled, and ids.
var unsteady = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`>2\r\n\$10\r\ninvalidate\r\n(_\r\n|\*\d+\r\n(\$\d+\r\n\{t\}\w+\r\n)+)`), ""},
	{regexp.MustCompile(`(\$2\r\nid\r\n):\d+\r\n`), "${1}:ID\r\n"},
}

// chat is what a random session says, in pieces.
type chat struct {
	lines  []string
	pieces []int // lengths of what is written at once; the rest is the last one
}

// wire is what is sent. RESET ends what would keep QUIT from having a reply: without one Redis does not close.
func (c *chat) wire() (wire []byte) {
	for _, line := range append([]string{"DEL {t}k {t}h {t}z"}, c.lines...) {
		wire = resp.AppendCommand(wire, strings.Split(line, " ")...)
	}
	return resp.AppendCommand(resp.AppendCommand(wire, "RESET"), "QUIT")
}

// with returns what a server at addr answers to it until it closes.
func (c *chat) with(t *testing.T, addr string) string {
	t.Helper()
	cl := proxytest.Connect(t, addr)
	defer cl.Close()
	cl.SetPatience(patience)
	wire := c.wire()
	for _, n := range append(slices.Clone(c.pieces), len(wire)) {
		n = min(n, len(wire))
		if err := cl.Send(wire[:n]); err != nil {
			t.Fatalf("%q: %v", c.lines, err)
		}
		wire = wire[n:]
	}
	replies, err := cl.ReadRest()
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%q at %s: %v after %q", c.lines, addr, err, replies)
	}
	text := string(replies)
	for _, u := range unsteady {
		text = u.what.ReplaceAllString(text, u.by)
	}
	return text
}

// chatter makes up chats.
type chatter struct{ chooser }

func (v chatter) chat() *chat {
	c := &chat{}
	for range 2 + v.choose(30) {
		c.lines = append(c.lines, sayings[v.choose(len(sayings))])
	}
	for range v.choose(2) * v.choose(12) {
		c.pieces = append(c.pieces, 1+v.choose(100))
	}
	return c
}

// differing returns what the proxy and Redis say to c, if that is not the same.
func (c *chat) differing(t *testing.T, d *duel) (got, want string, differ bool) {
	t.Helper()
	want = c.with(t, d.servers[0].Addr)
	got = c.with(t, d.proxy.Addr)
	return got, want, got != want
}

// shorten leaves out lines without which there is a difference all the same.
func (c *chat) shorten(t *testing.T, d *duel) {
	t.Helper()
	for i := len(c.lines) - 1; i >= 0; i-- {
		fewer := &chat{lines: slices.Delete(slices.Clone(c.lines), i, i+1), pieces: c.pieces}
		if _, _, differ := fewer.differing(t, d); differ {
			c.lines = fewer.lines
		}
	}
}

// leastChats is how many there are on however slow a machine.
const leastChats = 30

// TestRandomSessionsAreAlike has random sessions with the proxy and with Redis, of which all that comes back is compared byte
// by byte. A difference counts only if it comes again.
func TestRandomSessionsAreAlike(t *testing.T) {
	d, v := newDuel(t), chatter{seeded(t)}
	d.empty(t)
	chats := 0
	for until := time.Now().Add(3 * *spell); chats < leastChats || time.Now().Before(until); chats++ {
		c := v.chat()
		if _, _, differ := c.differing(t, d); !differ {
			continue
		}
		if _, _, differ := c.differing(t, d); !differ {
			continue
		}
		c.shorten(t, d)
		if got, want, differ := c.differing(t, d); differ {
			t.Fatalf("%q in pieces of %d\n proxy says %s\n redis says %s", c.lines, c.pieces, fmt.Sprintf("%q", got), fmt.Sprintf("%q", want))
		}
	}
	t.Logf("there were %d sessions", chats)
}
