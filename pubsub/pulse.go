package pubsub

import (
	"errors"
	"time"
)

// A connection over which a node says something when it has something to say does
// not show that the node is gone without a word: its machine has lost power, or
// something in between swallows what is sent. So who is silent is asked, and must say
// something.

// pulse is how silence is judged.
type pulse struct {
	every time.Duration // it is looked at
	ask   int           // looks that find silence before the node is asked
	doubt int           // before it is asked whether the cluster has changed
	lost  int           // before the connection is given up
}

// usualPulse gives up after a time in which even a node that executes a script that
// takes too long answers: it does so after 5 s.
var usualPulse = pulse{every: time.Second, ask: 1, doubt: 3, lost: 8}

// errSilent is why such a connection was given up.
var errSilent = errors.New("the node has said nothing for too long")

// pulseLaterLocked has silence looked for, as long as there are trunks.
func (h *Hub) pulseLaterLocked() {
	if h.beat != nil || h.closed || len(h.trunks) == 0 {
		return
	}
	h.running.Add(1)
	h.beat = time.AfterFunc(h.pulse.every, h.feel)
}

// feel looks at each trunk.
func (h *Hub) feel() {
	defer h.running.Done()
	doubtful := false
	h.mu.Lock()
	h.beat = nil
	for _, t := range h.trunks {
		if t.feelLocked() == h.pulse.doubt {
			doubtful = true
		}
	}
	h.pulseLaterLocked()
	h.unlock()
	if doubtful {
		h.cluster.Refresh("a node is silent")
	}
}

// feelLocked returns for how many looks the trunk has been silent. One that does not
// read, since clients are too slow for it, is not.
func (t *trunk) feelLocked() (silent int) {
	t.fan.mu.Lock()
	paused := t.fan.paused
	t.fan.mu.Unlock()
	if t.lively.Swap(false) || paused || t.unusedLocked() && len(t.asked) == 0 {
		t.silent = 0
		return 0
	}
	t.silent++
	switch {
	case t.silent >= t.hub.pulse.lost:
		t.conn.Lose(errSilent)
	case t.silent >= t.hub.pulse.ask && len(t.asked) == 0:
		t.fenceLocked()
	}
	return t.silent
}
