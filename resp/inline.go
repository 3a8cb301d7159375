package resp

// nextInline cuts the inline command at the start of buf: a line of words, for
// telnet and for load balancers' probes. Source: processInlineBuffer in
// Redis's networking.c.
func (p *CommandParser) nextInline(buf []byte) (Command, int, error) {
	end, err := p.lineEnd(buf, 0, '\n', errInlineTooBig)
	if err != nil || end < 0 {
		return Command{}, 0, err
	}
	n := end + 1
	if end > 0 && buf[end-1] == '\r' {
		end--
	}
	if cap(p.scratch) > MaxInlineBytes/16 {
		p.scratch = nil
	}
	var ok bool
	p.args, p.scratch, ok = splitInline(p.args[:0], p.scratch[:0], buf[:end])
	if !ok {
		return Command{}, 0, errUnbalancedQuotes
	}
	if len(p.args) > 0 && crossProtocol(p.args[0]) {
		return Command{}, 0, ErrCrossProtocol
	}
	return Command{Args: p.args, Raw: buf[:n:n], Inline: true}, n, nil
}

// splitInline appends the words of line to args, by the rules of sdssplitargs
// in Redis's sds.c. Words with quotes are put together in scratch, the others
// point into line. ok is false if a quote is not closed, or closed in the middle
// of a word. line holds no NUL and no LF.
func splitInline(args [][]byte, scratch, line []byte) (_ [][]byte, _ []byte, ok bool) {
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return args, scratch, true
		}
		start := i
		for i < len(line) && !endsWord(line[i]) && line[i] != '"' && line[i] != '\'' {
			i++
		}
		if i == len(line) || endsWord(line[i]) {
			args = append(args, line[start:i:i])
			continue
		}
		if cap(scratch)-len(scratch) < len(line)-start {
			// Words cut earlier keep the old array. Unquoting never lengthens, so
			// from here on the words of this line have one array that stays put.
			scratch = make([]byte, 0, len(line)-start)
		}
		from := len(scratch)
		scratch = append(scratch, line[start:i]...)
		scratch, i = unquote(scratch, line, i)
		if i < 0 {
			return args, scratch, false
		}
		args = append(args, scratch[from:len(scratch):len(scratch)])
	}
}

// unquote appends what stands between the quote at line[i] and its fellow, and
// returns the index behind that; the word ends there too. The index is -1 if the
// quotes are unbalanced.
func unquote(dst, line []byte, i int) ([]byte, int) {
	quote := line[i]
	for i++; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			if i+1 < len(line) && !isSpace(line[i+1]) {
				return dst, -1
			}
			return dst, i + 1
		case c != '\\' || i+1 == len(line):
			dst = append(dst, c)
		case quote == '\'':
			if line[i+1] == '\'' {
				i++
			}
			dst = append(dst, line[i])
		case line[i+1] == 'x' && i+3 < len(line) && isHex(line[i+2]) && isHex(line[i+3]):
			dst = append(dst, unhex(line[i+2])<<4|unhex(line[i+3]))
			i += 3
		default:
			i++
			dst = append(dst, unescape(line[i]))
		}
	}
	return dst, -1
}

// isSpace is C's isspace, which separates words.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// endsWord says whether c ends a word without quotes. It is not isSpace: Redis
// takes a vertical tab and a form feed as part of the word that they follow.
func endsWord(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}
