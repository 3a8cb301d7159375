package resp

import "errors"

// ProtocolError says that a stream is not RESP. From a CommandParser its text
// is what Redis sends after "-ERR ", e.g. "Protocol error: invalid bulk
// length"; from ReplyScanner, ReplyLen and ReadValue it is for the log. The
// stream has lost its framing: the connection must be closed, after the reply.
type ProtocolError struct {
	// Text is the whole text of the error, in one line.
	Text string
}

// Error returns Text.
func (e *ProtocolError) Error() string { return e.Text }

// ErrCrossProtocol is returned for a command named POST or HOST:, in any case.
// It is what a browser sends that a web page made talk HTTP to a Redis port, so
// the connection must be closed at once and without a reply, as Redis does.
var ErrCrossProtocol = errors.New("resp: POST or Host: command, possible cross protocol attack")

// The texts below are those of processInlineBuffer and processMultibulkBuffer
// in Redis's networking.c.
var (
	errInlineTooBig     = &ProtocolError{"Protocol error: too big inline request"}
	errUnbalancedQuotes = &ProtocolError{"Protocol error: unbalanced quotes in request"}
	errCountTooBig      = &ProtocolError{"Protocol error: too big mbulk count string"}
	errCountInvalid     = &ProtocolError{"Protocol error: invalid multibulk length"}
	errCountNoAuth      = &ProtocolError{"Protocol error: unauthenticated multibulk length"}
	errBulkTooBig       = &ProtocolError{"Protocol error: too big bulk count string"}
	errBulkInvalid      = &ProtocolError{"Protocol error: invalid bulk length"}
	errBulkNoAuth       = &ProtocolError{"Protocol error: unauthenticated bulk length"}
)

// errNotBulk is the error for an argument that starts with c in the place of
// '$'. A byte that would break the error's line becomes a space, as in Redis.
func errNotBulk(c byte) error {
	if c == '\r' || c == '\n' {
		c = ' '
	}
	return &ProtocolError{"Protocol error: expected '$', got '" + string([]byte{c}) + "'"}
}

// Errors of replies, for the log.
var (
	errReplyLength  = &ProtocolError{"Protocol error: invalid length in a reply"}
	errReplyBulkEnd = &ProtocolError{"Protocol error: bulk string of a reply does not end in CRLF"}
	errReplyDepth   = &ProtocolError{"Protocol error: reply is nested too deep"}
	errReplyScalar  = &ProtocolError{"Protocol error: invalid number, boolean, null or verbatim string in a reply"}
)
