package dispatcher

import (
	"strconv"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// Slow is a request that took long, for the Sink.
type Slow struct {
	// Row is the command's.
	Row *command.Row
	// Total is the time since the client's bytes arrived, and AtNode how much
	// of it the node at Addr had the request: of several, the slowest. Addr is
	// empty if none answered, nor was given up for its silence.
	Total, AtNode time.Duration
	Addr          string
	// Parts is in how many parts the request was sent.
	Parts int

	r *request
}

// noteSlowLocked tells the sink of pt's request, of which pt is about to be
// finished, if pt is the last part.
func (p *Pipeline) noteSlowLocked(pt *part) {
	r := pt.req
	if p.closed {
		return
	}
	s := Slow{Row: r.row, Total: time.Duration(pt.task.Total), AtNode: time.Duration(pt.task.AtNode), Parts: 1, r: r}
	if pt.lane != nil && s.AtNode > 0 {
		s.Addr = pt.lane.Node().Addr
	}
	if r.isSplit() {
		s.Parts = len(r.parts)
		if old := r.slow; old != nil {
			s.Total = max(s.Total, old.Total) // lanes read the clock on their own
			if old.AtNode > s.AtNode {
				s.AtNode, s.Addr = old.AtNode, old.Addr
			}
		}
		if r.left > 1 {
			kept := s // and only then is memory needed for it
			r.slow = &kept
			return
		}
	}
	p.sink.Slow(s)
}

// Args returns the number of the request's arguments and the first limit of
// them, its name among them, as the client sent them. They are valid until the
// Sink's Slow returns.
func (s *Slow) Args(limit int) (args [][]byte, count int) {
	if !s.r.isSplit() {
		args := wireArgs(s.r.one.task.Wire)
		return args[:min(limit, len(args))], len(args)
	}
	how, _ := s.Row.Split()
	head, step, tail := how.Head(), max(how.Step, 1), 0
	if how.Counted { // what is about all groups is in each part
		pt := s.r.parts[0]
		tail = max(len(wireArgs(pt.task.Wire))-head-step*len(pt.keys), 0)
	}
	count = head + s.r.keys*step + tail
	args = make([][]byte, min(limit, count))
	for _, pt := range s.r.parts {
		words := wireArgs(pt.task.Wire)
		if len(words) != head+step*len(pt.keys)+tail {
			continue
		}
		args[0] = words[0]
		for i, key := range pt.keys {
			if at := head + int(key)*step; at < len(args) {
				copy(args[at:], words[head+i*step:][:step])
			}
		}
		copy(args[min(len(args), count-tail):], words[len(words)-tail:])
	}
	if how.Counted && len(args) > 1 {
		args[1] = strconv.AppendInt(nil, int64(s.r.keys), 10)
	}
	return args, count
}

func wireArgs(wire []byte) [][]byte {
	parser := resp.CommandParser{Limits: resp.Limits{MaxBulkBytes: max(len(wire), resp.MaxBulkBytes)}}
	cmd, _, err := parser.Next(wire)
	if err != nil {
		return nil
	}
	return cmd.Args
}
