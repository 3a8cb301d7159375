package dispatcher

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// scene is where a transcript is played: nodes, a Dispatcher between, and sessions.
type scene struct {
	t     testing.TB
	chart *chart
	rig   *rig
	cfg   Config
	pool  backend.Config

	table    *slots.Table // before the first session
	peers    map[string]*peer
	sessions map[string]*session

	story   strings.Builder // the transcript so far
	down    atomic.Int32    // nodes nobody can connect to, or could not when the last step began
	revived int32           // those of them that listen again

	tracking bool // a session does

	mu sync.Mutex
	// Guarded by mu.
	heard map[string][]string // what came out since the last call of harvest, by who heard it
}

func newScene(t testing.TB) *scene {
	sc := &scene{
		t: t, table: slots.NewTable(slots.Hash), peers: map[string]*peer{},
		sessions: map[string]*session{}, heard: map[string][]string{},
	}
	sc.cfg.RedirectTimeout = patience
	sc.chart = newChart(func(event string) { sc.hear("topology", event) })
	return sc
}

// fatalf ends the test with the transcript so far.
func (sc *scene) fatalf(format string, args ...any) {
	sc.t.Helper()
	sc.t.Fatalf("%s\nso far:\n%s", fmt.Sprintf(format, args...), &sc.story)
}

// demand ends the test if there is an error.
func (sc *scene) demand(err error) {
	if err != nil {
		sc.fatalf("%v", err)
	}
}

// hear takes down an event. Topology events that repeat are one: how often a hint is given does not matter. Those that
// keep coming while a node cannot be reached are left out, and so are those that only come if a node is silent for long.
func (sc *scene) hear(who, what string) {
	if what == "refresh: connection lost" && sc.down.Load() > 0 || what == "refresh: a node is silent" {
		return
	}
	if what == "refresh: loading" || what == "refresh: masterdown" {
		sc.keepUnfit()
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if who == "topology" && slices.Contains(sc.heard[who], what) {
		return
	}
	sc.heard[who] = append(sc.heard[who], what)
}

// keepUnfit has members that are left out of reads for a while be left out to the end, however slow the machine is.
func (sc *scene) keepUnfit() {
	members := &sc.rig.d.members
	members.mu.Lock()
	defer members.mu.Unlock()
	for _, m := range members.byAddr {
		if m.unfit.Load() != 0 {
			m.unfit.Store(backend.Now() + int64(10*patience))
		}
	}
}

// node makes a node. It must be called before the first session.
func (sc *scene) node(name string) *peer {
	if sc.peers[name] == nil {
		sc.peers[name] = newPeer(sc.t, name, func(p *peer, args []string) { sc.hear(p.name, line(args)) })
	}
	return sc.peers[name]
}

// own gives slots to a primary in the layout before the first session.
func (sc *scene) own(name string, from, to int) {
	sc.table.Shards = append(sc.table.Shards, &slots.Shard{Primary: &slots.Node{Addr: sc.node(name).addr, Healthy: true}})
	for slot := from; slot <= to; slot++ {
		sc.table.Slot[slot] = uint16(len(sc.table.Shards) - 1)
	}
}

// replicate makes a replica of a primary, likewise.
func (sc *scene) replicate(name, primary string) {
	for _, sh := range sc.table.Shards {
		if sh.Primary.Addr == sc.peers[primary].addr {
			sh.Replicas = append(sh.Replicas, &slots.Node{Addr: sc.node(name).addr, Healthy: true})
			return
		}
	}
	sc.fatalf("%s is no primary", primary)
}

// begin starts the Dispatcher with the layout made so far.
func (sc *scene) begin() {
	if sc.rig != nil {
		return
	}
	sc.rig = newRig(sc.t, sc.cfg, sc.pool, sc.chart)
	sc.chart.publish(sc.table)
}

func (sc *scene) session(name string) *session {
	sc.begin()
	s := sc.sessions[name]
	if s == nil {
		s = sc.rig.newSession()
		sc.sessions[name] = s
	}
	return s
}

// route makes the cluster say that the slot of key is a node's, or nobody's.
func (sc *scene) route(key, name string) {
	addr := ""
	if name != "" {
		addr = sc.peers[name].addr
	}
	sc.begin()
	sc.chart.assign(slots.Hash([]byte(key)), addr)
}

// harvest waits until all that can happen has happened, and returns it: what each node, each client and the topology
// heard, in this order.
func (sc *scene) harvest() []string {
	sc.t.Helper()
	sc.begin()
	if !polled(sc.atRest) {
		sc.fatalf("the scene does not come to rest: %s", sc.describe())
	}
	for name, s := range sc.sessions {
		for rest := s.take(); len(rest) > 0; {
			n, err := resp.ReplyLen(rest)
			if err != nil || n == 0 {
				sc.fatalf("%s got %q, not a reply", name, rest)
			}
			sc.hear(name, quoted(string(rest[:n])))
			rest = rest[n:]
		}
	}
	sc.down.Add(-sc.revived) // somebody may have tried a moment before
	sc.revived = 0
	sc.mu.Lock()
	defer sc.mu.Unlock()
	var lines []string
	for _, who := range sc.cast() {
		for _, what := range sc.heard[who] {
			lines = append(lines, who+"< "+sc.named(what))
		}
	}
	clear(sc.heard)
	return lines
}

// describe says what is under way.
func (sc *scene) describe() string {
	var b strings.Builder
	for name, s := range sc.sessions {
		flying, still := sc.look(s)
		fmt.Fprintf(&b, "%s: %d requests, %d flying, still: %t; ", name, s.pipe.Len(), flying, still)
	}
	for name, p := range sc.peers {
		open, asking := p.open()
		fmt.Fprintf(&b, "%s: %d in flight, %d to answer, %d of them ASKING; ", name, sc.rig.pool.Node(p.addr).InFlight(), open, asking)
	}
	return sc.named(b.String())
}

// cast returns nodes, clients and the topology.
func (sc *scene) cast() []string {
	var nodes, clients []string
	for name := range sc.peers {
		nodes = append(nodes, name)
	}
	for name := range sc.sessions {
		clients = append(clients, name)
	}
	slices.Sort(nodes)
	slices.Sort(clients)
	return slices.Concat(nodes, clients, []string{"topology"})
}

// atRest looks twice: nodes are looked at behind sessions, and what a node has heard in between, a session may have sent while
// it had more to do.
func (sc *scene) atRest() bool {
	first := sc.resting()
	return first && sc.resting()
}

// resting reports whether nothing moves: every request is at a node, or behind one that is, or its node is down; and
// every reply has reached its client. A node may have more to answer than there are requests: some are past their deadline.
func (sc *scene) resting() bool {
	flying := 0
	for _, s := range sc.sessions {
		n, still := sc.look(s)
		if !still {
			return false
		}
		flying += n
	}
	for _, p := range sc.peers {
		open, asking := p.open()
		if sc.rig.pool.Node(p.addr).InFlight() != open || !sc.settled(p) {
			return false
		}
		flying -= open - asking
	}
	return flying <= 0
}

// look returns how many commands of a session are on their way, and whether nothing of it is about to happen.
func (sc *scene) look(s *session) (flying int, still bool) {
	p := s.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	held := 0
	for seq := p.head; seq < p.tail; seq++ {
		r := p.atLocked(seq)
		r.each(func(pt *part) {
			switch {
			case r.done:
			case pt.state == partFlying:
				flying++
			case pt.state == partHeld:
				held++
			}
		})
	}
	for _, h := range p.holds {
		held -= len(h.waiting)
		if !p.closed && !sc.stuckLocked(p, h.waiting[0]) {
			return 0, false
		}
	}
	flying += held // whose keys a node was asked for
	s.mu.Lock()
	defer s.mu.Unlock()
	return flying, !p.dirty && !p.late && len(s.committed) == 0
}

// stuckLocked reports whether a part at the head of its hold waits for something that only the transcript can bring.
func (sc *scene) stuckLocked(p *Pipeline, pt *part) bool {
	lane, _ := p.pickLocked(pt, p.d.routes.Load())
	if lane == nil {
		return pt.detour == nil || pt.deadline == 0 || time.Duration(pt.deadline-backend.Now()) > patience/2
	}
	for _, peer := range sc.peers {
		if peer.addr == lane.Node().Addr && peer.down() {
			return true
		}
	}
	return p.overtakesLocked(pt, lane, p.stagedFrom)
}

// named writes addresses as @names, which the transcript has in their place.
func (sc *scene) named(text string) string {
	for name, p := range sc.peers {
		text = strings.ReplaceAll(text, p.addr, "@"+name)
	}
	return text
}

// addressed is the reverse. @A.port is the port alone.
func (sc *scene) addressed(text string) string {
	for name, p := range sc.peers {
		_, port, _ := strings.Cut(p.addr, ":")
		text = strings.ReplaceAll(text, "@"+name+".port", port)
		text = strings.ReplaceAll(text, "@"+name, p.addr)
	}
	return text
}
