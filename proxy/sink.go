package proxy

import (
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
)

// Append implements dispatcher.Sink.
func (s *session) Append(reply []byte) { s.out.Append(reply) }

// AppendChunk implements dispatcher.Sink.
func (s *session) AppendChunk(reply []byte, chunk *backend.Chunk) { s.out.AppendChunk(reply, chunk) }

// Gathered implements dispatcher.Sink.
func (s *session) Gathered() int { return s.out.Len() }

// Commit implements dispatcher.Sink.
func (s *session) Commit() {
	s.committed += int64(s.out.Len())
	s.conn.Queue(&s.out)
}

// Flush implements dispatcher.Sink.
func (s *session) Flush() {
	if !s.conn.Later() {
		s.Settle()
	}
}

// Settle implements netio.Handler.
func (s *session) Settle() {
	if left := s.conn.Flush(); left > 0 || s.crowded.Load() != 0 {
		s.checkOutput(int64(left))
	}
}

// Wake implements dispatcher.Sink.
func (s *session) Wake() { s.conn.Resume() }

// Slow implements dispatcher.Sink.
func (s *session) Slow(slow dispatcher.Slow) {
	if slow.Row.Flags.Has(command.FlagSkipSlowlog) || !s.srv.slow.admit() {
		return
	}
	args, count := slow.Args(slowArgs)
	s.srv.slow.add(slowRequest{
		at: time.Now(), total: slow.Total, atNode: slow.AtNode, node: slow.Addr, parts: slow.Parts,
		args: rememberedArgs(slow.Row, args, count), addr: s.outline().addr, name: s.badgeNow().name,
	})
}
