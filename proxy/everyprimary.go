package proxy

import (
	"context"
	"encoding/hex"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// everyPrimary asks each primary once, at the same time, whatever becomes of
// the others: what -admin-commands allows may well end a server, and must not be
// repeated at the one that takes its place. An error of one is an error of the
// whole.
func (s *session) everyPrimary(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		e.Limit(s.srv.mergedLimit())
		replies, err := e.AskEach(ctx, addresses(e.Shards(), onReplicasToo(row)), args...)
		switch {
		case err != nil:
			return errorReply(err)
		case fullName(row, args) == "debug|digest":
			return mergeDigests(replies)
		}
		one := *row
		one.Response = command.AllSucceeded
		return dispatcher.Combine(&one, proto, replies)
	})
}

// onReplicasToo reports whether replicas are to be asked as well: a command that
// a module adds reaches them.
func onReplicasToo(row *command.Row) bool { return strings.HasPrefix(row.Name, "module|") }

// addresses returns those of the primaries, each followed by its replicas if
// they are wanted.
func addresses(shards []dispatcher.Shard, replicas bool) []string {
	var addrs []string
	for _, sh := range shards {
		if sh.Primary != "" {
			addrs = append(addrs, sh.Primary)
		}
		if replicas {
			addrs = append(addrs, sh.Replicas...)
		}
	}
	return addrs
}

// mergeDigests makes one digest of those of DEBUG DIGEST: another whenever one
// of them is.
func mergeDigests(replies []dispatcher.NodeReply) []byte {
	var sum [20]byte
	for _, r := range replies {
		digest, err := hex.DecodeString(strings.TrimSpace(string(r.Bytes[1:])))
		if err != nil || len(digest) != len(sum) {
			return r.Bytes // an error
		}
		for i := range sum {
			sum[i] ^= digest[i]
		}
	}
	return resp.AppendSimple(nil, hex.EncodeToString(sum[:]))
}
