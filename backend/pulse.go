package backend

import (
	"errors"

	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/resp"
)

// A private lane over which its session says nothing owes nothing either, so it does
// not show that the node is gone without a word, or that something in between swallows
// what is sent and acknowledges it. So a lane that is quiet is asked, and must say
// something: silence.go judges by what nodes owe. The same holds for its ear.

const (
	// pulseAsk is how many looks find silence before the node is asked.
	pulseAsk = 1
	// pulseLost is how many do before the connection is given up. Looks are counted and
	// not time: this process may be what stands still.
	pulseLost = 5
)

// errNoPulse is the cause of a loss that was found so.
var errNoPulse = errors.New("the node has said nothing for too long")

// pulse is what is known of one connection's silence.
type pulse struct {
	silent int  // looks that have found it so
	asked  bool // since it said something
}

// look counts a look and reports whether the node is to be asked.
func (p *pulse) look(heard bool) (ask bool) {
	if heard {
		*p = pulse{}
		return false
	}
	p.silent++
	ask = p.silent >= pulseAsk && !p.asked
	p.asked = p.asked || ask
	return ask
}

// feel looks at each private lane.
func (p *Pool) feel() {
	for _, n := range p.Nodes() {
		lanes, _ := n.privates.figures()
		for _, r := range lanes {
			r.feel()
		}
	}
}

// feel asks a private lane that is quiet for a sign of life, and gives up its
// connection if there is none for long. While the node owes the lane's holder
// something, which may take it long, the holder decides.
func (r *TaskRunner) feel() {
	p := r.private
	r.mu.Lock()
	l := r.link
	if l == nil || r.draining || r.fault != nil { // or it is about to end
		p.lane, p.ear = pulse{}, pulse{}
		r.mu.Unlock()
		return
	}
	ask := p.lane.look(r.heard != p.heard)
	p.heard = r.heard
	if ask && r.queue.size == 0 { // else it owes something already
		var one TaskList
		one.Push(&Task{Wire: wireHello(r.profile.Proto), Handler: p, Brief: true})
		r.enqueueLocked(&one)
	}
	askEar := l.ear != nil && p.ear.look(l.ear.lively.Swap(false))
	lost := max(p.lane.silent, p.ear.silent) >= pulseLost
	busy := lost && p.lane.silent > 0 && r.owesHolderLocked()
	r.mu.Unlock()
	r.Flush()
	if askEar {
		l.ear.ask()
	}
	if lost && (!busy || p.silent()) {
		r.lose(l, errNoPulse)
	}
}

// owesHolderLocked reports whether the holder of a private lane waits for a reply.
func (r *TaskRunner) owesHolderLocked() bool {
	for i := range r.queue.size {
		if t := r.queue.at(i).task; t != nil && t.Handler != r.private {
			return true
		}
	}
	return false
}

// lose ends a connection as if it were lost, for that reason.
func (r *TaskRunner) lose(l *link, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link == l {
		r.fault = cause
		l.conn.Abort()
	}
}

// Replied implements Handler for the question of the pulse: take has noted that the
// node lives.
func (p *privacy) Replied([]Reply, *Chunk) Flusher { return nil }

// Failed implements Handler, likewise: the Listener is told of a loss.
func (p *privacy) Failed(*Task, *LostError) Flusher { return nil }

// ask asks the node for a sign of life.
func (e *ear) ask() {
	var out netio.Batch
	out.Append(wireHello(resp.RESP3))
	e.conn.Queue(&out)
	e.conn.Flush()
}
