package backend

import (
	"errors"
	"time"

	"github.com/golang/glog"
)

// Losses counts connections to the node that were lost. A node that restarts
// loses them all.
func (n *Node) Losses() uint32 { return n.losses.Load() }

// Failing reports whether the last thing known of the node is a failed
// connection. That of one among several does not count for long.
func (n *Node) Failing() bool { return n.failing.Load() }

// noteLoss logs a node's loss once, until a connection works again.
func (n *Node) noteLoss(cause error) {
	if refused := (*HandshakeError)(nil); errors.As(cause, &refused) {
		return // a client's credentials, not the node
	}
	if errors.Is(cause, ErrClosed) || errors.Is(cause, ErrTooLong) || n.pool.ctx.Err() != nil || n.dropped.Load() {
		return
	}
	n.failedAt.Store(Now())
	if !n.failing.Swap(true) {
		glog.Warningf("node %s: connection lost: %v", n.Addr, cause)
	}
}

// noteUp is called with each connection that works.
func (n *Node) noteUp() {
	if n.failing.Swap(false) {
		glog.Infof("node %s: connected again", n.Addr)
	}
}

// wellAfter is for how long a connection that was lost, or could not be made, counts
// while there are others.
const wellAfter = 5 * time.Second

// noteOthers takes the node for a living one whose other connections go on after a
// loss: a process that dies loses all at once. It closes one when its user is deleted,
// or nothing was said over it for the server's timeout; and nobody may need a new one, by
// which it would be known.
func (n *Node) noteOthers(now int64) {
	if n.failing.Load() && now-n.failedAt.Load() >= int64(wellAfter) && n.connected() && n.failing.Swap(false) {
		glog.Infof("node %s: its other connections go on", n.Addr)
	}
}
