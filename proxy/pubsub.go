package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/pubsub"
	"redis-cluster-proxy/resp"
)

// pubsubKinds are the commands that begin or end subscriptions.
var pubsubKinds = map[string]pubsub.Kind{
	"subscribe": pubsub.Channel, "psubscribe": pubsub.Pattern, "ssubscribe": pubsub.Shard,
	"unsubscribe": pubsub.Channel, "punsubscribe": pubsub.Pattern, "sunsubscribe": pubsub.Shard,
}

// subscribePatience is how long the nodes may take to confirm a subscription.
// It is what commands wait for a failover.
const subscribePatience = 5 * time.Second

// unsubscribePatience is how long they may take to end one. The client hears
// nothing more in any case.
const unsubscribePatience = time.Second

// subscriber returns the session's place in the hub, which it gets with its first
// subscription.
func (s *session) subscriber() *pubsub.Client {
	c := s.sub.Load()
	if c == nil {
		c = s.srv.hub.NewClient(outlet{s}, s.proto())
		s.sub.Store(c)
	}
	return c
}

// subscribe begins subscriptions. They are confirmed when the nodes have
// confirmed them, so that the client hears whatever is published after that.
// Nothing may be under way: messages would overtake the confirmation.
func (s *session) subscribe(row *command.Row, cmd *resp.Command) verdict {
	switch {
	case s.within != nil:
		return s.subscribeWithin(row)
	case s.pipe.Busy():
		return retry
	}
	j := s.join(pubsubKinds[row.Name], namesOf(cmd))
	now, err := j.Try(func(told []byte) { s.pipe.Announce(row, told) })
	switch {
	case err != nil:
		return s.fail(row, err.Error())
	case now:
		s.noteSubscriptions()
		return done
	}
	s.joinAhead(cmd)
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		ctx, cancel := context.WithTimeoutCause(ctx, subscribePatience, errNotConfirmed)
		defer cancel()
		err := j.Wait(ctx, func(told []byte) {
			s.showSubscriptions() // whoever has heard of it finds it in CLIENT LIST
			s.pipe.Gather(told, false)
		})
		if err != nil {
			return dispatcher.Whole(subscribeFault(err))
		}
		return dispatcher.Reply{}
	}, s.noteSubscriptions)
}

var errNotConfirmed = errors.New("CLUSTERDOWN no node has confirmed the subscription in time")

func subscribeFault(err error) []byte {
	if errors.Is(err, context.Canceled) {
		err = errors.New("ERR interrupted: the client is gone or the proxy is ending")
	}
	return errorReply(err)
}

// unsubscribe ends subscriptions. If nobody else has them, the nodes are awaited:
// a client that then publishes, or counts subscribers, is to find none.
func (s *session) unsubscribe(row *command.Row, cmd *resp.Command) verdict {
	switch {
	case s.within != nil:
		return s.subscribeWithin(row)
	case s.pipe.Busy():
		return retry
	}
	var names []string
	for _, arg := range cmd.Args[1:] {
		names = append(names, string(arg))
	}
	l := s.subscriber().Leave(pubsubKinds[row.Name], names)
	if !l.Pending() {
		s.pipe.Announce(row, l.Told())
		s.noteSubscriptions()
		return done
	}
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		ctx, cancel := context.WithTimeout(ctx, unsubscribePatience)
		defer cancel()
		l.Wait(ctx)
		s.showSubscriptions()
		s.pipe.Gather(l.Told(), false)
		return dispatcher.Reply{}
	}, s.noteSubscriptions)
}

// noteSubscriptions shows how many there are. With any, and in RESP2, most
// commands are refused.
func (s *session) noteSubscriptions() {
	if s.sub.Load() == nil {
		return
	}
	s.showSubscriptions()
	s.settlePlain()
}

// showSubscriptions shows others how many there are. It may be called beside the
// session.
func (s *session) showSubscriptions() {
	c := s.sub.Load()
	s.hears.Store(c.Total() > 0)
	s.show(func(b *badge) {
		b.channels, b.patterns, b.shardChannels = c.Count(pubsub.Channel), c.Count(pubsub.Pattern), c.Count(pubsub.Shard)
	})
}

// unsubscribeAll ends all subscriptions in silence.
func (s *session) unsubscribeAll() {
	if c := s.sub.Load(); c != nil {
		s.dropJoins()
		c.Reset()
		s.noteSubscriptions()
	}
}

// endSubscriptions is unsubscribeAll for a client that is leaving.
func (s *session) endSubscriptions() {
	if c := s.sub.Load(); c != nil {
		s.dropJoins()
		c.Close()
	}
}

// confined reports whether all that a client may do is to subscribe more or
// less. It could not tell replies from messages, which are arrays in RESP2.
func (s *session) confined() bool { return s.proto() < resp.RESP3 && s.hears.Load() }

// inConfinement are the commands that a confined client may use.
var inConfinement = map[string]bool{"ping": true, "quit": true, "reset": true}

func allowedInConfinement(row *command.Row) bool {
	_, ok := pubsubKinds[row.Name]
	return ok || inConfinement[row.Name]
}

// refuseConfined answers what a confined client may not do.
func (s *session) refuseConfined(row *command.Row) verdict {
	return s.refuse(row, "ERR Can't execute '"+row.Name+
		"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
}

// speak says that the protocol may have changed, from answer on.
func (s *session) speak(answer func()) {
	c := s.sub.Load()
	if c == nil || s.within != nil { // what is heard is already as it will be behind EXEC
		answer()
	} else {
		c.SetProto(s.proto(), answer)
	}
	s.settlePlain()
}

// outlet is a session as the hub sees it.
type outlet struct{ s *session }

// Gather implements pubsub.Outlet.
func (o outlet) Gather(b []byte, shared bool) { o.s.pipe.Gather(b, shared) }

// FlushGathered implements pubsub.Outlet. It writes at once also where a Poller
// drives the connection, whose goroutines would have no time for publishers while
// they write to a thousand subscribers: then each message would be written for
// itself.
func (o outlet) FlushGathered() {
	if o.s.pipe.CommitGathered() {
		o.s.Settle()
	}
}

// Kick implements pubsub.Outlet.
func (o outlet) Kick(text string) {
	if o.s.conn.Abort() {
		glog.Warningf("client %d %s closed: a node refuses what it subscribes to: %s", o.s.id, o.s.conn.NetConn().RemoteAddr(), text)
	}
}

// hubCluster is the cluster as the hub sees it.
type hubCluster struct{ *dispatcher.Dispatcher }

// Owner implements pubsub.Cluster.
func (c hubCluster) Owner(slot uint16) string { return c.Owners().Owner(slot) }

// Open implements pubsub.Cluster.
func (c hubCluster) Open(addr string, who backend.ProfileHandle, holder backend.StreamHolder) pubsub.Upstream {
	return c.Node(addr).Stream(who, holder)
}

// Match implements pubsub.Cluster.
func (c hubCluster) Match(pattern, text []byte) bool { return globMatch(pattern, text, false) }

// scopes are what names of a kind are about.
var scopes = [pubsub.NumKinds]dispatcher.Scope{
	pubsub.Channel: dispatcher.Channels, pubsub.Pattern: dispatcher.Patterns, pubsub.Shard: dispatcher.Shards,
}

// Lull implements pubsub.Cluster.
func (c hubCluster) Lull(kind pubsub.Kind, names []string, far bool, quiet func()) (l pubsub.Lull, now bool) {
	return c.Dispatcher.Lull(scopes[kind], names, far, quiet)
}

// newHub makes the hub of a Server's sessions.
func (s *Server) newHub() *pubsub.Hub {
	cluster := hubCluster{s.d}
	h := pubsub.New(cluster)
	s.d.OnReroute(h.Rerouted)
	s.d.SetAudience(func(addr string, shard bool, channel []byte) int {
		own, clients := h.Audience(addr, shard, channel)
		return clients - own
	}, cluster.Match)
	return h
}
