package dispatcher

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// AskShards asks every primary at once and returns their replies in the order
// of Shards, each node's once. A primary that is lost, or answers that it cannot
// serve at the moment, is asked again, or the one that has taken its place, within
// the budget that requests have, unless it may have executed a command that must
// not be repeated. A shard that gives no reply, or an error of the kind that is
// retried, makes an error of the whole, which names the node. Other error replies
// are replies; see Combine.
func (e *Errand) AskShards(ctx context.Context, args ...[]byte) ([]NodeReply, error) {
	return e.askAll(ctx, &round{e: e, args: args})
}

// AskNodes is AskShards for replicas as well, save those that the cluster calls
// failed. A replica's reply comes behind that of its primary.
func (e *Errand) AskNodes(ctx context.Context, args ...[]byte) ([]NodeReply, error) {
	return e.askAll(ctx, &round{e: e, args: args, replicas: true})
}

// AskMerged asks all shards or nodes, as the row says, and merges their replies.
// Arrays, sets and maps that become one by concatenation flow, so that the
// reply must go to Pipeline.AnswerFlowing.
func (e *Errand) AskMerged(ctx context.Context, row *command.Row, proto resp.Proto, args ...[]byte) (Reply, error) {
	replies, err := e.askAll(ctx, &round{
		e: e, args: args, replicas: row.Request == command.RequestAllNodes, flows: row.Response == command.ResponseDefault,
	})
	if err != nil {
		e.closeBodies()
		return Reply{}, err
	}
	reply := merge(row, proto, replies)
	if !reply.Flows() {
		e.closeBodies()
	}
	return reply, nil
}

// AskPresent is AskShards for whoever answers within patience: a shard that does
// not, or that the cluster calls failed, is missing. It is an error if all are.
func (e *Errand) AskPresent(ctx context.Context, patience time.Duration, args ...[]byte) (replies []NodeReply, missing []Shard, err error) {
	ctx, cancel := backend.WithPatience(ctx, patience, backend.ErrTimeout)
	defer cancel()
	r := &round{e: e, args: args, partial: true}
	if replies, err = e.askAll(ctx, r); err != nil {
		return nil, nil, err
	}
	for _, s := range r.seats {
		if s.err != nil {
			missing = append(missing, s.shard)
		}
	}
	return replies, missing, nil
}

// AskEach asks these nodes at once, each once, whatever becomes of the others.
// The error is that of the first that gave no reply.
func (e *Errand) AskEach(ctx context.Context, addrs []string, args ...[]byte) ([]NodeReply, error) {
	if len(addrs) == 0 {
		return nil, &failure{text: errNotServed}
	}
	q := leg{profile: e.profile, wire: resp.AppendCommandBytes(nil, args)}
	under, replies := make([]posed, len(addrs)), make([]NodeReply, len(addrs))
	for i, addr := range addrs {
		q.addr = addr
		under[i] = e.send(q)
	}
	var first error
	for i := len(under) - 1; i >= 0; i-- { // see askOnce
		var err error
		if replies[i], err = e.await(ctx, under[i]); err != nil {
			first = e.explain(err, repeatable(args))
		}
	}
	if first != nil {
		return nil, first
	}
	return replies, nil
}

func (e *Errand) askAll(ctx context.Context, r *round) ([]NodeReply, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.wire, r.cancel = resp.AppendCommandBytes(nil, r.args), cancel
	for _, sh := range e.Shards() {
		r.seats = append(r.seats, &seat{shard: sh, addr: sh.Primary})
		if r.replicas {
			for _, addr := range sh.Replicas {
				r.seats = append(r.seats, &seat{addr: addr, replica: true})
			}
		}
	}
	if len(r.seats) == 0 {
		return nil, &failure{text: errNotServed}
	}
	r.askOnce(ctx)
	r.asking.Wait()
	if !repeatable(r.args) {
		for _, s := range r.seats {
			e.wroteAt(e.d.member(s.addr).node)
		}
	}
	return r.result()
}

// askOnce asks all seats at once, without a goroutine for each, which would take
// longer to wake up than a node to reply. Those that have to be asked again get
// one. The node that was asked last is waited for first: when it has replied the
// others mostly have, and to wait for them wakes nobody up.
func (r *round) askOnce(ctx context.Context) {
	under := make([]posed, len(r.seats))
	for i, s := range r.seats {
		if present, err := r.seek(s); present && err == nil {
			under[i] = r.e.send(r.leg(s))
		}
	}
	for i := len(r.seats) - 1; i >= 0; i-- {
		s := r.seats[i]
		if under[i].lease != nil {
			reply, err := r.e.await(ctx, under[i])
			if err == nil && classify(reply.Bytes) == bounceNone {
				s.reply = reply
				continue
			}
			s.asked, s.reply, s.err = true, reply, err
		}
		r.asking.Add(1)
		go r.askBeside(ctx, s)
	}
}

func (r *round) leg(s *seat) leg {
	return leg{addr: s.addr, profile: r.e.profile, wire: r.wire, flows: r.flows}
}

// round is one question to many nodes.
type round struct {
	// Set at construction.
	e        *Errand
	args     [][]byte
	replicas bool // are asked as well
	flows    bool // the replies flow
	partial  bool // one that gives no reply is left out
	wire     []byte
	cancel   context.CancelFunc // called when the answer is an error already

	seats  []*seat
	asking sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	first error // the first failure
}

// seat is a place in the order of the replies: whoever is the primary of a
// shard, or one replica.
type seat struct {
	shard   Shard
	replica bool
	addr    string    // who is asked
	reply   NodeReply // of nobody: there is no such node any more
	asked   bool      // reply, or err, is an answer that was not looked at yet
	err     error     // in the end: why it was left out
}

func (r *round) askBeside(ctx context.Context, s *seat) {
	defer r.asking.Done()
	r.ask(ctx, s)
}

// ask gets the reply of one seat.
func (r *round) ask(ctx context.Context, s *seat) {
	budget := attempts{e: r.e}
	for {
		if !s.asked {
			if present, err := r.seek(s); !present {
				return
			} else if err != nil {
				if !r.partial && budget.again(ctx, bounceDown) {
					continue
				}
				r.fail(s, err)
				return
			}
			s.reply, s.err = r.e.ask(ctx, r.leg(s))
		}
		reply, err := s.reply, s.err
		s.asked, s.reply, s.err = false, NodeReply{}, nil
		if err != nil {
			if r.e.lost(ctx, err, r.args) && budget.again(ctx, bounceLost) {
				continue
			}
			r.fail(s, r.e.explain(err, r.e.safe(r.args)))
			return
		}
		b := classify(reply.Bytes)
		if b != bounceNone {
			r.e.d.topology.Refresh(bounceNames[b])
			if budget.again(ctx, b) {
				continue
			}
			r.fail(s, nodeFailure(s.addr, reply.Bytes))
			return
		}
		s.reply = reply
		return
	}
}

// seek finds out whom to ask for the seat now: s.addr, or err if there is nobody
// at the moment. present is false if the seat's node has left.
func (r *round) seek(s *seat) (present bool, err error) {
	t := r.e.d.routes.Load().table
	if s.replica {
		n := t.NodeAt(s.addr)
		return n != nil && n.Healthy, nil
	}
	if s.shard.Slots == 0 {
		return t.NodeAt(s.addr) != nil, nil
	}
	s.addr, _, err = r.e.route(s.shard.Lowest, false)
	return true, err
}

// fail ends the round with an error, so that what the others are doing does not
// matter any more; or it leaves the seat out.
func (r *round) fail(s *seat, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused := (*backend.HandshakeError)(nil)
	if r.partial && !errors.As(err, &refused) {
		s.err = err
	} else if r.first == nil {
		r.first = err
		r.cancel()
	}
}

// result returns each node's reply once: after a failover two seats may have
// asked the same one.
func (r *round) result() ([]NodeReply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first != nil {
		return nil, r.first
	}
	replies := make([]NodeReply, 0, len(r.seats))
	asked := make(map[string]bool, len(r.seats))
	fault := errors.New(errNotServed)
	for _, s := range r.seats {
		if s.err != nil {
			fault = s.err
		}
		if addr := s.reply.Addr; addr != "" && !asked[addr] {
			asked[addr] = true
			replies = append(replies, s.reply)
		}
	}
	if len(replies) == 0 {
		return nil, fault
	}
	return replies, nil
}

// nodeFailure is a node's error reply in the answer to a question that went to
// several, with the node's name.
func nodeFailure(addr string, reply []byte) error {
	code, text, found := strings.Cut(errorText(reply), " ")
	if !found {
		code, text = "ERR", code
	}
	return &failure{text: code + " node " + addr + ": " + text}
}

// errorText returns the text of an error reply.
func errorText(reply []byte) string {
	if reply[0] == '!' {
		if i := bytes.IndexByte(reply, '\n'); i >= 0 {
			reply = reply[i:]
		}
	}
	return strings.TrimSpace(string(reply[1:]))
}
