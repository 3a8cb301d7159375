package dispatcher

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestOrder has many sessions send random pipelines while slots migrate, nodes fail over and connections are cut. Every
// reply must be its own request's, each session's acknowledged writes of a key must have been executed once, in the
// order in which they were sent, and the only errors are those of writes whose result is unknown.
func TestOrder(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  Config
	}{
		{"primaries", Config{}},
		{"replicas", Config{ReadPrefer: PreferReplica, ReadYourWrites: time.Millisecond}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cluster := redistest.StartFakeCluster(t)
			r := newFakeRig(t, tc.cfg, cluster)
			l := newLoad(r, 8)
			var running sync.WaitGroup
			for _, w := range l.workers {
				running.Go(w.run)
			}
			trouble(t, cluster, l, 30)
			l.stop.Store(true)
			running.Wait()
			l.check(t, cluster)
			for _, code := range []string{"MOVED", "ASK"} {
				if cluster.Errors(code) == 0 {
					t.Errorf("nothing was answered with %s", code)
				}
			}
		})
	}
}

// tags are the hash tags of the keys of a load.
const tags = 6

// key is one of two keys of a tag.
func key(tag, i int) string { return fmt.Sprintf("{t%d}%d", tag, i) }

// load is sessions that send ids and take down what became of them.
type load struct {
	workers []*worker
	stop    atomic.Bool
}

// worker is one session. Its fields are for its goroutine, and for check when that has ended.
type worker struct {
	load *load
	name string
	s    *session
	rng  *rand.Rand
	task func() error // what a round is

	rounds atomic.Int64 // rounds begun; all that was sent before has been answered

	nextID  int
	acked   map[string][]string // by key, the ids of acknowledged writes, in the order sent
	unknown int
	replies int
	err     error
}

func newLoad(r *rig, workers int) *load {
	l := &load{}
	for i := range workers {
		w := &worker{
			load: l, name: "w" + strconv.Itoa(i), s: r.newSession(),
			rng: rand.New(rand.NewPCG(1, uint64(i))), acked: map[string][]string{},
		}
		w.task = w.pipeline
		l.workers = append(l.workers, w)
	}
	return l
}

// passed waits until everything that is under way has been answered, and then once more: what was sent meanwhile may have
// gone by routes that were out of date.
func (l *load) passed(t *testing.T) {
	t.Helper()
	for range 2 {
		l.passedOnce(t)
	}
}

func (l *load) passedOnce(t *testing.T) {
	t.Helper()
	seen := make([]int64, len(l.workers))
	for i, w := range l.workers {
		seen[i] = w.rounds.Load()
	}
	on := func() bool {
		for i, w := range l.workers {
			if w.rounds.Load() <= seen[i] {
				return false
			}
		}
		return true
	}
	if polled(on) {
		return
	}
	for i, w := range l.workers {
		if w.rounds.Load() <= seen[i] {
			t.Errorf("%s stands still: %s", w.name, w.s.describe())
		}
	}
	var lanes strings.Builder
	for _, n := range l.workers[0].s.rig.pool.Nodes() {
		n.Describe(&lanes)
	}
	t.Fatal(lanes.String())
}

// sent is one request of a worker, whose reply must be want.
type sent struct {
	want   string
	writes [][2]string // keys and ids
}

func (w *worker) run() {
	defer w.s.close()
	for !w.load.stop.Load() {
		w.rounds.Add(1)
		if w.err = w.task(); w.err != nil {
			w.rounds.Store(1 << 60) // nobody waits for it
			return
		}
	}
	w.rounds.Store(1 << 60)
}

// pipeline sends a few batches without waiting for replies, and then takes these.
func (w *worker) pipeline() error {
	var all []sent
	for range 1 + w.rng.IntN(4) {
		var raw []byte
		for range 1 + w.rng.IntN(20) {
			var one sent
			raw, one = w.append(raw)
			all = append(all, one)
			if w.rng.IntN(8) == 0 { // what the session answers itself
				id := w.id()
				w.s.say(raw)
				w.s.pipe.Local(nil, resp.AppendBulkString(nil, id))
				raw, all = nil, append(all, sent{want: id})
			}
		}
		w.s.say(raw)
	}
	replies, err := w.s.next(len(all))
	if err != nil {
		return err
	}
	for i, v := range replies {
		if err := w.note(all[i], v); err != nil {
			return fmt.Errorf("reply %d of %d: %w", i, len(all), err)
		}
	}
	return nil
}

// ask sends one command and returns its reply.
func (w *worker) ask(args ...string) (resp.Value, error) {
	w.s.say(resp.AppendCommand(nil, args...))
	replies, err := w.s.next(1)
	if err != nil {
		return resp.Value{}, err
	}
	return replies[0], nil
}

func (w *worker) id() string {
	w.nextID++
	return w.name + "-" + strconv.Itoa(w.nextID)
}

// append adds a random command: a read, a write, or a write of several slots at once.
func (w *worker) append(raw []byte) ([]byte, sent) {
	tag, id := w.rng.IntN(tags), w.id()
	k := key(tag, w.rng.IntN(2))
	switch n := w.rng.IntN(10); {
	case n < 4:
		return resp.AppendCommand(raw, "fake.read", k, id), sent{want: id}
	case n < 9:
		return resp.AppendCommand(raw, "fake.write", k, id), sent{id, [][2]string{{k, id}}}
	}
	one, args := sent{want: "OK"}, []string{"MSET"}
	for i := range 3 { // of different slots: a node that has only some of a part's keys would refuse it
		k, id := key((tag+i)%tags, w.rng.IntN(2)), w.id()
		one.writes = append(one.writes, [2]string{k, id})
		args = append(args, k, id)
	}
	return resp.AppendCommand(raw, args...), one
}

// note takes a reply down.
func (w *worker) note(one sent, v resp.Value) error {
	w.replies++
	switch {
	case v.Kind == '-' && len(one.writes) > 0 && strings.HasPrefix(v.Str, "UNKNOWNRESULT "):
		w.unknown++
	case v.Kind == '-' || v.Str != one.want:
		return fmt.Errorf("%q for %q", v.Str, one.want)
	default:
		for _, kv := range one.writes {
			w.acked[kv[0]] = append(w.acked[kv[0]], kv[1])
		}
	}
	return nil
}

// check compares what was acknowledged with what was executed.
func (l *load) check(t *testing.T, cluster *redistest.FakeCluster) {
	replies, unknown := 0, 0
	for _, w := range l.workers {
		if w.err != nil {
			t.Errorf("%s: %v", w.name, w.err)
		}
		replies += w.replies
		unknown += w.unknown
	}
	t.Logf("%d replies, %d of them UNKNOWNRESULT; %d MOVED, %d ASK", replies, unknown, cluster.Errors("MOVED"), cluster.Errors("ASK"))
	if replies < 1000 || unknown*5 > replies {
		t.Errorf("%d replies, %d of them UNKNOWNRESULT: that proves nothing", replies, unknown)
	}
	for tag := range tags {
		for i := range 2 {
			l.checkKey(t, cluster, key(tag, i))
		}
	}
}

func (l *load) checkKey(t *testing.T, cluster *redistest.FakeCluster, k string) {
	var acked [][]string
	for _, w := range l.workers {
		acked = append(acked, w.acked[k])
	}
	cluster.CheckWrites(t, k, acked...)
}

// describe says what a session has under way.
func (s *session) describe() string {
	p := s.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "dirty %t late %t owed %t", p.dirty, p.late, p.owed)
	for seq := p.head; seq < p.tail; seq++ {
		r := p.atLocked(seq)
		r.each(func(pt *part) {
			if r.done || pt.state == partDone {
				return
			}
			fmt.Fprintf(&b, "\n%d %s slot %d", seq, r.row.Name, pt.slot)
			if pt.state == partFlying {
				fmt.Fprintf(&b, " at %s", pt.lane.Node().Addr)
			} else {
				fmt.Fprintf(&b, " held, attempts %d, due in %s, timed %t", pt.attempts, time.Duration(pt.notBefore-backend.Now()), pt.timed)
			}
		})
	}
	return b.String()
}
