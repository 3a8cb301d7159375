package resp

import (
	"bytes"
	"strconv"
)

// maxReplyLength bounds the lengths and counts a server may announce, far
// above what any server holds, so that sums of them stay within an int.
const maxReplyLength = 1 << 40

// ReplyScanner cuts the stream of one server into whole replies, RESP2 and
// RESP3 alike, without decoding them. Nesting may be of any depth: it costs
// neither stack nor memory. The zero value is ready. Not safe for concurrent
// use.
type ReplyScanner struct {
	// Where an incomplete reply stands. All zero between replies.
	pos   int // bytes of complete parts
	left  int // parts to come, from pos on
	clear int // bytes known not to hold the end of the line at pos
	need  int // length of buf below which nothing can have changed
}

// Next returns the length n of the first reply in buf, whose first byte is the
// first one not consumed so far. n == 0 means that it is incomplete; the next
// call must get the same bytes with more behind them.
//
// An attribute ('|') counts together with the reply it precedes. A push ('>')
// is a unit of its own: it answers no command.
//
// err is a *ProtocolError; the connection is of no use afterwards.
func (s *ReplyScanner) Next(buf []byte) (n int, err error) {
	if s.pos == 0 && len(buf) > 4 {
		switch buf[0] {
		case '$':
			v, start := shortLength(buf, 1)
			if end := start + v + 2; start > 0 && end <= len(buf) &&
				buf[start-1] == '\n' && buf[end-2] == '\r' && buf[end-1] == '\n' {
				s.Reset()
				return end, nil
			}
			if buf[1] == '-' && buf[2] == '1' && buf[3] == '\r' && buf[4] == '\n' {
				s.Reset()
				return 5, nil
			}
		case '+':
			if buf[1] == 'O' && buf[2] == 'K' && buf[3] == '\r' && buf[4] == '\n' {
				s.Reset()
				return 5, nil
			}
		}
	}
	return s.scan(buf)
}

// Need returns how long buf must be at least for the next Next to come further
// after an incomplete one: the end of the bulk string it is in if the string's
// header has arrived, else one byte more.
func (s *ReplyScanner) Need() int { return max(s.need, 1) }

// NextParts is Next for a reply that is not kept whole: the first n bytes of buf
// are parts of it, and whole says that it ends with them. The next call must get
// the bytes behind them. A part, a bulk string for instance, is never cut.
func (s *ReplyScanner) NextParts(buf []byte) (n int, whole bool, err error) {
	if n, err = s.scan(buf); n > 0 || err != nil {
		return n, true, err
	}
	n = s.pos
	s.pos, s.need, s.clear = 0, s.need-n, max(s.clear-n, 0)
	return n, false, nil
}

// Reset forgets an incomplete reply, so that the next Next may get other bytes.
func (s *ReplyScanner) Reset() { *s = ReplyScanner{} }

// ReplyLen returns the length of the first reply in buf, 0 if it is incomplete.
// It is the first call of a ReplyScanner's Next.
func ReplyLen(buf []byte) (int, error) {
	var s ReplyScanner
	return s.Next(buf)
}

// scan walks over the parts of a reply. A part is anything that starts with a
// type byte; the header of an aggregate adds its elements to the parts to come.
func (s *ReplyScanner) scan(buf []byte) (int, error) {
	if len(buf) < s.need {
		return 0, nil
	}
	if s.left == 0 {
		s.left = 1
	}
	for s.left > 0 {
		n, elements, err := s.part(buf)
		if err != nil || n == 0 {
			return 0, err
		}
		s.pos += n
		s.left += elements - 1
	}
	n := s.pos
	s.Reset()
	return n, nil
}

// part measures the part at buf[s.pos]: n bytes, 0 if it is incomplete, without
// the elements that follow it.
func (s *ReplyScanner) part(buf []byte) (n, elements int, err error) {
	rest := buf[s.pos:]
	if len(rest) == 0 {
		s.need = len(buf) + 1
		return 0, 0, nil
	}
	switch rest[0] {
	case '$', '=', '!':
		length, start, err := s.length(buf, rest)
		if err != nil || start == 0 || length < 0 {
			return start, 0, err
		}
		end := start + length + 2
		if end > len(rest) {
			s.need = s.pos + end
			return 0, 0, nil
		}
		if rest[end-2] != '\r' || rest[end-1] != '\n' {
			return 0, 0, errReplyBulkEnd
		}
		return end, 0, nil
	case '*', '~', '>', '%', '|':
		count, start, err := s.length(buf, rest)
		if err != nil || start == 0 || count < 0 {
			return start, 0, err
		}
		switch rest[0] {
		case '%':
			count *= 2
		case '|':
			count = count*2 + 1 // and the reply it precedes
		}
		return start, count, nil
	case '+', '-', ':', '_', '#', ',', '(':
		return s.line(buf, rest), 0, nil
	}
	return 0, 0, &ProtocolError{"Protocol error: unexpected type byte " + strconv.QuoteRuneToASCII(rune(rest[0])) + " in a reply"}
}

// line measures the line at the start of rest, 0 if it is incomplete. Like
// hiredis it takes CRLF as the end, and neither CR nor LF alone.
func (s *ReplyScanner) line(buf, rest []byte) int {
	from := max(s.clear-s.pos, 1)
	for from < len(rest) {
		i := bytes.IndexByte(rest[from:], '\n')
		if i < 0 {
			break
		}
		from += i + 1
		if rest[from-2] == '\r' {
			return from
		}
	}
	s.clear, s.need = len(buf), len(buf)+1
	return 0
}

// length reads the length or count in the header at the start of rest; start is
// the index behind the header, 0 if it is incomplete. v is -1 for the null bulk
// string and the null array of RESP2.
func (s *ReplyScanner) length(buf, rest []byte) (v, start int, err error) {
	if v, start = shortLength(rest, 1); start > 0 {
		if rest[start-1] != '\n' {
			return 0, 0, errReplyLength
		}
		return v, start, nil
	}
	// The longest header that is right: a type byte, 13 digits and CRLF.
	line := rest[:min(len(rest), 16)]
	i := bytes.IndexByte(line, '\n')
	if i < 0 {
		if len(line) < 16 {
			s.need = len(buf) + 1
			return 0, 0, nil
		}
		return 0, 0, errReplyLength
	}
	if i < 2 || line[i-1] != '\r' {
		return 0, 0, errReplyLength
	}
	n, ok := parseInt(line[1 : i-1])
	null := n == -1 && (rest[0] == '$' || rest[0] == '*')
	if !ok || n < 0 && !null || n > maxReplyLength {
		return 0, 0, errReplyLength
	}
	return int(n), i + 1, nil
}

// Header reads the header at the start of an aggregate reply: its type byte,
// one of '*', '%', '~' and '>', the number of replies that follow as its
// elements (two per entry of a map), and the bytes the header takes. ok is
// false if reply starts with anything else, with a null array, or with an
// incomplete or wrong header.
func Header(reply []byte) (kind byte, elements, n int, ok bool) {
	if len(reply) == 0 {
		return 0, 0, 0, false
	}
	switch kind = reply[0]; kind {
	case '*', '~', '>', '%':
	default:
		return 0, 0, 0, false
	}
	var s ReplyScanner
	elements, n, err := s.length(reply, reply)
	if err != nil || n == 0 || elements < 0 {
		return 0, 0, 0, false
	}
	if kind == '%' {
		elements *= 2
	}
	return kind, elements, n, true
}
