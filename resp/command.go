package resp

import "bytes"

const (
	// MaxArgs is the most arguments a command may have, the name included.
	MaxArgs = 1<<31 - 1
	// MaxBulkBytes is Redis's default proto-max-bulk-len.
	MaxBulkBytes = 512 << 20
	// MaxInlineBytes is the longest line of an inline command, and the longest
	// header of an array or a bulk string, without its line end.
	MaxInlineBytes = 64 << 10

	// minProtoMaxBulkLen is the least that Redis allows proto-max-bulk-len to
	// be. A lower limit can only be the one before authentication.
	minProtoMaxBulkLen = 1 << 20
	// retainArgs is how much argument storage outlives a command: enough for
	// the usual, so that it costs no allocation, and little beside a buffer.
	retainArgs = 256
	// minBulkBytes is the length of the shortest argument, "$0\r\n\r\n".
	minBulkBytes = 6
)

// Command is one command of a client.
//
// Args and Raw point into the buffer handed to Next and live as long as it is
// unchanged. The slice Args itself, and the arguments of an inline command that
// had quotes, are the parser's and live until its next Next or Reset.
type Command struct {
	// Args are the name and the arguments. Empty for an empty line, "*0" and
	// negative array lengths, which Redis skips without a reply.
	Args [][]byte
	// Raw is the exact bytes on the wire.
	Raw []byte
	// Inline says that Raw is not clean RESP: an inline command, or one of
	// those arrays whose line ends Redis is lenient about. Args must be encoded
	// anew (AppendCommandBytes) before the command is sent to a server.
	Inline bool
}

// CloneArgs copies arguments, whose memory is the buffer's.
func CloneArgs(args [][]byte) [][]byte {
	clones := make([][]byte, len(args))
	for i, arg := range args {
		clones[i] = bytes.Clone(arg)
	}
	return clones
}

// Limits bounds what a client may announce. The zero value is what Redis
// allows by default.
type Limits struct {
	// MaxArgs is the most elements of an array; 0 means MaxArgs, 2^31-1.
	MaxArgs int
	// MaxBulkBytes is the longest argument; 0 means MaxBulkBytes, 512 MiB.
	// Redis's proto-max-bulk-len is at least 1 MiB; below that, the error's
	// text is the one for clients that have not authenticated.
	MaxBulkBytes int
}

// UnauthenticatedLimits returns the limits Redis sets before a required AUTH.
// Inline commands are not subject to them.
func UnauthenticatedLimits() Limits { return Limits{MaxArgs: 10, MaxBulkBytes: 16384} }

// CommandParser cuts the stream of one client into commands. The zero value
// is ready. Not safe for concurrent use. See the package comment for the loop
// around it.
type CommandParser struct {
	// Limits are those for commands whose headers have not been read yet. They
	// may be changed between any two calls, as AUTH and RESET do.
	Limits Limits

	// Where an incomplete command stands. All zero between commands.
	pos   int // bytes of complete parts: the array's header and whole arguments
	left  int // arguments to come, from pos on; 0 while the first line is incomplete
	clear int // bytes known not to hold the end of the line at pos; 0: none
	need  int // length of buf below which nothing can have changed

	// Storage of the command returned last.
	args    [][]byte
	scratch []byte // unquoted arguments of an inline command
}

// Next cuts the next command from buf, whose first byte is the first one not
// consumed so far. n is the length of the command.
//
// n == 0 means that the command is incomplete; the next call must get the same
// bytes with more behind them, at the same address or not. n > 0 with no Args
// is an empty line, "*0" or a negative array length, to be skipped silently.
//
// err is a *ProtocolError, to be answered with "-ERR " and its text, or
// ErrCrossProtocol, to be answered with silence. Either way the connection must
// be closed, and the parser must not be used again before Reset.
func (p *CommandParser) Next(buf []byte) (cmd Command, n int, err error) {
	if len(buf) < p.need {
		return Command{}, 0, nil
	}
	if p.left > 0 {
		return p.resume(buf)
	}
	if cap(p.args) > retainArgs {
		p.args = nil
	}
	if len(buf) == 0 {
		p.need = 1
		return Command{}, 0, nil
	}
	if buf[0] != '*' {
		return p.nextInline(buf)
	}
	count, pos, err := p.count(buf)
	if err != nil || pos == 0 {
		return Command{}, 0, err
	}
	if count <= 0 {
		p.clear, p.need = 0, 0
		return Command{Raw: buf[:pos:pos]}, pos, nil
	}
	if count > (len(buf)-pos)/minBulkBytes {
		// It cannot be complete: collecting arguments would be in vain.
		p.pos, p.left = pos, count
		return p.resume(buf)
	}
	return p.collect(buf, pos, count)
}

// Need returns how long buf must be at least for the next Next to come further
// after an incomplete one: the end of the argument it is in if the argument's
// header has arrived, else one byte more. It is what the client announced, up
// to Limits.MaxBulkBytes, so reserving it at once trusts the client.
func (p *CommandParser) Need() int { return max(p.need, 1) }

// Reset forgets an incomplete command, so that the next Next may get other
// bytes, and lets go of the storage kept for Command.Args. Limits stay.
func (p *CommandParser) Reset() { *p = CommandParser{Limits: p.Limits} }

// collect cuts the count arguments from buf[pos] on, in one pass. If they are
// not all there it notes where it stopped; resume goes on from there.
func (p *CommandParser) collect(buf []byte, pos, count int) (Command, int, error) {
	args := p.args[:0]
	if count > cap(args) {
		// At most four times the bytes that have arrived: see the check in Next.
		args = make([][]byte, 0, count)
	}
	clean := buf[pos-1] == '\n'
	limit := p.bulkLimit()
	for left := count; left > 0; left-- {
		start, end, err := p.bulk(buf, pos, limit)
		if err != nil || end == 0 {
			p.args, p.pos, p.left = args, pos, left
			return Command{}, 0, err
		}
		clean = clean && buf[start-1] == '\n' && buf[end] == '\r' && buf[end+1] == '\n'
		args = append(args, buf[start:end:end])
		pos = end + 2
	}
	p.args = args
	p.pos, p.left, p.clear, p.need = 0, 0, 0, 0
	if crossProtocol(args[0]) {
		return Command{}, 0, ErrCrossProtocol
	}
	return Command{Args: args, Raw: buf[:pos:pos], Inline: !clean}, pos, nil
}

// resume goes on with an incomplete command. It only walks over arguments and
// leaves the collecting to one pass at the end: a client that announces much
// and sends it slowly costs no memory but the buffer, and no time but two
// passes.
func (p *CommandParser) resume(buf []byte) (Command, int, error) {
	limit := p.bulkLimit()
	for p.left > 0 {
		_, end, err := p.bulk(buf, p.pos, limit)
		if err != nil || end == 0 {
			return Command{}, 0, err
		}
		p.pos = end + 2
		p.left--
	}
	p.pos, p.clear, p.need = 0, 0, 0
	count, pos, err := p.count(buf)
	if err != nil || pos == 0 {
		return Command{}, 0, err
	}
	return p.collect(buf, pos, count)
}

// count reads the array's header at the start of buf. pos is the index behind
// it, 0 if it is incomplete.
func (p *CommandParser) count(buf []byte) (count, pos int, err error) {
	v, pos := shortLength(buf, 1)
	n := int64(v)
	if pos == 0 {
		end, err := p.lineEnd(buf, 0, '\r', errCountTooBig)
		if err != nil || end < 0 {
			return 0, 0, err
		}
		var ok bool
		if n, ok = parseInt(buf[1:end]); !ok {
			return 0, 0, errCountInvalid
		}
		n = max(n, -1)
		pos = end + 2
	}
	if n > MaxArgs {
		return 0, 0, errCountInvalid
	}
	if limit := p.Limits.MaxArgs; limit > 0 && n > int64(limit) {
		return 0, 0, errCountNoAuth
	}
	return int(n), pos, nil
}

// bulk reads the argument at buf[pos]: it is buf[start:end], with two bytes
// behind it that Redis does not look at. end is 0 if it is incomplete.
func (p *CommandParser) bulk(buf []byte, pos, limit int) (start, end int, err error) {
	if pos < len(buf) && buf[pos] == '$' {
		v, start := shortLength(buf, pos+1)
		if start > 0 && v <= len(buf)-start-2 && v <= limit {
			return start, start + v, nil
		}
	}
	return p.bulkSlow(buf, pos, limit)
}

// bulkLimit returns the longest argument allowed.
func (p *CommandParser) bulkLimit() int {
	if p.Limits.MaxBulkBytes > 0 {
		return p.Limits.MaxBulkBytes
	}
	return MaxBulkBytes
}

// bulkSlow is bulk for the unusual: large, incomplete or wrong.
func (p *CommandParser) bulkSlow(buf []byte, pos, limit int) (start, end int, err error) {
	line, err := p.lineEnd(buf, pos, '\r', errBulkTooBig)
	if err != nil || line < 0 {
		return 0, 0, err
	}
	if buf[pos] != '$' {
		return 0, 0, errNotBulk(buf[pos])
	}
	n, ok := parseInt(buf[pos+1 : line])
	switch {
	case !ok || n < 0:
		return 0, 0, errBulkInvalid
	case n <= int64(limit):
	case limit < minProtoMaxBulkLen && n <= MaxBulkBytes:
		return 0, 0, errBulkNoAuth
	default:
		return 0, 0, errBulkInvalid
	}
	start = line + 2
	end = start + int(n)
	if end+2 > len(buf) {
		p.clear, p.need = line, end+2
		return 0, 0, nil
	}
	p.clear, p.need = 0, 0
	return start, end, nil
}

// lineEnd finds the byte c that ends the line at buf[start]. It returns -1 if
// c, or the byte that must follow a CR, has not arrived, and tooBig if c is
// not among the first MaxInlineBytes+1 bytes.
//
// Redis looks for c with strchr, to which a NUL byte is the end of everything:
// a line with a NUL in it is incomplete until it is too big. Unlike Redis, which
// tells only once it runs out of bytes, a line too long is refused even if it
// arrives whole, so that the outcome does not depend on packets.
func (p *CommandParser) lineEnd(buf []byte, start int, c byte, tooBig error) (int, error) {
	from := max(p.clear, start)
	window := buf[from:min(len(buf), start+MaxInlineBytes+1)]
	i := bytes.IndexByte(window, c)
	if i >= 0 {
		window = window[:i]
	}
	if nul := bytes.IndexByte(window, 0); nul >= 0 {
		i, window = -1, window[:nul]
	}
	if i < 0 && len(buf)-start > MaxInlineBytes {
		return 0, tooBig
	}
	end := from + len(window)
	if i < 0 || c == '\r' && end+1 == len(buf) {
		p.clear, p.need = end, len(buf)+1
		return -1, nil
	}
	p.clear, p.need = 0, 0
	return end, nil
}

// crossProtocol says whether name is one that only HTTP has. To Redis, which
// compares with strcasecmp, a NUL byte ends the name.
func crossProtocol(name []byte) bool {
	if len(name) < len("post") {
		return false
	}
	switch name[0] | 0x20 {
	case 'p':
		return (len(name) == 4 || name[4] == 0) && bytes.EqualFold(name[:4], []byte("post"))
	case 'h':
		return len(name) >= 5 && (len(name) == 5 || name[5] == 0) && bytes.EqualFold(name[:5], []byte("host:"))
	}
	return false
}
