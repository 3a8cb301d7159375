package differ

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

var (
	seed  = flag.Uint64("seed", 0, "of the random commands; 0: another one each time")
	spell = flag.Duration("spell", 3*time.Second, "for how long random commands are sent")
)

// seeded returns dice, and prints how to throw the same again.
func seeded(t *testing.T) dice {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("to repeat: go test ./internal/differ -run %s -seed %d", t.Name(), s)
	return dice{rand.New(rand.NewPCG(s, 0))}
}

// notAtRandom are commands, or containers for all of theirs, that a test with random arguments keeps away from.
var notAtRandom = map[string]string{
	"quit": "ends the session", "client|reply": "takes replies away", "client|kill": "ends sessions", "client|pause": "stops all",
	"auth": "ends what the session may do", "hello": "likewise", "reset": "takes the session back to RESP2",
	"migrate": "a node looks up hosts that do not exist, which takes long", "shutdown": "ends servers",
	"config|set": "changes how servers work", "config|rewrite": "writes files", "acl|setuser": "changes who may do what",
	"acl|deluser": "likewise", "acl|load": "likewise", "acl|save": "writes files", "monitor": "its replies have no end",
	"client|tracking": "sends what is no reply", "subscribe": "likewise", "psubscribe": "likewise", "ssubscribe": "likewise",
	"unsubscribe": "has many replies", "punsubscribe": "likewise", "sunsubscribe": "likewise",
	"multi": "changes what replies are", "exec": "likewise", "discard": "likewise", "watch": "likewise", "unwatch": "likewise",
	"function|restore": "would have to be a dump", "wait": "waits",
}

// rowsAtRandom are the rows of a server's COMMAND that may be called with whatever comes.
func rowsAtRandom(table *command.Table) (rows []*command.Row) {
	for row := range table.Rows() {
		container, _, _ := strings.Cut(row.Name, "|")
		mere := row.IsContainer() && row.Arity < -1
		if !mere && notAtRandom[row.Name] == "" && notAtRandom[container] == "" {
			rows = append(rows, row)
		}
	}
	return rows
}

// losses is how many connections to nodes the proxy has lost.
func losses(t testing.TB, p *proxytest.Proxy) (n int) {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(p.Pool); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		if f.GetName() == "redis_cluster_proxy_node_connection_losses_total" {
			found = true
			for _, m := range f.Metric {
				n += int(m.Counter.GetValue())
			}
		}
	}
	if !found {
		t.Fatal("no metric counts lost connections")
	}
	return n
}

// TestRandomCommandsAreAnsweredOnce sends pipelines of random commands over several sessions at once. A marker behind each
// command must come back behind exactly one reply, no session hangs, and no connection to a node is lost.
func TestRandomCommandsAreAnsweredOnce(t *testing.T) {
	d, chance := newDuel(t), seeded(t)
	rows, g := rowsAtRandom(d.table), grammarOf(t, d.servers[0])
	before := losses(t, d.proxy)
	until := time.Now().Add(*spell)
	var running sync.WaitGroup
	for i := range 6 {
		v := &inventor{chooser: dice{rand.New(rand.NewPCG(chance.Uint64(), 0))}, rows: rows, grammar: g, tag: []string{"", "{t}"}[i%2]}
		c := proxytest.Connect(t, d.proxy.Addr)
		c.SetPatience(patience)
		if i%3 > 0 {
			c.Do("HELLO", "3")
		}
		running.Add(1)
		go inventing{c.Client, v, until, i}.run(t, &running)
	}
	running.Wait()
	for _, s := range d.servers[1:] {
		if err := s.Client().Ping(t.Context()).Err(); err != nil {
			t.Errorf("node %s afterwards: %v", s.Addr, err)
		}
	}
	if n := losses(t, d.proxy) - before; n > 0 {
		t.Errorf("%d connections to nodes were lost", n)
	}
}

// inventing is a session with random commands.
type inventing struct {
	c     *proxytest.Client
	v     *inventor
	until time.Time
	id    int
}

func (s inventing) run(t *testing.T, running *sync.WaitGroup) {
	defer running.Done()
	sent := 0
	for sent < leastSent || time.Now().Before(s.until) {
		n := 1 + s.v.choose(30)
		if err := oneReplyEach(s.c, s.v, n); err != nil {
			t.Errorf("session %d after %d commands: %v", s.id, sent, err)
			return
		}
		sent += n
	}
}

// leastSent is how many commands a session sends on however slow a machine.
const leastSent = 100

// oneReplyEach sends n commands with a marker behind each, and reads as many replies.
func oneReplyEach(c *proxytest.Client, v *inventor, n int) error {
	var wire []byte
	var calls [][]string
	for i := range n {
		_, args := v.command()
		calls = append(calls, args)
		wire = resp.AppendCommand(wire, args...)
		wire = resp.AppendCommand(wire, "ECHO", "marker "+strconv.Itoa(i))
	}
	if err := c.Send(wire); err != nil {
		return err
	}
	for i, args := range calls {
		for _, want := range []string{"", "marker " + strconv.Itoa(i)} {
			v, err := c.Read()
			if err != nil {
				return fmt.Errorf("%.300q: %w", args, err)
			}
			if isMarker := v.Kind == '$' && strings.HasPrefix(v.Str, "marker "); isMarker != (want != "") || isMarker && v.Str != want {
				return fmt.Errorf("%.300q: the reply is %.300q, want %q", args, fmt.Sprintf("%+v", v), want)
			}
		}
	}
	return nil
}

// FuzzCommands is TestRandomCommandsAreAnsweredOnce with a fuzzer to choose what is sent.
func FuzzCommands(f *testing.F) {
	p := proxytest.Start(f, proxytest.Config{Seeds: cluster.Get(f).Addrs()})
	s := cluster.Get(f).Nodes()[0].Server
	rows, g := rowsAtRandom(tableOf(f, s)), grammarOf(f, s)
	f.Add([]byte("a"))
	f.Add([]byte(strings.Repeat("\x00\x10\xff\x03\x77\x21", 20)))
	f.Fuzz(func(t *testing.T, choices []byte) {
		c := proxytest.Connect(t, p.Addr)
		c.SetPatience(patience)
		v := &inventor{chooser: &tape{choices}, rows: rows, grammar: g}
		if v.choose(2) == 1 {
			c.Do("HELLO", "3")
			v.tag = "{t}"
		}
		if err := oneReplyEach(c.Client, v, 1+v.choose(10)); err != nil {
			t.Error(err)
		}
	})
}
