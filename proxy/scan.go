package proxy

import (
	"context"
	"strconv"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/scan"
)

// scan answers SCAN for the whole keyspace; the scan package says how. Whether
// the client may, and what is wrong with its options, a node says; the walk itself
// goes by the proxy's own account, since it needs commands that a client need not
// be allowed.
func (s *session) scan(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args := resp.CloneArgs(cmd.Args)
	req, ok := scan.Parse(args)
	own := s.srv.isOwnAccount(s.profile)
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		if !ok || !own {
			asked := args
			if ok { // the last COUNT counts: the answer should be short
				asked = append(args[:len(args):len(args)], []byte("COUNT"), []byte("1"))
			}
			if reply, refused := refusesScan(ctx, e, asked); refused {
				return reply
			}
		}
		if !ok { // a cursor that the server's version takes, and that no server ever gave
			args[1] = []byte("0")
			if req, ok = scan.Parse(args); !ok {
				return resp.AppendError(nil, errSyntax)
			}
		}
		walk := s.ownErrand()
		walk.Limit(s.srv.mergedLimit())
		reply, err := s.srv.walker.Scan(ctx, wholeCluster{s.srv.d, walk}, &req)
		if err != nil {
			return errorReply(err)
		}
		return scanReply(reply)
	})
}

// refusesScan asks a node whether it refuses a SCAN, and returns its words. What
// else it answers is of no interest.
func refusesScan(ctx context.Context, e *dispatcher.Errand, args [][]byte) (reply []byte, refused bool) {
	slot := uint16(0)
	if shards := e.Shards(); len(shards) > 0 {
		slot = shards[0].Lowest
	}
	reply, err := e.AskSlot(ctx, slot, false, args...)
	if err != nil {
		return errorReply(err), true
	}
	return reply, reply[0] == '-'
}

func scanReply(r scan.Reply) []byte {
	size := 64
	for _, key := range r.Keys {
		size += len(key) + 16
	}
	b := resp.AppendArrayHeader(make([]byte, 0, size), 2)
	b = resp.AppendBulkString(b, strconv.FormatUint(r.Cursor, 10))
	b = resp.AppendArrayHeader(b, len(r.Keys))
	for _, key := range r.Keys {
		b = resp.AppendBulk(b, key)
	}
	return b
}

// wholeCluster is the cluster as a walk sees it.
type wholeCluster struct {
	d *dispatcher.Dispatcher
	e *dispatcher.Errand
}

// Layout implements scan.Cluster.
func (c wholeCluster) Layout() scan.Layout { return c.d.Owners() }

// SlotOf implements scan.Cluster.
func (c wholeCluster) SlotOf(key []byte) uint16 { return c.d.SlotOf(key) }

// Ask implements scan.Cluster.
func (c wholeCluster) Ask(ctx context.Context, addr string, commands ...[][]byte) ([][]byte, error) {
	return c.e.AskSeries(ctx, addr, commands...)
}

// AskSlot implements scan.Cluster.
func (c wholeCluster) AskSlot(ctx context.Context, slot uint16, command ...[]byte) ([]byte, error) {
	return c.e.AskSlot(ctx, slot, false, command...)
}

// ownErrand makes an Errand by the proxy's own account, in the session's database.
func (s *session) ownErrand() *dispatcher.Errand {
	profile := s.srv.defaultProfile()
	profile.Proto, profile.DB = resp.RESP2, s.profile.DB
	return s.srv.d.NewErrand(profile)
}

// isOwnAccount reports whether a profile is of the proxy's own account.
func (s *Server) isOwnAccount(p backend.Profile) bool {
	return p.User == s.cfg.User && p.Password == s.cfg.Password
}
