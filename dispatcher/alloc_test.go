package dispatcher

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// trip is a Pipeline whose peer is a server in another process, so that whatever is allocated is allocated by the hot path.
type trip struct {
	rig   *rig
	pipe  *Pipeline
	awake chan struct{}

	// Guarded by the Pipeline's lock.
	gathered int
	replies  int
	errors   int
}

func newTrip(tb testing.TB) *trip {
	server := redistest.StartServer(tb)
	c := newChart(func(string) {})
	r := newRig(tb, Config{}, backend.Config{}, c)
	table := slots.NewTable(slots.Hash)
	table.Shards = []*slots.Shard{{Primary: &slots.Node{Addr: server.Addr, Healthy: true}}}
	clear(table.Slot[:])
	c.publish(table)
	tr := &trip{rig: r, awake: make(chan struct{}, 1)}
	tr.pipe = NewPipeline(r.d, tr, 1, backend.Profile{})
	tb.Cleanup(tr.pipe.Close)
	return tr
}

// Append implements Sink.
func (tr *trip) Append(reply []byte) {
	tr.gathered += len(reply)
	tr.replies++
	if reply[0] == '-' {
		tr.errors++
	}
}

// AppendChunk implements Sink.
func (tr *trip) AppendChunk(reply []byte, _ *backend.Chunk) { tr.Append(reply) }

// Slow implements Sink.
func (tr *trip) Slow(Slow) { tr.errors++ } // nothing is to be slow

// Gathered implements Sink.
func (tr *trip) Gathered() int { return tr.gathered }

// Commit implements Sink.
func (tr *trip) Commit() { tr.gathered = 0 }

// Flush implements Sink.
func (tr *trip) Flush() {}

// Settle implements Sink.
func (tr *trip) Settle() {}

// Wake implements Sink.
func (tr *trip) Wake() { tr.awake <- struct{}{} }

// parsed is a command as a session has it.
type parsed struct {
	row   *command.Row
	cmd   resp.Command
	chunk *backend.Chunk // that cmd is a part of
}

func (tr *trip) parse(tb testing.TB, args ...string) parsed {
	var parser resp.CommandParser
	raw := resp.AppendCommand(nil, args...)
	chunk := netio.NewChunk(len(raw))
	cmd, n, err := parser.Next(chunk.B[:copy(chunk.B, raw)])
	if err != nil || n == 0 {
		tb.Fatal(n, err)
	}
	row, err := tr.rig.lookup(cmd.Args)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed{row, cmd, chunk}
}

// make sends the commands in one go and waits for all replies.
func (tr *trip) make(cmds []parsed) {
	tr.pipe.Begin(backend.Now())
	for i := range cmds {
		tr.pipe.Dispatch(cmds[i].row, &cmds[i].cmd, cmds[i].chunk)
	}
	tr.pipe.Flush()
	for tr.pipe.Busy() {
		<-tr.awake
	}
}

// trips are what the allocation test and the benchmark send.
func (tr *trip) trips(tb testing.TB) map[string][]parsed {
	get, set := tr.parse(tb, "GET", "foo"), tr.parse(tb, "SET", "foo", "bar")
	trips := map[string][]parsed{
		"GET": {get}, "SET": {set},
		"large": {tr.parse(tb, "SET", "big", strings.Repeat("x", 20<<10)), tr.parse(tb, "GET", "big")},
		"MGET":  {tr.parse(tb, "MGET", "foo", "bar", "big", "hello")},
		"MSET":  {tr.parse(tb, "MSET", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j", "10")},
	}
	for range 50 {
		trips["pipeline"] = append(trips["pipeline"], get, set)
	}
	return trips
}

// TestHotPathAllocatesNothing counts what the whole process allocates while requests go to a server and back.
func TestHotPathAllocatesNothing(t *testing.T) {
	limit := 0.1
	if raceEnabled {
		limit = 30 // the race detector makes sync.Pool drop things at random
	}
	tr := newTrip(t)
	for name, cmds := range tr.trips(t) {
		const times = 1000
		tr.make(cmds) // buffers grow
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			tr.make(cmds)
		}
		runtime.ReadMemStats(&after)
		// Not quite nothing: a garbage collection empties the pools, which are then filled again.
		per := float64(after.Mallocs-before.Mallocs) / times / float64(len(cmds))
		if per >= limit {
			t.Errorf("%s: %.2f allocations per request", name, per)
		}
	}
	if tr.errors > 0 || tr.replies < 5000 {
		t.Errorf("%d replies, %d of them errors", tr.replies, tr.errors)
	}
}

// BenchmarkTrip is a request's way from the session to a real server on loopback and back, the client's socket excepted.
func BenchmarkTrip(b *testing.B) {
	tr := newTrip(b)
	trips := tr.trips(b)
	for _, name := range []string{"GET", "SET", "pipeline", "large", "MGET", "MSET"} {
		cmds := trips[name]
		b.Run(fmt.Sprintf("%s/%d", name, len(cmds)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tr.make(cmds)
			}
		})
	}
}
