package proxy

import (
	"bytes"
	"context"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// fansOut reports whether a command goes to all shards or nodes and its reply
// is made of theirs by a policy that needs no knowledge of the command.
func fansOut(row *command.Row) bool {
	if row.HasKeys() || row.Response == command.ResponseSpecial {
		return false
	}
	if row.Blocking(nil) || row.Family == command.FamilyConnection || row.Family == command.FamilyCluster {
		return false // about one connection, or about one node's part of a cluster
	}
	return row.Request == command.RequestAllShards || row.Request == command.RequestAllNodes
}

// mergedLimit is how many bytes the replies of all nodes may have together.
func (s *Server) mergedLimit() int64 {
	if s.cfg.MaxMergedBytes <= 0 {
		return resp.MaxBulkBytes
	}
	return s.cfg.MaxMergedBytes
}

// fanOut asks all shards or nodes at once and answers with the combined reply.
func (s *session) fanOut(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	e, suicide := s.pipe.Errand(), false
	if s.within != nil {
		e.KeepWhole() // it is a part of EXEC's reply
	}
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		e.Limit(s.srv.mergedLimit())
		reply, err := e.AskMerged(ctx, row, proto, args...)
		if strings.HasPrefix(row.Name, "acl|") {
			s.srv.d.Grants().Clear()
		}
		switch {
		case err != nil:
			return dispatcher.Whole(errorReply(err))
		case row.Is("acl|deluser") && !bytes.HasPrefix(reply.Bytes(), []byte("-")):
			suicide = s.srv.expelUsers(args[2:], s)
		}
		if then := afterFanOut[row.Name]; then != nil {
			reply = then(s.srv.d, args, reply)
		}
		return reply
	}, func() { s.stopped = s.stopped || suicide })
}

// afterFanOut is what is done besides when a command has been answered by all
// nodes, by row name. It returns the reply for the client.
var afterFanOut = map[string]func(d *dispatcher.Dispatcher, args [][]byte, reply dispatcher.Reply) dispatcher.Reply{
	"script|load":   scriptLoaded,
	"script|flush":  scriptsFlushed,
	"script|exists": scriptsExist,
}
