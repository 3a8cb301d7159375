package proxy_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestOrder has many clients send random pipelines, over TCP and cut into random pieces, while slots migrate, nodes fail
// over, and connections on both sides are cut. Every reply must be its own request's, each client's acknowledged writes of a
// key must have been executed once and in the order in which they were sent, and the only errors are those of writes whose
// result is unknown.
func TestOrder(t *testing.T) {
	nodes := redistest.StartFakeCluster(t)
	p := proxytest.Start(t, proxytest.Config{Seeds: nodes.Addrs(), ConnectTimeout: time.Second})
	c := &crowd{addr: p.Addr}
	for i := range 16 {
		c.members = append(c.members, &member{
			crowd: c, name: "c" + strconv.Itoa(i), rng: rand.New(rand.NewPCG(2, uint64(i))), acked: map[string][]string{},
		})
	}
	var running sync.WaitGroup
	for _, m := range c.members {
		running.Go(m.run)
	}
	c.disturb(t, nodes)
	c.stop.Store(true)
	running.Wait()
	c.check(t, nodes)
}

// crowdTags is how many hash tags a crowd's keys have.
const crowdTags = 5

func crowdKey(tag, i int) string { return fmt.Sprintf("{c%d}%d", tag, i) }

// crowd is clients that send ids and take down what became of them.
type crowd struct {
	addr    string
	members []*member
	stop    atomic.Bool
}

// member is one client. Its fields are for its goroutine, and for check when that has ended.
type member struct {
	crowd *crowd
	name  string
	rng   *rand.Rand

	rounds atomic.Int64 // rounds begun; all that was sent before has been answered, or its connection is closed

	client                *proxytest.Client
	nextID                int
	acked                 map[string][]string // by key, the ids of acknowledged writes, in the order sent
	replies, unknown, cut int
	err                   error
}

// errand is a request of a member, whose reply is to be want.
type errand struct {
	want   string
	writes [][2]string // keys and ids
}

func (m *member) run() {
	defer m.rounds.Store(1 << 60) // nobody waits for it any more
	for !m.crowd.stop.Load() && m.err == nil {
		m.rounds.Add(1)
		m.err = m.round()
	}
	if m.client != nil {
		m.client.Close()
	}
}

// round sends a pipeline in a few pieces and takes the replies, or leaves without them.
func (m *member) round() (err error) {
	if m.client == nil {
		if m.client, err = proxytest.Dial(m.crowd.addr); err != nil {
			return err
		}
	}
	var raw []byte
	errands := make([]errand, 1+m.rng.IntN(60))
	for i := range errands {
		raw = m.errand(raw, &errands[i])
	}
	for len(raw) > 0 {
		n := 1 + m.rng.IntN(len(raw))
		if err := m.client.Send(raw[:n]); err != nil {
			return err
		}
		raw = raw[n:]
	}
	if m.rng.IntN(40) == 0 {
		m.cut++
		err := m.client.Reset()
		m.client = nil
		return err
	}
	for i, e := range errands {
		v, err := m.client.Read()
		if err == nil {
			err = m.note(e, v)
		}
		if err != nil {
			return fmt.Errorf("reply %d of %d: %w", i, len(errands), err)
		}
	}
	return nil
}

func (m *member) id() string {
	m.nextID++
	id := m.name + "-" + strconv.Itoa(m.nextID)
	if m.rng.IntN(50) == 0 { // so much that it is passed on without being copied
		id += strings.Repeat("-", 20<<10)
	}
	return id
}

// errand appends a random command: one that the proxy answers itself, a read, a write, or a write of several slots.
func (m *member) errand(raw []byte, e *errand) []byte {
	tag, id := m.rng.IntN(crowdTags), m.id()
	key := crowdKey(tag, m.rng.IntN(2))
	e.want = id
	switch n := m.rng.IntN(12); {
	case n == 0:
		return resp.AppendCommand(raw, "PING", id)
	case n < 5:
		return resp.AppendCommand(raw, "fake.read", key, id)
	case n < 11:
		e.writes = [][2]string{{key, id}}
		return resp.AppendCommand(raw, "fake.write", key, id)
	}
	e.want = "OK"
	args := []string{"MSET"}
	for i := range 3 { // of different slots: a node that has only some of a part's keys would refuse it
		key, id := crowdKey((tag+i)%crowdTags, m.rng.IntN(2)), m.id()
		e.writes = append(e.writes, [2]string{key, id})
		args = append(args, key, id)
	}
	return resp.AppendCommand(raw, args...)
}

// note takes a reply down.
func (m *member) note(e errand, v resp.Value) error {
	m.replies++
	switch {
	case v.Kind == '-' && e.writes != nil && strings.HasPrefix(v.Str, "UNKNOWNRESULT "):
		m.unknown++
	case v.Kind == '-' || v.Str != e.want:
		return fmt.Errorf("%.100q for %.100q", v.Str, e.want)
	default:
		for _, w := range e.writes {
			m.acked[w[0]] = append(m.acked[w[0]], w[1])
		}
	}
	return nil
}

// passed waits until everything that is under way has been answered. Otherwise a slot that has left a node could be back
// there while commands still stand in line, which the node would then execute in another order than the proxy can restore.
// It does so twice: what was sent meanwhile may have gone by routes that were out of date.
func (c *crowd) passed(t *testing.T) {
	t.Helper()
	for range 2 {
		c.passedOnce(t)
	}
}

func (c *crowd) passedOnce(t *testing.T) {
	t.Helper()
	seen := map[*member]int64{}
	for _, m := range c.members {
		seen[m] = m.rounds.Load()
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(proxytest.Patience)
	for _, m := range c.members {
		for ; m.rounds.Load() <= seen[m]; <-tick.C {
			if time.Now().After(end) {
				t.Fatalf("%s stands still", m.name)
			}
		}
	}
}

// disturb changes the cluster for a while.
func (c *crowd) disturb(t *testing.T, nodes *redistest.FakeCluster) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 25 {
		n := nodes.Nodes()[rng.IntN(6)]
		switch rng.IntN(5) {
		case 0:
			n.CutConns()
		case 1:
			n.CutAfterReplyBytes(rng.IntN(200))
		case 2:
			if replicas := nodes.ReplicasOf(n); len(replicas) > 0 {
				n.Kill()
				nodes.Failover(replicas[0])
				c.passed(t)
				if err := n.Revive(); err != nil {
					t.Fatal(err)
				}
			}
		default:
			slot, primaries := redistest.Slot(crowdKey(rng.IntN(crowdTags), 0)), nodes.Primaries()
			nodes.BeginMigrate(slot, primaries[rng.IntN(len(primaries))])
			c.passed(t)
			nodes.MigrateKeys(slot, 1)
			c.passed(t)
			nodes.EndMigrate(slot)
		}
		c.passed(t)
	}
}

// check compares what was acknowledged with what was executed.
func (c *crowd) check(t *testing.T, nodes *redistest.FakeCluster) {
	replies, unknown, cut := 0, 0, 0
	for _, m := range c.members {
		if m.err != nil {
			t.Errorf("%s: %v", m.name, m.err)
		}
		replies, unknown, cut = replies+m.replies, unknown+m.unknown, cut+m.cut
	}
	moved, asked := nodes.Errors("MOVED"), nodes.Errors("ASK")
	t.Logf("%d replies, %d of them UNKNOWNRESULT; %d clients left; %d MOVED, %d ASK", replies, unknown, cut, moved, asked)
	if replies < 1000 || unknown*5 > replies || cut == 0 || moved == 0 || asked == 0 {
		t.Error("that proves nothing")
	}
	for tag := range crowdTags {
		for i := range 2 {
			c.checkKey(t, nodes, crowdKey(tag, i))
		}
	}
}

func (c *crowd) checkKey(t *testing.T, nodes *redistest.FakeCluster, key string) {
	var acked [][]string
	for _, m := range c.members {
		acked = append(acked, m.acked[key])
	}
	nodes.CheckWrites(t, key, acked...)
}
