package backend

import (
	"errors"

	"github.com/golang/glog"
)

// Losses counts connections to the node that were lost. A node that restarts
// loses them all.
func (n *Node) Losses() uint32 { return n.losses.Load() }

// Failing reports whether the last thing known of the node is a failed
// connection.
func (n *Node) Failing() bool { return n.failing.Load() }

// noteLoss logs a node's loss once, until a connection works again.
func (n *Node) noteLoss(cause error) {
	if refused := (*HandshakeError)(nil); errors.As(cause, &refused) {
		return // a client's credentials, not the node
	}
	if errors.Is(cause, ErrClosed) || errors.Is(cause, ErrTooLong) || n.pool.ctx.Err() != nil || n.dropped.Load() {
		return
	}
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
