package differ

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// duel is the proxy and the server that it is compared with.
type duel struct {
	// Set at construction.
	proxy   *proxytest.Proxy
	servers []*redistest.Server // the plain one first, then the cluster's
	kind    serverKind
	table   *command.Table // of the plain server
	diff    *differences
	flusher *proxytest.Dialog // to the proxy

	answered map[string]bool // by command: a script called it, Redis did not answer an error, and the proxy had to do so, too
	called   map[string]bool // likewise: a script called it
}

// slow is what slow logs take. What a late machine takes long for is none of it.
const slow = 10 * time.Minute

func newDuel(t *testing.T) *duel {
	t.Helper()
	c := cluster.Get(t)
	cfg := proxytest.Config{Seeds: c.Addrs()}
	cfg.Proxy.NoClusterEmulation = true // package proxy compares the other way with a cluster of one node
	cfg.Proxy.SlowerThan = slow
	d := &duel{
		proxy: proxytest.Start(t, cfg), servers: []*redistest.Server{plain.Get(t)},
		diff: loadDifferences(t), answered: map[string]bool{}, called: map[string]bool{},
	}
	for _, n := range c.Nodes() {
		d.servers = append(d.servers, n.Server)
	}
	for _, s := range d.servers {
		if err := s.Client().ConfigSet(t.Context(), "slowlog-log-slower-than", fmt.Sprint(slow.Microseconds())).Err(); err != nil {
			t.Fatal(err)
		}
	}
	d.table, d.kind = tableOf(t, d.servers[0]), kindOf(t, d.servers[0])
	d.flusher = proxytest.Connect(t, d.proxy.Addr)
	return d
}

// tableOf asks a server for its commands. Nothing but the server's own is in it.
func tableOf(t testing.TB, s *redistest.Server) *command.Table {
	t.Helper()
	reply, err := s.Client().Do(t.Context(), "COMMAND").Result()
	if err != nil {
		t.Fatal(err)
	}
	infos, err := command.InfosFromReply(reply)
	if err != nil {
		t.Fatal(err)
	}
	return (&command.Table{}).Overlay(infos)
}

// empty makes all servers forget what a script left behind.
func (d *duel) empty(t *testing.T) {
	t.Helper()
	for _, s := range d.servers {
		_, err := s.Client().Pipelined(t.Context(), func(p redis.Pipeliner) error {
			p.FlushAll(t.Context())
			p.FunctionFlush(t.Context())
			p.ScriptFlush(t.Context())
			p.Do(t.Context(), "SLOWLOG", "RESET")
			p.Do(t.Context(), "ACL", "LOG", "RESET")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The proxy gives a script that it has seen to a node that has lost it.
	if v := d.flusher.Do("SCRIPT", "FLUSH"); v.Str != "OK" {
		t.Fatalf("SCRIPT FLUSH: %+v", v)
	}
}

// sides are the proxy's and Redis's.
func (d *duel) sides(proto resp.Proto) (ours, theirs *side) {
	return newSide(d.proxy.Addr, proto, d.servers[1:], d.proxy.Dispatcher.Claims), newSide(d.servers[0].Addr, proto, d.servers[:1], nil)
}

// play plays a script against both.
func (d *duel) play(t *testing.T, sc *script, proto resp.Proto, pipelined bool) {
	t.Helper()
	d.empty(t)
	ours, theirs := d.sides(proto)
	defer ours.close()
	defer theirs.close()
	var steps []*step
	for _, st := range sc.steps {
		if (st.proto == 0 || st.proto == proto) && st.servers.has(d.kind) {
			steps = append(steps, st)
		}
	}
	playing := d.stepByStep
	if pipelined {
		playing = d.asPipeline
	}
	if !playing(t, sc, steps, ours, theirs) {
		return
	}
	if err := theirs.ended(); err != nil {
		t.Errorf("%s:%d: Redis, %v", sc.file, sc.line, err)
	}
	if err := ours.ended(); err != nil {
		t.Errorf("%s:%d: %v", sc.file, sc.line, err)
	}
}

// stepByStep waits for the reply of each command before it sends the next. It reports whether the conversation went on to
// the end, with right answers or wrong ones.
func (d *duel) stepByStep(t *testing.T, sc *script, steps []*step, ours, theirs *side) bool {
	t.Helper()
	for _, st := range steps {
		want, err := theirs.take(st)
		if err != nil {
			t.Errorf("%s: Redis: %v", describe(sc, st), err)
			return false
		}
		got, err := ours.take(st)
		for begun := time.Now(); err == nil && st.soon && !st.alike(got, want) && time.Since(begun) < patience; {
			got, err = ours.take(st)
		}
		if err != nil {
			t.Errorf("%s: %v\n redis says %s", describe(sc, st), err, quoted(want))
			return false
		}
		d.compare(t, sc, st, got, want)
	}
	return true
}

// asPipeline sends all commands before it reads a reply.
func (d *duel) asPipeline(t *testing.T, sc *script, steps []*step, ours, theirs *side) bool {
	t.Helper()
	var all [2][][][]byte
	for i, s := range []*side{theirs, ours} {
		c, err := s.client("")
		if err != nil {
			t.Errorf("%s:%d: %v", sc.file, sc.line, err)
			return false
		}
		var wire []byte
		for _, st := range steps {
			args, err := s.args(st)
			if err != nil {
				t.Errorf("%s: %v", describe(sc, st), err)
				return false
			}
			wire = resp.AppendCommand(wire, args...)
		}
		sent := make(chan error, 1)
		go s.sendAll(c, wire, sent)
		for _, st := range steps {
			replies, err := s.hear(c, st)
			if err != nil {
				t.Errorf("%s: at %s: %v", describe(sc, st), s.addr, err)
				c.Close()
				<-sent
				return false
			}
			all[i] = append(all[i], replies)
		}
		if err := <-sent; err != nil {
			t.Errorf("%s:%d: sending to %s: %v", sc.file, sc.line, s.addr, err)
			return false
		}
	}
	for i, st := range steps {
		d.compare(t, sc, st, all[1][i], all[0][i])
	}
	return true
}

// compare judges the replies to one step.
func (d *duel) compare(t *testing.T, sc *script, st *step, got, want [][]byte) {
	t.Helper()
	if !st.silent {
		d.note(st, want)
	}
	if testing.Verbose() {
		t.Logf("%s: %s", describe(sc, st), quoted(want))
	}
	if st.differs != "" {
		entry := d.diff.answers[st.differs]
		if entry == nil {
			t.Errorf("%s: %s knows no answer %s", describe(sc, st), differencesFile, st.differs)
		} else if fault := entry.judge(joined(got), joined(want), d.kind.number == scriptedFor); fault != "" {
			t.Errorf("%s: %s\n proxy says %s\n redis says %s", describe(sc, st), fault, quoted(got), quoted(want))
		}
		return
	}
	for i := range want {
		if !st.how.same(got[i], want[i]) {
			t.Errorf("%s\n proxy says %s\n redis says %s", describe(sc, st), quoted(got[i:i+1]), quoted(want[i:i+1]))
		}
	}
}

// note counts the command as played.
func (d *duel) note(st *step, replies [][]byte) {
	row, err := d.table.Lookup(st.names())
	if row == nil || err != nil && !row.IsContainer() {
		// Lookup looks at the arity, too: the rest of the arguments is unknown here.
		row = nameOf(d.table, st.names())
	}
	if row == nil {
		return
	}
	d.called[row.Name] = true
	if st.differs == "" && (len(replies) == 0 || replies[0][0] != '-') {
		d.answered[row.Name] = true
	}
}

// nameOf finds the row of a command whose name args begin with.
func nameOf(table *command.Table, args [][]byte) *command.Row {
	row := table.Row(lower(args[0]))
	if row != nil && row.IsContainer() && len(args) > 1 {
		return table.Row(lower(args[0]) + "|" + lower(args[1]))
	}
	return row
}

// describe says which step of which script it is.
func describe(sc *script, st *step) string {
	args := make([]string, 0, len(st.words))
	for _, w := range st.words {
		args, _ = w.appendTo(args, map[string]string{w.name: "${" + w.name + "}"})
		if len(args) > 12 {
			args = append(args[:12], "...")
			break
		}
	}
	return fmt.Sprintf("%s:%d (%s): %.200q", sc.file, st.line, sc.name, args)
}

// maxQuoted is how much of a reply a message has.
const maxQuoted = 600

// quoted is what replies look like in a message.
func quoted(replies [][]byte) string {
	all := joined(replies)
	if len(all) <= maxQuoted {
		return fmt.Sprintf("%q", all)
	}
	return fmt.Sprintf("%q... (%d bytes)", all[:maxQuoted], len(all))
}

func joined(replies [][]byte) (all []byte) {
	for _, r := range replies {
		all = append(all, r...)
	}
	return all
}

// alike reports whether the replies to a step count as the same.
func (st *step) alike(got, want [][]byte) bool {
	for i := range want {
		if !st.how.same(got[i], want[i]) {
			return false
		}
	}
	return true
}
