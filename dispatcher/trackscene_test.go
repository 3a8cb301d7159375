package dispatcher

import (
	"strings"

	"redis-cluster-proxy/backend"
)

// teller is a Tracker that tells its own client.
type teller struct{ pipe *Pipeline }

// Pushed implements Tracker.
func (t teller) Pushed(push []byte, lane *backend.TaskRunner) backend.Flusher {
	return t.pipe.Tell(push, lane)
}

// Doubt implements Tracker.
func (t teller) Doubt(lane *backend.TaskRunner) backend.Flusher { return t.pipe.Forget(lane) }

// track makes a session's nodes tell it of changes.
func (sc *scene) track(who string, broadcast bool) {
	s := sc.session(who)
	sc.tracking = true
	s.pipe.SetProfile(backend.Profile{Proto: 3})
	s.pipe.Track(&Tracking{
		Greeting: []string{"CLIENT", "TRACKING", "ON"}, Broadcast: broadcast, Null: []byte(">1\r\n+null\r\n"), Tracker: teller{s.pipe},
	})
	if broadcast {
		sc.demand(s.pipe.Reach(sc.t.Context()))
	}
}

// settled reports whether nothing is happening to the connections between the Dispatcher and a node: none is ending, and for
// those who track all are made.
func (sc *scene) settled(p *peer) bool {
	var b strings.Builder
	sc.rig.pool.Node(p.addr).Describe(&b)
	return !strings.Contains(b.String(), "state=ending") && (!sc.tracking || strings.Count(b.String(), "state=up") == p.connections())
}

// connections returns how many there are.
func (p *peer) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}
