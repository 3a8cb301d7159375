package proxy

import (
	"bytes"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// What invalidations look like: behind it comes an array of keys, or null for all
// keys.
var (
	pushedInvalidate = []byte(">2\r\n$10\r\ninvalidate\r\n")
	pushedNull       = []byte(">2\r\n$10\r\ninvalidate\r\n_\r\n")
	// In RESP2 it is a message to a subscriber.
	messageInvalidate = []byte("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n")
	null2, null3      = []byte("$-1\r\n"), []byte("_\r\n")
)

// tracker tells a client of invalidations: the one that tracks, or another one. It
// is the dispatcher.Tracker of a session.
type tracker struct {
	// Set at construction.
	from  *session
	to    *session   // nil: from
	proto resp.Proto // that from speaks
}

// direct reports whether the client is told over its own connection, between
// replies.
func (t *tracker) direct() bool {
	return t.proto == resp.RESP3 && (t.to == nil || t.to == t.from)
}

// Pushed implements dispatcher.Tracker.
func (t *tracker) Pushed(push []byte, lane *backend.TaskRunner) backend.Flusher {
	value, ok := bytes.CutPrefix(push, pushedInvalidate)
	switch {
	case !ok:
		return nil // nothing else is known to come
	case bytes.Equal(value, null3):
		return t.Doubt(lane)
	case t.direct():
		return t.from.pipe.Tell(push, lane)
	}
	return t.redirect(value)
}

// Doubt implements dispatcher.Tracker.
func (t *tracker) Doubt(lane *backend.TaskRunner) backend.Flusher {
	switch {
	case t.direct():
		return t.from.pipe.Forget(lane)
	case t.from.pipe.Doubtful():
		return t.redirect(null3)
	}
	return nil
}

// tell says that keys have changed.
func (t *tracker) tell(keys []byte) backend.Flusher {
	if t.direct() {
		return t.from.pipe.Tell(append(bytes.Clone(pushedInvalidate), keys...), nil)
	}
	return t.redirect(keys)
}

// redirect tells the other client, in its own protocol. If it is gone, so is all
// that it was told, and the client that tracks is told that; as sendTrackingMessage
// of Redis has it.
func (t *tracker) redirect(value []byte) backend.Flusher {
	to := t.to
	if to == nil { // in RESP2, which has no pushes
		return nil
	}
	if to.ended.Load() {
		t.from.show(func(b *badge) { b.redirectGone = b.tracking })
		if t.proto != resp.RESP3 {
			return nil
		}
		b := resp.AppendPushHeader(nil, resp.RESP3, 2)
		b = resp.AppendBulkString(b, "tracking-redir-broken")
		return t.from.pipe.Tell(resp.AppendInt(b, int64(to.id)), nil)
	}
	var proto resp.Proto
	to.pipe.Inspect(func(a dispatcher.Activity) { proto = a.Profile.Proto })
	badge := to.badgeNow()
	switch {
	case proto == resp.RESP3:
		return to.pipe.Hear(append(bytes.Clone(pushedInvalidate), value...))
	case !badge.subscribed():
		return nil
	case bytes.Equal(value, null3):
		value = null2
	}
	return to.pipe.Hear(append(bytes.Clone(messageInvalidate), value...))
}
