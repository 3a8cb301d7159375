package proxy

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// randomKey answers RANDOMKEY with a key of a shard that is chosen by how many
// keys each has, so that all keys are about as likely. It is nil only if no shard
// has one.
func (s *session) randomKey(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		sizes, err := s.ownErrand().AskShards(ctx, []byte("DBSIZE"))
		if err != nil {
			return errorReply(err)
		}
		lots, refusal := newLottery(sizes)
		if refusal != nil {
			return refusal
		}
		lowest := make(map[string]uint16)
		for _, sh := range e.Shards() {
			if sh.Slots > 0 {
				lowest[sh.Primary] = sh.Lowest
			}
		}
		for {
			addr, ok := lots.draw()
			if !ok {
				return resp.AppendNull(nil, proto)
			}
			var reply []byte
			if slot, known := lowest[addr]; known { // it may have failed over
				reply, err = e.AskSlot(ctx, slot, false, args...)
			} else {
				reply, err = e.Ask(ctx, addr, args...)
			}
			if err != nil {
				return errorReply(err)
			}
			if reply[0] != '_' && !strings.HasPrefix(string(reply), "$-1") {
				return reply
			}
		}
	})
}

// lottery draws nodes, each once.
type lottery struct {
	addrs []string
	keys  []int64
	sum   int64
}

// newLottery makes a lottery in which each node has as many lots as it answered. It
// returns the reply of a node that did not say, whose keys would not be drawn.
func newLottery(replies []dispatcher.NodeReply) (l *lottery, refusal []byte) {
	l = &lottery{}
	for _, r := range replies {
		n, err := strconv.ParseInt(strings.Trim(string(r.Bytes), ":\r\n"), 10, 64)
		if err != nil {
			return nil, r.Bytes
		}
		if n > 0 {
			l.addrs, l.keys, l.sum = append(l.addrs, r.Addr), append(l.keys, n), l.sum+n
		}
	}
	return l, nil
}

// draw returns a node, which is out of the lottery from then on; false if none
// is left.
func (l *lottery) draw() (addr string, ok bool) {
	if l.sum <= 0 {
		return "", false
	}
	at := rand.Int64N(l.sum)
	for i, n := range l.keys {
		if at < n {
			l.sum -= n
			l.keys[i] = 0
			return l.addrs[i], true
		}
		at -= n
	}
	return "", false
}
